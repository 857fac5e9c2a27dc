package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fulfilld/grant"
)

// ailing is a ledger whose answers the test prepares; nil means that all is well.
type ailing struct {
	probe, retain func(ctx context.Context) error
	unapproved    []grant.Lane
	resting       []grant.Lane
	undelivered   int64
	failing       []string
	held          map[string]int64
}

func (a ailing) Probe(ctx context.Context) error {
	if a.probe == nil {
		return nil
	}
	return a.probe(ctx)
}

func (a ailing) Retain(ctx context.Context, _, _ time.Duration) (int64, error) {
	if a.retain == nil {
		return 0, nil
	}
	return 0, a.retain(ctx)
}

func (ailing) Backlog(context.Context) (int64, time.Time, error)       { return 0, time.Time{}, nil }
func (ailing) FailedEvents(context.Context) (int64, error)             { return 0, nil }
func (ailing) RefusedBenefits(context.Context) ([]string, error)       { return nil, nil }
func (ailing) Troubles(context.Context) (failed, stuck int64, _ error) { return 0, 0, nil }
func (ailing) MissingFiles(context.Context) (int64, string, error)     { return 0, "", nil }
func (a ailing) Held(context.Context) (map[string]int64, error)        { return a.held, nil }
func (a ailing) Undelivered(context.Context) (map[string]int64, int64, error) {
	return nil, a.undelivered, nil
}
func (a ailing) Failing(context.Context) ([]string, error)        { return a.failing, nil }
func (a ailing) Resting(context.Context) ([]grant.Lane, error)    { return a.resting, nil }
func (a ailing) Unapproved(context.Context) ([]grant.Lane, error) { return a.unapproved, nil }

// raised keeps which alarms stand.
type raised struct {
	mu    sync.Mutex
	codes map[string]bool
	texts map[string]string
}

func (r *raised) Raise(code, text, _ string) { r.set(code, true, text) }
func (r *raised) Resolve(code string)        { r.set(code, false, "") }

func (r *raised) set(code string, on bool, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.codes[code], r.texts[code] = on, text
}

func (r *raised) says(code string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.texts[code]
}

func (r *raised) stands(code string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.codes[code]
}

// hangs answers only when it is no longer waited for.
func hangs(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// disk is what a ledger cannot be written to when it is full.
type disk struct{ full atomic.Bool }

func (d *disk) probe(context.Context) error {
	if d.full.Load() {
		return errors.New("no space left on device")
	}
	return nil
}

func newHouse(l books) (*house, *raised) {
	r := &raised{codes: map[string]bool{}, texts: map[string]string{}}
	none := func(context.Context) []probe { return nil }
	return &house{ledger: l, probes: none, alarms: r, log: slog.New(slog.DiscardHandler)}, r
}

func TestALedgerThatHangsRaisesItsAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, alarms := newHouse(ailing{probe: hangs})
		go h.keep(t.Context())
		for range 5 { // it stands, and goes on standing
			time.Sleep(lookEvery)
			synctest.Wait()
			if !alarms.stands("ledger_down") {
				t.Error("no alarm")
			}
		}
	})
}

func TestALedgerThatRecoversResolvesItsAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d disk
		d.full.Store(true)
		h, alarms := newHouse(ailing{probe: d.probe})
		go h.keep(t.Context())
		synctest.Wait()
		if !alarms.stands("ledger_down") {
			t.Error("no alarm")
		}
		d.full.Store(false)
		time.Sleep(lookEvery)
		synctest.Wait()
		if alarms.stands("ledger_down") {
			t.Error("the alarm stands still")
		}
	})
}

// A daemon that stops is no ledger that fails.
func TestStoppingRaisesNoAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, alarms := newHouse(ailing{probe: hangs})
		ctx, cancel := context.WithCancel(t.Context())
		go h.keep(ctx)
		synctest.Wait()
		cancel()
		synctest.Wait()
		if len(alarms.codes) > 0 {
			t.Errorf("touched %v", alarms.codes)
		}
	})
}

func TestAlarmsMoveDuringALongRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d disk
		h, alarms := newHouse(ailing{probe: d.probe, retain: hangs})
		go h.keep(t.Context())
		synctest.Wait()
		d.full.Store(true)
		time.Sleep(lookEvery)
		synctest.Wait()
		if !alarms.stands("ledger_down") {
			t.Error("no alarm")
		}
	})
}
