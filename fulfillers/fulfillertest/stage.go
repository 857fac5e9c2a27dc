package fulfillertest

import (
	"slices"
	"testing"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// stage is one subtest's world, with the fulfilment as the ledger would hand
// it to the worker next.
type stage struct {
	Harness
	World
	f     grant.Fulfilment
	since int64 // the generation in which it came to hold what it holds
}

// grant succeeds and is remembered as the worker remembers it.
func (s *stage) grant(t *testing.T) {
	t.Helper()
	s.f = s.owed(true)
	p, err := s.Fulfiller.Grant(t.Context(), s.f)
	if err != nil {
		t.Fatalf("Grant: %v", err)
	}
	s.f.State, s.f.Properties, s.f.Applied = grant.Granted, p, s.f.Target.Params
}

func (s *stage) revoke(t *testing.T) {
	t.Helper()
	s.f = s.owed(false)
	if err := s.Fulfiller.Revoke(t.Context(), s.f); err != nil {
		t.Fatalf("Revoke: %v", err)
	}
	s.f.State = grant.Revoked
}

// owed is the fulfilment in a generation of its own, as the worker hands it
// over: a Revoke is of holds that are let go.
func (s *stage) owed(granted bool) grant.Fulfilment {
	f := s.f
	f.Generation++
	if !granted || s.since == 0 {
		s.since = f.Generation
	}
	f.Holds = slices.Clone(s.World.Fulfilment.Holds)
	for i := range f.Holds {
		f.Holds[i].Since = s.since
		if !granted {
			f.Holds[i].Level = 0
		}
	}
	return f
}

func (s *stage) wantCount(t *testing.T, want int) {
	t.Helper()
	if got := s.Count(); got != want {
		t.Fatalf("the provider counts %d, want %d", got, want)
	}
}

// require skips a fault that a local kind cannot have.
func (s *stage) require(t *testing.T, there bool, fault string) {
	t.Helper()
	switch {
	case there:
	case s.Local:
		t.Skipf("a local kind has no %s", fault)
	default:
		t.Fatalf("the harness must set Faults.%s", fault)
	}
}

func wantClass(t *testing.T, call string, err error, want fulfillers.Class) *fulfillers.Error {
	t.Helper()
	if err == nil {
		t.Fatalf("%s: no error, want class %s", call, want)
	}
	e := fulfillers.Classify(err)
	if e.Class != want {
		t.Fatalf("%s: class %s, want %s: %v", call, e.Class, want, err)
	}
	return e
}
