package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"fulfilld/fulfillers"
)

// briefly is how long a provider's refusal may be the ordinary rate limit.
const briefly = time.Minute

// ask has the providers asked whether they let us do what is asked of us, in
// rounds where that is much. What time may mend is worth an alarm when it lasts
// until the next round.
func (h *house) ask(ctx context.Context) {
	all := h.probes(ctx)
	round := h.round(all)
	sure := len(h.refused) > 0
	refused := map[[2]string]string{}
	maps.Copy(refused, h.refused)
	for i, answer := range askAll(ctx, round) {
		err := <-answer
		delete(refused, round[i].key())
		if err != nil {
			refused[round[i].key()] = oneLine(err)
			sure = sure || !passing(err)
		}
	}
	if ctx.Err() != nil || len(all) == 0 {
		return
	}
	h.refused = map[[2]string]string{}
	var problems []string
	for _, p := range all {
		if why, ok := refused[p.key()]; ok {
			h.refused[p.key()] = why
			problems = append(problems, fmt.Sprintf("%s: %s", p, why))
		}
	}
	if len(problems) > 0 && !sure {
		return
	}
	h.alarm("provider_refuses", len(problems) > 0, fmt.Sprintf("%d of %d probes have problems; %s", len(problems), len(all), first(problems)),
		"`fulfilld check --online` shows all of them; mend what they say.")
}

// round is what is asked this time: they count towards a provider's limits.
func (h *house) round(all []probe) []probe {
	if len(all) <= mostProbes {
		return all
	}
	at := h.asked % len(all)
	h.asked = at + mostProbes
	return slices.Concat(all[at:], all[:at])[:mostProbes]
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
