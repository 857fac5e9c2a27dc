package discord

import (
	"context"
	"sync"
	"time"

	"fulfilld/fulfillers"
)

const botLane = "discord:bot"

// laneOf is what rests when a guild does; without one it is the bot.
func laneOf(guild string) string {
	if guild == "" {
		return botLane
	}
	return "discord:guild:" + guild
}

// lanesAge is how old an answer about a lane may be.
const lanesAge = time.Second

// rests remembers for a moment which lanes rest, so that not every call asks the
// ledger, and for as long as they do why, so that every error says it.
type rests struct {
	lanes fulfillers.Lanes

	mu   sync.Mutex
	seen map[string]rest
}

type rest struct {
	asked, until time.Time
	why          string
}

// ask is how long a lane rests yet.
func (r *rests) ask(ctx context.Context, lane string, urgent bool, now time.Time) (time.Duration, string, error) {
	s := r.last(lane)
	if now.Sub(s.asked) >= lanesAge {
		wait, err := r.lanes.Pass(ctx, lane, nil, urgent)
		if err != nil {
			return 0, "", err
		}
		if wait <= 0 {
			s.why = ""
		}
		s.asked, s.until = now, now.Add(wait)
		r.note(lane, s)
	}
	if s.why == "" {
		s.why = lane + " rests"
	}
	return max(0, s.until.Sub(now)), s.why, nil
}

func (r *rests) last(lane string) rest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[lane]
}

func (r *rests) note(lane string, s rest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[lane] = s
}

// pause has a lane rest, also when the call that found out is over by now.
func (r *rests) pause(ctx context.Context, lane string, d time.Duration, why string, now time.Time) error {
	r.note(lane, rest{now, now.Add(d), why})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return r.lanes.Pause(ctx, lane, d, why)
}
