package github

import (
	"context"
	"fmt"
	"strings"
	"time"

	"fulfilld/fulfillers"
)

// placeLife is how long a place for an invitation is good for: writes may have to
// wait. Places are given for so much longer than a day, so that a day never sees
// more invitations than it has places.
const placeLife = time.Hour

func inviteLane(repository string) string { return "github:repository:" + repository }

// seatLane is what rests while an organisation has no seat for anybody.
func seatLane(owner string) string { return "github:organization:" + strings.ToLower(owner) }

// turn is who may write: one at a time, and those first for whom it is urgent.
type turn struct {
	free   chan struct{} // nobody has it
	urgent chan struct{} // it is handed over
	began  time.Time     // the last write; who has the turn may use it
}

func newTurn() *turn {
	t := &turn{free: make(chan struct{}, 1), urgent: make(chan struct{})}
	t.free <- struct{}{}
	return t
}

func (t *turn) take(ctx context.Context, urgent bool) error {
	var handed chan struct{} // to nobody else
	if urgent {
		handed = t.urgent
	}
	select {
	case <-t.free:
	case <-handed:
	case <-ctx.Done():
		return fulfillers.Transient("cancelled", fmt.Errorf("github: %w", ctx.Err()))
	}
	return nil
}

func (t *turn) leave() {
	select {
	case t.urgent <- struct{}{}:
	default:
		t.free <- struct{}{}
	}
}

// write waits for its turn and then does one or more writes: one writer at a
// time for each installation, below its limits. Revokes are urgent. Places in the
// lane pass while a write is slow, so the turn has a spacing of its own.
func (r *repository) write(ctx context.Context, urgent bool, do func() error) error {
	if err := r.writable(); err != nil {
		return err
	}
	if err := fulfillers.Enter(ctx, r.g.lanes, r.by.lane, r.g.config.writes(), urgent); err != nil {
		return err
	}
	t := r.by.turn
	if err := t.take(ctx, urgent); err != nil {
		return err
	}
	defer t.leave()
	if err := sleep(ctx, r.g.config.scaled(r.g.config.Limits.Spacing)-time.Since(t.began)); err != nil {
		return err
	}
	t.began = time.Now()
	return do()
}

// invite is write for an invitation, of which a repository takes only so many a
// day. A place for one is kept for a while, whatever comes between, unless GitHub
// may have taken the invitation.
func (r *repository) invite(ctx context.Context, u user, do func() error) error {
	if err := r.invites(ctx); err != nil {
		return err
	}
	key := fmt.Sprintf("%s %d", r.asked, u.id)
	if !r.g.hasPlace(key) {
		if err := fulfillers.Enter(ctx, r.g.lanes, inviteLane(r.asked), r.g.config.invitations(), false); err != nil {
			return err
		}
		r.g.keepPlace(key)
	}
	return r.write(ctx, false, func() error {
		if err := r.invites(ctx); err != nil { // whoever had the turn before may have been refused
			return err
		}
		err := do()
		if !saysNo(err) {
			r.g.usePlace(key, r.asked, err == nil)
		}
		r.heed(ctx, err)
		return err
	})
}

// invites says no while there is no use in asking.
func (r *repository) invites(ctx context.Context) error {
	for _, lane := range []string{inviteLane(r.asked), seatLane(r.GetOwner().GetLogin())} {
		wait, err := r.g.lanes.Pass(ctx, lane, nil, false)
		switch {
		case err != nil:
			return fulfillers.Transient("lane", err)
		case wait > 0:
			return fulfillers.Throttled(lane, wait, fmt.Errorf("%s rests; `fulfilld alarms` says why", lane))
		}
	}
	return nil
}

// heed has everybody wait for what one was refused for, so that not each of them
// is refused.
func (r *repository) heed(ctx context.Context, err error) {
	if e := fulfillers.Classify(err); e != nil && e.Class == fulfillers.ClassThrottled && e.Lane != "" && e.Lane != r.by.lane && saysNo(err) {
		_ = r.g.lanes.Pause(ctx, e.Lane, e.Wait, strings.TrimPrefix(e.Text, "github: "))
	}
}

func (g *Fulfiller) hasPlace(key string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	taken, ok := g.places[key]
	return ok && g.good(taken)
}

func (g *Fulfiller) good(taken time.Time) bool {
	return g.now().Sub(taken) < g.config.scaled(placeLife)
}

func (g *Fulfiller) keepPlace(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.places[key] = g.now()
	for other, taken := range g.places {
		if !g.good(taken) {
			delete(g.places, other)
		}
	}
}

func (g *Fulfiller) usePlace(key, repository string, taken bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.places, key)
	if taken {
		g.sent[repository] = append(g.lately(repository), g.now())
	}
}

// lately are the times of the last day's invitations. g.mu is held.
func (g *Fulfiller) lately(repository string) []time.Time {
	all := g.sent[repository]
	for len(all) > 0 && g.now().Sub(all[0]) >= g.config.scaled(day) {
		all = all[1:]
	}
	return all
}

// invitedLately counts a repository's invitations of the last day: those that
// this process sent, or those that are still open, whichever are more.
func (g *Fulfiller) invitedLately(repository string, open int) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(len(g.lately(repository)), open)
}
