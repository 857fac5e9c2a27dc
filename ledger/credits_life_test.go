package ledger

import (
	"fmt"
	"testing"
	"time"

	"fulfilld/grant"
)

func cycleAt(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z07:00") }

func TestARenewalThatComesAfterALaterOneAddsNothingWithoutRollover(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.saver(1)
		c := creditOf(0, 100)
		s.credit(c)
		must(t, s.Refill(t.Context(), c, cycleAt(at(5)), 1))
		s.consume(uses("one", 40))
		must(t, s.Refill(t.Context(), c, cycleAt(at(2)), 1))
		s.tells("grant+100(0) lapse-100 cycle+100(60) consume-40", [3]int64{100, 40, 60})
		must(t, s.Refill(t.Context(), c, cycleAt(at(6)), 1))
		s.tells("grant+100(0) lapse-100 cycle+100(0) consume-40 lapse-60 cycle+100(100)", [3]int64{140, 40, 100})
	})
}

// What ends by the operator's word and begins again is as much of a new life.
func TestRenewalsFromBeforeALifeThatTheShopDidNotEndRefillNothing(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.saver(1)
		c := creditOf(0, 100)
		c.Rollover = true
		refill := func(at time.Time) { must(t, s.Refill(t.Context(), c, cycleAt(at), 1)) }
		began := time.Now()
		s.credit(c)
		must(t, s.TakeBack(t.Context(), c.FulfilmentID, 1))
		meanwhile := time.Now()
		s.credit(c)
		refill(began)
		refill(meanwhile)
		s.tells("grant+100(0) revoke-100 grant+100(100)", [3]int64{100, 0, 100})
		refill(time.Now())
		s.tells("grant+100(0) revoke-100 grant+100(100) cycle+100(100)", [3]int64{200, 0, 200})
	})
}

// A grant that was revoked and granted again before anybody looked is credited
// once more, with what was renewed since; what was consumed stays consumed.
func TestALifeThatNobodySawEndIsEnded(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.saver(1)
		c := creditOf(0, 100)
		c.Rollover = true
		s.credit(c)
		must(t, s.Refill(t.Context(), c, cycleAt(at(5)), 1))
		must(t, s.Refill(t.Context(), c, cycleAt(at(2)), 1))
		s.consume(uses("one", 130))
		s.exec(`UPDATE grants SET word = 'granted', revoke_at = $1, grant_at = $2`, micros(at(3)), micros(at(4)))
		const after = "grant+100(0) cycle+100(0) cycle+100(0) consume-100 consume-30 revoke-70 revoke-100 grant+100(100) cycle+100(100)"
		for range 2 {
			s.credit(c)
			s.tells(after, [3]int64{330, 130, 200})
		}
		for _, late := range []int{2, 3, 5} {
			must(t, s.Refill(t.Context(), c, cycleAt(at(late)), 1))
		}
		s.tells(after, [3]int64{330, 130, 200})
	})
}

// The shop revokes for a failed payment, too, which may be forgiven.
func TestARevokeThatIsForgivenEndsNoLife(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.saver(1)
		s.hear(news(benefit(9, "kinds", "meter_credit", "grace", "1h")))
		s.spread()
		c, generation := creditOf(0, 100), s.count(`SELECT generation FROM fulfilments`)
		credit := func() {
			t.Helper()
			_, err := s.Credit(t.Context(), c, generation)
			must(t, err)
		}
		credit()
		s.exec(`UPDATE grants SET word = 'granted', revoke_at = $1, grant_at = $2`, micros(at(3)), micros(at(4)))
		credit()
		must(t, s.Refill(t.Context(), c, cycleAt(at(2)), generation))
		s.tells("grant+100(0) lapse-100 cycle+100(100)", [3]int64{100, 0, 100})
	})
}

// The benefit asks for credits only after it was renewed.
func TestCreditsThatAreAskedForLaterAreThoseOfThePeriod(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		s.work(keys)
		for v := range 3 {
			g := granted("g", 2+v)
			g.Cycle = fmt.Sprint("2024-0", 1+v)
			s.hear(news(g))
		}
		s.hear(news(benefit(2, "kinds", "license_keys,meter_credit")))
		s.spread()
		if h := s.look("g.meter_credit"); len(h.Cycles) != 0 || h.Verdict.Desired != grant.OwedGranted {
			t.Errorf("%v of %+v", h.Cycles, h.Verdict)
		} else {
			s.record(h, grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true})
		}
		g := granted("g", 9)
		g.Cycle = "2024-04"
		s.hear(news(g))
		if h := s.look("g.meter_credit"); len(h.Cycles) != 1 {
			t.Errorf("renewed since: %v", h.Cycles)
		}
	})
}
