package fulfillers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fulfilld/grant"
)

// Lanes keep count of what a provider allows, for all daemons together.
type Lanes interface {
	// Pass takes a place in a lane when it does not rest and every limit leaves
	// one, and else returns how long that takes. Limits leave a little to what
	// is urgent.
	Pass(ctx context.Context, lane string, limits []grant.Limit, urgent bool) (wait time.Duration, err error)

	// Pause has a lane rest for at least so long. Why is shown to people.
	Pause(ctx context.Context, lane string, d time.Duration, why string) error
}

const (
	// waitHere is how long a call waits for its turn while its worker holds on
	// to the task. What takes longer is put off.
	waitHere = 5 * time.Second

	// ahead is how long before its turn it is called back: a queue is no more
	// punctual than that, and whoever misses a turn leaves it to nobody.
	ahead = 3 * time.Second
)

// farOff says when a turn comes that is further off than anything is left alone.
func farOff(wait time.Duration) string {
	if wait <= 24*time.Hour {
		return ""
	}
	return ", which comes about " + time.Now().Add(wait).UTC().Format(time.DateOnly)
}

// Enter waits for a place in a lane. One that is far off is Throttled, and its
// Wait is when to come back for it.
func Enter(ctx context.Context, lanes Lanes, lane string, limits []grant.Limit, urgent bool) error {
	for {
		wait, err := lanes.Pass(ctx, lane, limits, urgent)
		switch {
		case err != nil:
			return Transient("lane", err)
		case wait <= 0:
			return nil
		case wait > waitHere:
			return Throttled(lane, wait-ahead, errors.New(lane+": it has to wait for its turn"+farOff(wait)))
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return Transient("cancelled", fmt.Errorf("%s: %w", lane, ctx.Err()))
		}
	}
}
