package tasks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fulfilld/grant"
)

// shelf is a ledger of events that the test prepares.
type shelf struct {
	found   []grant.Event
	hangs   bool
	asked   int
	applied []string
}

func (s *shelf) Unapplied(ctx context.Context, _ time.Duration, limit int) ([]grant.Event, error) {
	if s.asked++; s.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.found[:min(limit, len(s.found))], nil
}

// Apply refuses whatever comes together with a bad event.
func (s *shelf) Apply(_ context.Context, events []grant.Decoded) (due []grant.Due, err error) {
	for _, ev := range events {
		if strings.HasPrefix(ev.Event.ID, "bad") {
			return nil, fmt.Errorf("%s: %w", ev.Event.ID, errAway)
		}
	}
	for _, ev := range events {
		s.applied = append(s.applied, ev.Event.ID)
		due = append(due, grant.Due{ID: ev.Event.ID})
	}
	return due, nil
}

func (s *shelf) Spread(context.Context, int) ([]grant.Due, bool, error) { return nil, false, nil }

func (s *shelf) relay(offer func([]grant.Due)) *Relay {
	return NewRelay(Options{
		Ledger: struct {
			events
			work
			due
		}{events: s}, Log: slog.New(slog.DiscardHandler),
		Decode: func(grant.Event) (grant.News, error) { return grant.News{}, nil },
	}, offer)
}

type due interface {
	Due(ctx context.Context, kind string, limit int) ([]grant.Due, error)
}

func TestAnEventThatIsRefusedHoldsUpNoOther(t *testing.T) {
	s := &shelf{}
	for i := range 3 * applyBatch {
		s.found = append(s.found, grant.Event{ID: fmt.Sprint(i)})
	}
	s.found[0].ID, s.found[2*applyBatch-1].ID = "bad first", "bad second"
	offered := 0
	r := s.relay(func(due []grant.Due) { offered += len(due) })
	_, err := r.Step(t.Context(), 0)
	if len(s.applied) != applyBatch || s.applied[0] != fmt.Sprint(2*applyBatch) || offered != applyBatch {
		t.Errorf("applied %v, offered %d", s.applied, offered)
	}
	if !errors.Is(err, errAway) || !strings.Contains(err.Error(), "bad first") || !strings.Contains(err.Error(), "bad second") {
		t.Errorf("not all that went wrong is told: %v", err)
	}
}

func TestARefusedEventIsLeftToTheSweep(t *testing.T) {
	s := &shelf{found: []grant.Event{{ID: "bad"}}}
	s.relay(func([]grant.Due) {}).drain(t.Context(), 0)
	if s.asked != 1 {
		t.Errorf("asked %d times in a row", s.asked)
	}
}

func TestAReadThatHangsIsGivenUp(t *testing.T) {
	t.Run("Relay", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			if _, err := (&shelf{hangs: true}).relay(func([]grant.Due) {}).Step(t.Context(), 0); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			if took := time.Since(began); took != findTime {
				t.Errorf("after %v", took)
			}
		})
	})
	t.Run("Dispatcher", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d, q := newRoom(16)
			d.due = func(ctx context.Context, _ string, _ int) ([]grant.Due, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			q.behind = true
			began := time.Now()
			if err := d.refill(t.Context(), "lamp"); !errors.Is(err, context.DeadlineExceeded) || !q.behind {
				t.Errorf("%v; to be tried again: %v", err, q.behind)
			}
			if took := time.Since(began); took != dueTime {
				t.Errorf("after %v", took)
			}
		})
	})
}
