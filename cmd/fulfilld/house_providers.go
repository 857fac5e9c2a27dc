package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"fulfilld/fulfillers"
)

// briefly is how long a provider's refusal may be the ordinary rate limit.
const briefly = time.Minute

// ask has the providers asked whether they let us do what is asked of us. What
// time may mend is worth an alarm when it lasts until the next round.
func (h *house) ask(ctx context.Context) {
	all := h.probes(ctx)
	var problems []string
	sure := h.doubt
	for i, answer := range askAll(ctx, all) {
		if err := <-answer; err != nil {
			problems = append(problems, fmt.Sprintf("%s: %s", all[i], oneLine(err)))
			sure = sure || !passing(err)
		}
	}
	if ctx.Err() != nil || len(all) == 0 {
		return
	}
	h.doubt = len(problems) > 0
	if h.doubt && !sure {
		return
	}
	h.alarm("provider_refuses", h.doubt, fmt.Sprintf("%d of %d probes have problems; %s", len(problems), len(all), first(problems)),
		"`fulfilld check --online` shows all of them; mend what they say.")
}

// passing reports whether a probe's problem may be over soon by itself.
func passing(err error) bool {
	e := fulfillers.Classify(err)
	return e.Class == fulfillers.ClassTransient || e.Class == fulfillers.ClassThrottled && e.Wait < briefly
}

// lookAtLanes names the lanes that rest. A rest that is over by the next look
// is everyday.
func (h *house) lookAtLanes(ctx context.Context) {
	lanes, err := h.ledger.Resting(ctx)
	if err != nil {
		return
	}
	var resting []string
	for _, lane := range lanes {
		if time.Until(lane.Until) > lookEvery {
			resting = append(resting, fmt.Sprintf("%s rests until %s: %s", lane.Name, lane.Until.UTC().Format(time.RFC3339), lane.Why))
		}
	}
	h.alarm("lane_resting", len(resting) > 0, strings.Join(resting, "; "),
		"Work for them waits until then. A rate limit passes by itself; mend what else they say.")
}

// lookAtApprovals names what waits for the operator's word.
func (h *house) lookAtApprovals(ctx context.Context) {
	waiting, err := h.ledger.Unapproved(ctx)
	if err != nil {
		return
	}
	var why []string
	for _, w := range waiting {
		why = append(why, w.Why)
	}
	h.alarm("approval_needed", len(waiting) > 0, strings.Join(why, "; "),
		"If the edit was meant, `fulfilld grants approve` lists what waits, and with its name lets it go on; if not, undo the edit.")
}
