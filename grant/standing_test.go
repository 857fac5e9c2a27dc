package grant_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"fulfilld/grant"
)

const keep = 2 * time.Hour

// stands is a body of hour n; one that is past due is so since then.
func stands(n int, status string) grant.Subscription {
	s := grant.Subscription{Status: status, Version: version(n)}
	if status == "past_due" || status == "unpaid" {
		s.PastDueAt = hours(n)
	}
	return s
}

func hearBodies(bodies []grant.Subscription) (all grant.Standings) {
	for _, s := range bodies {
		all = all.Hear(s, keep)
	}
	return all
}

func TestRecoveryIsThePaymentAfterTheFailure(t *testing.T) {
	t.Parallel()
	at := func(recovered, pastDue int) grant.Recovery {
		return grant.Recovery{At: hours(recovered), PastDueAt: hours(pastDue)}
	}
	for _, c := range []struct {
		name   string
		bodies []grant.Subscription
		want   grant.Recovery
	}{
		{"Never", []grant.Subscription{stands(1, "active"), stands(2, "past_due")}, grant.Recovery{}},
		{"Active", []grant.Subscription{stands(1, "past_due"), stands(2, "active")}, at(2, 1)},
		{"Trialing", []grant.Subscription{stands(1, "unpaid"), stands(2, "trialing")}, at(2, 1)},
		{"Long past due", []grant.Subscription{stands(1, "past_due"), stands(9, "active")}, at(9, 1)},
		{"Told more than once", []grant.Subscription{stands(1, "past_due"), stands(2, "active"), stands(3, "active")}, at(2, 1)},
		{"Failure arrives last", []grant.Subscription{stands(3, "active"), stands(2, "active"), stands(1, "past_due")}, at(2, 1)},
		{"Failure of before another payment", []grant.Subscription{stands(1, "active"), stands(3, "active"), stands(2, "past_due")}, at(3, 2)},
		{"First payment arrives last", []grant.Subscription{stands(1, "past_due"), stands(3, "active"), stands(2, "active")}, at(2, 1)},
		{"Failed again", []grant.Subscription{stands(1, "past_due"), stands(2, "active"), stands(3, "past_due")}, at(2, 1)},
		{"Made good again", []grant.Subscription{stands(1, "past_due"), stands(2, "active"), stands(3, "unpaid"), stands(4, "active")}, at(4, 3)},
		{"Paused between", []grant.Subscription{stands(1, "past_due"), stands(2, "paused"), stands(3, "active")}, grant.Recovery{}},
		{"Long ago", []grant.Subscription{stands(1, "past_due"), stands(2, "active"), stands(3, "active"), stands(9, "active")}, grant.Recovery{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, hearBodies(c.bodies).Recovery()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Whatever order bodies arrive in, and however often, what is kept of them is the
// same, and no recovery of late is lost or made up.
func TestStandingsAreCommutativeAndIdempotent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		statuses := rapid.SliceOfN(rapid.SampledFrom([]string{"", "active", "active", "past_due", "unpaid", "paused"}), 1, 12).Draw(t, "statuses")
		var bodies []grant.Subscription
		for n, status := range statuses {
			if status != "" {
				bodies = append(bodies, stands(n, status))
			}
		}
		got := hearBodies(rapid.Permutation(slices.Concat(bodies, bodies)).Draw(t, "arriving"))
		if diff := cmp.Diff(hearBodies(bodies), got, cmp.Transformer("utc", time.Time.UTC)); diff != "" {
			t.Fatalf("-in order +shuffled:\n%s", diff)
		}
		if want, got := lateRecovery(bodies), got.Recovery(); want != got {
			t.Fatalf("recovery %+v, want %+v", got, want)
		}
	})
}

// lateRecovery is the rule in its plainest form: all bodies in order.
func lateRecovery(bodies []grant.Subscription) (r grant.Recovery) {
	for i := 1; i < len(bodies); i++ {
		before, now := bodies[i-1], bodies[i]
		if now.Status == "active" && !before.PastDueAt.IsZero() && bodies[len(bodies)-1].Version.At.Sub(now.Version.At) <= keep {
			r = grant.Recovery{At: now.Version.At, PastDueAt: before.PastDueAt}
		}
	}
	return r
}

func TestOfOneMomentTheLaterEnvelopeCounts(t *testing.T) {
	t.Parallel()
	early, late := stands(1, "past_due"), stands(1, "active")
	late.Version.Sent = hours(2)
	for _, bodies := range [][]grant.Subscription{{early, late}, {late, early}} {
		if all := hearBodies(bodies); len(all) != 1 || all[0].Status != "active" {
			t.Errorf("%+v", all)
		}
	}
}
