package ledger

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"fulfilld/grant"
)

func TestHoldsAreListedAsTheyStandAmongOthers(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.repositories("g", "h")
		g, err := s.take(s.look(repoKey), repository("acme/pro", 1), repository("acme/docs", 2))
		must(t, err)
		for i := range g.Holds {
			g.Holds[i].Origin = grant.FromUs
		}
		g.Holds[0].Origin, g.Holds[0].Before = grant.FromBefore, 3 // acme/docs: they are sorted
		must(t, s.Hold(t.Context(), g))
		s.done(g, grant.Outcome{Action: grant.DoGrant, State: grant.Granted})
		h := s.holding(s.look("h.github_repository"), repository("acme/pro", 4))
		s.done(h, grant.Outcome{Action: grant.DoGrant, State: grant.Granted})

		got, err := s.HoldsOf(t.Context(), repoKey)
		must(t, err)
		want := []grant.Hold{
			{Resource: repository("acme/docs", 2), Origin: grant.FromBefore, Before: 3},
			{Resource: repository("acme/pro", 1), Others: 4, Origin: grant.FromUs},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if got, err := s.HoldsOf(t.Context(), "unknown.github_repository"); len(got) != 0 || err != nil {
			t.Errorf("of none: %v, %v", got, err)
		}
	})
}
