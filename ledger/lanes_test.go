package ledger

import (
	"context"
	"fmt"
	"testing"
	"time"

	"fulfilld/grant"
)

func (s *shop) pass(who string, urgent bool, limits ...grant.Limit) time.Duration {
	s.t.Helper()
	ctx := s.t.Context()
	if who != "" {
		ctx = grant.WithCaller(ctx, who)
	}
	wait, err := s.Pass(ctx, "lane", limits, urgent)
	must(s.t, err)
	return wait
}

// near reports whether two times differ by no more than a busy machine needs.
func near(a, b time.Duration) bool { return (a - b).Abs() < 20*time.Second }

func TestLaneCountsCalls(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		hourly := grant.Limit{Calls: 3, Per: time.Hour}
		for i := range 3 {
			if wait := s.pass(fmt.Sprint(i), false, hourly); wait != 0 {
				t.Fatalf("call %d waits %s", i, wait)
			}
		}
		if wait := s.pass("", false, hourly); !near(wait, time.Hour) {
			t.Errorf("the fourth waits %s, want an hour", wait)
		}
		s.exec(`UPDATE passes SET at = at - 3600000000`)
		if wait := s.pass("", false, hourly); wait != 0 {
			t.Errorf("an hour later it waits %s", wait)
		}
	})
}

func TestWhoWaitsForALaneIsServedInOrder(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		one := grant.Limit{Calls: 1, Per: time.Hour}
		s.pass("first", false, one)
		for i, who := range []string{"second", "third"} {
			if wait := s.pass(who, false, one); !near(wait, time.Duration(i+1)*time.Hour) {
				t.Errorf("%s waits %s", who, wait)
			}
		}
		if wait := s.pass("second", false, one); !near(wait, time.Hour) {
			t.Errorf("asking again loses the place: %s", wait)
		}
		s.exec(`UPDATE passes SET at = at - 3600000000`)
		if wait := s.pass("third", false, one); !near(wait, time.Hour) {
			t.Errorf("the third goes before the second: %s", wait)
		}
		if wait := s.pass("fourth", false, one); !near(wait, 2*time.Hour) {
			t.Errorf("a newcomer waits %s, want behind those who wait", wait)
		}
		if wait := s.pass("second", false, one); wait != 0 {
			t.Errorf("its turn has come, and it waits %s", wait)
		}
	})
}

func TestUrgentCallsGoFirst(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		twenty := grant.Limit{Calls: 20, Per: time.Hour, Spare: 1}
		for i := range 19 {
			s.pass(fmt.Sprint(i), false, twenty)
		}
		if wait := s.pass("grant", false, twenty); wait == 0 {
			t.Error("a grant takes what is left to revocations")
		}
		if wait := s.pass("revoke", true, twenty); wait != 0 {
			t.Errorf("a revocation waits %s", wait)
		}
	})
}

func TestWhoDoesNotComeLosesItsPlace(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		one := grant.Limit{Calls: 1, Per: time.Hour}
		s.pass("first", false, one)
		s.pass("gone", false, one)
		s.exec(`UPDATE passes SET at = at - 3600000000 - 61000000`)
		if wait := s.pass("next", false, one); wait != 0 {
			t.Errorf("waits %s behind one that never came", wait)
		}
	})
}

func TestLaneRestsForAllDaemons(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		must(t, s.Pause(t.Context(), "lane", time.Hour, "GitHub asked for it"))
		must(t, s.Pause(t.Context(), "lane", time.Minute, "a shorter one"))
		for _, limits := range [][]grant.Limit{nil, {{Calls: 1, Per: time.Second}}} {
			wait, err := s.Pass(context.Background(), "lane", limits, true)
			if err != nil || !near(wait, time.Hour) {
				t.Errorf("with %v it waits %s, %v", limits, wait, err)
			}
		}
		resting, err := s.Resting(t.Context())
		if err != nil || len(resting) != 1 || resting[0].Name != "lane" || resting[0].Why != "GitHub asked for it" {
			t.Errorf("resting %+v, %v", resting, err)
		}
		s.exec(`UPDATE lanes SET until = {{now}}`)
		if wait := s.pass("", false); wait != 0 {
			t.Errorf("rests %s too long", wait)
		}
	})
}
