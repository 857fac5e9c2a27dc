package ledger

import (
	"slices"
	"strings"
	"testing"
	"time"

	"fulfilld/grant"
)

func TestWhatWasGrantedBeforeAnEditIsTold(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		const flag = "g.feature_flag"
		before := func(when string, want ...string) {
			t.Helper()
			all, err := s.GrantedBefore(t.Context(), "c")
			must(t, err)
			var got []string
			for id := range all {
				got = append(got, id)
			}
			if slices.Sort(got); strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("%s: %v, want %v", when, got, want)
			}
		}
		waits := func(id string) {
			t.Helper()
			s.record(s.look(id), grant.Outcome{Action: grant.DoGrant, State: grant.Waiting, Class: "action_required", DueAt: time.Now()})
		}
		s.hear(news(benefit(1, "kinds", "feature_flag"), granted("g", 1)))
		waits(flag)
		before("never granted")
		s.work(flag)
		before("granted")
		s.hear(news(benefit(2, "kinds", "feature_flag,license_keys")))
		s.spread()
		waits(flag)
		before("edited, and a kind added", flag, keys)
		s.hear(news(revoked("g", 3)))
		before("to be revoked")
		s.work(flag)
		s.work(keys)
		s.hear(news(granted("g", 4)))
		before("granted again")
		waits(flag)
		before("and waiting")
	})
}
