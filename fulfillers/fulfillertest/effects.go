package fulfillertest

import (
	"context"
	"encoding/json"
	"sync"
	"testing"

	"fulfilld/fulfillers"
	"fulfilld/grant"

	"github.com/google/go-cmp/cmp"
)

func grantTwice(t *testing.T, s *stage) {
	s.wantCount(t, 0)
	s.grant(t)
	s.grant(t)
	s.wantCount(t, 1)
}

// grantConcurrently lets a call lose the race, but not the customer.
func grantConcurrently(t *testing.T, s *stage) {
	var wg sync.WaitGroup
	var errs [8]error
	for i := range errs {
		wg.Go(func() { _, errs[i] = s.Fulfiller.Grant(t.Context(), s.f) })
	}
	wg.Wait()
	granted := 0
	for _, err := range errs {
		if err == nil {
			granted++
			continue
		}
		wantClass(t, "Grant", err, fulfillers.ClassTransient)
	}
	if granted == 0 {
		t.Fatalf("every Grant failed, the first with: %v", errs[0])
	}
	s.wantCount(t, 1)
}

func revokeUndoes(t *testing.T, s *stage) {
	s.grant(t)
	s.wantCount(t, 1)
	s.revoke(t)
	s.wantCount(t, 0)
}

func revokeTwice(t *testing.T, s *stage) {
	s.grant(t)
	s.revoke(t)
	s.revoke(t)
	s.wantCount(t, 0)
}

func revokeWithoutGrant(t *testing.T, s *stage) {
	s.revoke(t)
	s.wantCount(t, 0)
}

func grantAfterRevoke(t *testing.T, s *stage) {
	s.grant(t)
	s.revoke(t)
	s.grant(t)
	s.wantCount(t, 1)
}

func cancelledContext(t *testing.T, s *stage) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Fulfiller.Grant(ctx, s.f)
	wantClass(t, "Grant", err, fulfillers.ClassTransient)
	s.wantCount(t, 0)

	s.grant(t)
	wantClass(t, "Revoke", s.Fulfiller.Revoke(ctx, s.owed(false)), fulfillers.ClassTransient)
	s.revoke(t)
	s.wantCount(t, 0)
}

func checkRejects(t *testing.T, s *stage) {
	if err := s.Fulfiller.Check(s.f.Target.Params); err != nil {
		t.Errorf("Check refuses the sample: %v", err)
	}
	if len(s.Bad) == 0 {
		t.Fatal("the harness must name parameters that Check refuses")
	}
	for wrong, params := range s.Bad {
		if s.Fulfiller.Check(json.RawMessage(params)) == nil {
			t.Errorf("Check accepts %s: %s", wrong, params)
		}
	}
}

// propertiesSurvive goes the way of the ledger: what comes back from JSON must
// say the same and serve the next calls.
func propertiesSurvive(t *testing.T, s *stage) {
	s.grant(t)
	before := text(t, s.f.Properties)
	var back grant.Properties
	if err := json.Unmarshal([]byte(before), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, text(t, back)); diff != "" {
		t.Errorf("properties after a round trip (-before +after):\n%s", diff)
	}
	s.f.Properties = back
	s.grant(t)
	s.wantCount(t, 1)
	s.revoke(t)
	s.wantCount(t, 0)
}

func text(t *testing.T, p grant.Properties) string {
	t.Helper()
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatalf("properties are not JSON: %v", err)
	}
	return string(b)
}
