package tasks_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"fulfilld/grant"
)

// many sells to n customers, each with an account of their own.
func (s *school) many(n int) (doors map[string]int) {
	s.Helper()
	doors = map[string]int{}
	s.params["b"] = rooms{[]string{"lab"}, 1}
	for i := range n {
		customer := fmt.Sprint("c", i)
		g := s.grant(fmt.Sprint("g", i), customer, grant.SaysGranted)
		g.BenefitID = "b"
		s.hear(grant.News{
			Customers: []grant.Customer{{ID: customer, Version: now()}},
			Benefits:  []grant.Benefit{{ID: "b", Type: "custom", Version: grant.Version{At: time.Unix(1, 0)}}},
			Grants:    []grant.Grant{g},
		})
		s.link(customer, customer)
		doors[customer+" lab"] = 1
	}
	s.until(doors)
	return doors
}

func (s *school) spread() {
	s.Helper()
	for more := true; more; {
		var err error
		if _, more, err = s.ledger.Spread(s.Context(), 100); err != nil {
			s.Fatal(err)
		}
	}
}

func TestAMassOfRemovalsByAnEditStopsAndAsks(t *testing.T) {
	s := newSchool(t)
	doors := s.many(40)
	s.params["b"] = rooms{[]string{"hall"}, 1}
	if _, err := s.ledger.Reroute(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.spread()
	s.work()
	inLab := 0
	for door := range s.open() {
		if _, ok := doors[door]; ok {
			inLab++
		}
	}
	if len(s.open())-inLab != 40 || inLab != 40-maxRemovals {
		t.Errorf("%d in the hall, %d left in the lab; want 40 and %d", len(s.open())-inLab, inLab, 40-maxRemovals)
	}
	waiting, err := s.ledger.Unapproved(t.Context())
	if err != nil || len(waiting) != 1 || waiting[0].Name != "campus:lab" {
		t.Fatalf("waits for approval: %+v, %v", waiting, err)
	}
	due, err := s.ledger.Approve(t.Context(), "campus", "lab")
	if err != nil || len(due) != 40-maxRemovals {
		t.Fatalf("approved: %d due, %v", len(due), err)
	}
	want := map[string]int{}
	for i := range 40 {
		want[fmt.Sprintf("c%d hall", i)] = 1
	}
	s.until(want)
	if _, err := s.ledger.Approve(t.Context(), "campus", "lab"); !errors.Is(err, grant.ErrNotFound) {
		t.Errorf("approved what does not wait: %v", err)
	}
}

func TestADeletedBenefitTakesAllAccessAway(t *testing.T) {
	s := newSchool(t)
	s.many(200)
	s.hear(grant.News{Benefits: []grant.Benefit{{ID: "b", Type: "custom", DeletedAt: time.Now(), Version: now()}}})
	s.spread()
	s.until(map[string]int{})
}

func TestTheShopsWordIsNeverHeld(t *testing.T) {
	s := newSchool(t)
	s.many(40)
	s.closed = true
	if _, err := s.ledger.Reroute(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.spread()
	s.work()
	if n := len(s.open()); n != 40-maxRemovals {
		t.Fatalf("%d are left in the lab, want %d", n, 40-maxRemovals)
	}
	for i := range 40 {
		g := s.grant(fmt.Sprint("g", i), fmt.Sprint("c", i), grant.SaysRevoked)
		g.BenefitID = "b"
		s.hear(grant.News{Grants: []grant.Grant{g}})
	}
	s.until(map[string]int{})
}

func TestManySingleRevocationsAreNeverHeld(t *testing.T) {
	s := newSchool(t)
	s.many(40)
	for i := range 40 {
		g := s.grant(fmt.Sprint("g", i), fmt.Sprint("c", i), grant.SaysRevoked)
		g.BenefitID = "b"
		s.hear(grant.News{Grants: []grant.Grant{g}})
	}
	s.until(map[string]int{})
}
