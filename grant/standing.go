package grant

import (
	"slices"
	"time"
)

// Standing is how a subscription stood from Version.At on.
type Standing struct {
	Version   Version   `json:"version"`
	Status    string    `json:"status"`
	PastDueAt time.Time `json:"past_due_at,omitzero"`
}

// Standings are how a subscription stood of late, in the order of time. What a
// status means may hang on the one before it, and bodies arrive in any order.
type Standings []Standing

// Hear merges a body. It forgets what was longer than keep before the newest,
// except the last of that, which tells how what is kept began.
func (all Standings) Hear(s Subscription, keep time.Duration) Standings {
	i, known := slices.BinarySearchFunc(all, s.Version.At, func(st Standing, at time.Time) int { return st.Version.At.Compare(at) })
	st := Standing{s.Version, s.Status, s.PastDueAt}
	merged := slices.Clone(all)
	switch {
	case !known:
		merged = slices.Insert(merged, i, st)
	case all[i].Version.Compare(st.Version) < 0:
		merged[i] = st
	}
	from := merged[len(merged)-1].Version.At.Add(-keep)
	for len(merged) > 1 && merged[1].Version.At.Before(from) {
		merged = merged[1:]
	}
	return merged
}

// Recovery returns the last time that a failed payment was made good.
func (all Standings) Recovery() (r Recovery) {
	for i := 1; i < len(all); i++ {
		if before := all[i-1]; inArrears(before.Status) && paidUp(all[i].Status) {
			r = Recovery{At: all[i].Version.At, PastDueAt: before.PastDueAt}
		}
	}
	return r
}

// Recovery is a failed payment made good: past due since PastDueAt, paid at At.
type Recovery struct{ At, PastDueAt time.Time }

// within returns when the payment was made good if that was within grace; else zero.
func (r Recovery) within(grace time.Duration) time.Time {
	if r.PastDueAt.IsZero() || !r.At.Before(r.PastDueAt.Add(grace)) {
		return time.Time{}
	}
	return r.At
}

func inArrears(status string) bool { return status == "past_due" || status == "unpaid" }

func paidUp(status string) bool { return status == "active" || status == "trialing" }
