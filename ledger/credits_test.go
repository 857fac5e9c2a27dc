package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fulfilld/grant"
)

// saver has customers c and d and, for each id, a grant g<n> of theirs with
// credits: of c the even ones, of d the others.
func (s *shop) saver(grants int) {
	s.t.Helper()
	all := []any{benefit(1, "kinds", "meter_credit"), customer("c", "usr_c", "c@example.com", 1), customer("d", "usr_d", "d@example.com", 1)}
	for n := range grants {
		g := granted(fmt.Sprint("g", n), 1)
		g.CustomerID, g.MemberID = []string{"c", "d"}[n%2], ""
		all = append(all, g)
	}
	s.hear(news(all...))
}

func creditOf(n int, units int64) grant.Credit {
	return grant.Credit{FulfilmentID: fmt.Sprintf("g%d.meter_credit", n), CustomerID: []string{"c", "d"}[n%2], MeterID: "api", Units: units}
}

func (s *shop) credit(c grant.Credit) grant.Credited {
	s.t.Helper()
	got, err := s.Credit(s.t.Context(), c, 1)
	must(s.t, err)
	return got
}

func uses(event string, units int64) grant.Usage {
	return grant.Usage{EventID: event, CustomerID: "c", Draws: []grant.Draw{{MeterID: "api", Units: units}}}
}

func overdraws(event string, units int64) grant.Usage {
	u := uses(event, units)
	u.Draws[0].Overdraft = true
	return u
}

func (s *shop) consume(all ...grant.Usage) grant.Consumption {
	s.t.Helper()
	got, err := s.Consume(s.t.Context(), all)
	must(s.t, err)
	return got
}

// balance is what the API shows of c's meter: credited, consumed, balance.
func (s *shop) balance() [3]int64 {
	s.t.Helper()
	all, _, err := s.CustomerMeters(s.t.Context(), grant.CustomerMeterFilter{CustomerIDs: []string{"c"}, MeterIDs: []string{"api"}}, all)
	must(s.t, err)
	if len(all) == 0 {
		return [3]int64{}
	}
	return [3]int64{all[0].Credited, all[0].Consumed, all[0].Balance()}
}

// story tells c's entries, oldest first: kind, units, and what remains of it.
func (s *shop) story() string {
	s.t.Helper()
	entries, _, err := s.CreditEntries(s.t.Context(), "c", all)
	must(s.t, err)
	var words []string
	for _, e := range slices.Backward(entries) {
		word := fmt.Sprintf("%s%+d", e.Kind, e.Units)
		if e.Units > 0 {
			word += fmt.Sprintf("(%d)", e.Remaining)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func (s *shop) tells(want string, balance [3]int64) {
	s.t.Helper()
	if got := s.story(); got != want {
		s.t.Errorf("entries: %s\n   want: %s", got, want)
	}
	if got := s.balance(); got != balance {
		s.t.Errorf("credited, consumed, balance: %v, want %v", got, balance)
	}
}

func TestAGrantIsCreditedOnceInEachOfItsLives(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.saver(1)
		c := creditOf(0, 100)
		first := s.credit(c)
		if first.Units != 100 || first.MeterID != "api" || time.Since(first.At) > time.Minute {
			t.Errorf("%+v", first)
		}
		if diff := cmp.Diff(first, s.credit(c)); diff != "" { // or the grant would seem to change
			t.Error(diff)
		}
		more := c
		more.Units = 500 // an edit of the benefit counts from the next renewal on
		if got := s.credit(more); got.Units != 100 {
			t.Errorf("%+v", got)
		}
		s.tells("grant+100(100)", [3]int64{100, 0, 100})
		for range 2 {
			must(t, s.TakeBack(t.Context(), c.FulfilmentID, 1))
		}
		s.tells("grant+100(0) revoke-100", [3]int64{0, 0, 0})
		s.credit(c)
		s.tells("grant+100(0) revoke-100 grant+100(100)", [3]int64{100, 0, 100})
	})
}

func TestTakingBackLeavesWhatWasConsumed(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.saver(3)
		s.credit(creditOf(0, 100))
		s.credit(creditOf(2, 10))
		s.consume(uses("one", 70))
		must(t, s.TakeBack(t.Context(), "g0.meter_credit", 1))
		s.tells("grant+100(0) grant+10(10) consume-70 revoke-30", [3]int64{80, 70, 10})
		s.consume(uses("two", 10))
		must(t, s.TakeBack(t.Context(), "g2.meter_credit", 1))
		s.tells("grant+100(0) grant+10(0) consume-70 revoke-30 consume-10 revoke+0", [3]int64{80, 80, 0})
		must(t, s.TakeBack(t.Context(), "g2.meter_credit", 1))
		s.credit(creditOf(2, 10))
		if got := s.balance(); got != [3]int64{90, 80, 10} {
			t.Errorf("in its next life: %v", got)
		}
	})
}

func TestARenewalRefillsOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.saver(1)
		c := creditOf(0, 100)
		must(t, s.Refill(t.Context(), c, "january", 1)) // before the grant: nothing to refill
		s.tells("", [3]int64{})
		s.credit(c)
		s.consume(uses("one", 30))
		for range 2 {
			must(t, s.Refill(t.Context(), c, "february", 1))
		}
		s.tells("grant+100(0) consume-30 lapse-70 cycle+100(100)", [3]int64{130, 30, 100})
		c.Rollover = true
		must(t, s.Refill(t.Context(), c, "march", 1))
		s.tells("grant+100(0) consume-30 lapse-70 cycle+100(100) cycle+100(100)", [3]int64{230, 30, 200})
		must(t, s.TakeBack(t.Context(), c.FulfilmentID, 1))
		must(t, s.Refill(t.Context(), c, "april", 1))
		if got := s.balance(); got != [3]int64{30, 30, 0} {
			t.Errorf("refilled after it was taken back: %v", got)
		}
	})
}

func TestRenewalAndRevocationAreShownWithTheGrant(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.saver(1)
		c := creditOf(0, 100)
		shown := func() string {
			v, err := s.Grant(t.Context(), "g0")
			must(t, err)
			return string(v.Fulfilments[0].Properties)
		}
		s.credit(c)
		must(t, s.Refill(t.Context(), c, "february", 1))
		if got := shown(); !strings.Contains(got, `"last_credited_meter_id":"api","last_credited_units":100`) || !strings.Contains(got, `+00:00"`) {
			t.Errorf("refilled: %s", got)
		}
		s.consume(uses("one", 30))
		must(t, s.TakeBack(t.Context(), c.FulfilmentID, 1))
		if got := shown(); !strings.Contains(got, `"last_credited_units":-70`) {
			t.Errorf("taken back: %s", got)
		}
	})
}

func TestAnEditToAnotherMeterFollowsTheUnits(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.saver(1)
		c := creditOf(0, 100)
		s.credit(c)
		c.MeterID = "storage"
		must(t, s.Refill(t.Context(), c, "february", 1))
		s.tells("grant+100(0) lapse-100 cycle+100(100)", [3]int64{0, 0, 0})
		must(t, s.TakeBack(t.Context(), c.FulfilmentID, 1))
		s.tells("grant+100(0) lapse-100 cycle+100(0) revoke-100", [3]int64{0, 0, 0})
	})
}

func TestWhatExpiresSoonestIsUsedFirstAndThenTheOldest(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.saver(7)
		for n, lasts := range map[int]time.Duration{2: 48 * time.Hour, 4: 24 * time.Hour} {
			c := creditOf(n, 10)
			c.Lasts = lasts
			s.credit(c)
		}
		s.credit(creditOf(0, 10))
		s.credit(creditOf(6, 10))
		s.consume(uses("one", 35))
		left := map[string]int64{}
		entries, _, err := s.CreditEntries(t.Context(), "c", all)
		must(t, err)
		for _, e := range entries {
			if e.Units > 0 {
				left[e.FulfilmentID[:2]] = e.Remaining
			}
		}
		if diff := cmp.Diff(map[string]int64{"g4": 0, "g2": 0, "g0": 0, "g6": 5}, left); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWhatHasExpiredCountsNoMoreAndLapsesWhenTouched(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.saver(3)
		c := creditOf(0, 100)
		c.Lasts = time.Hour
		s.credit(c)
		s.credit(creditOf(2, 10))
		s.exec(`UPDATE credit_entries SET expires_at = {{now}} - 1 WHERE expires_at > 0`)
		s.tells("grant+100(100) grant+10(10)", [3]int64{10, 0, 10})
		if got := s.consume(uses("one", 11)); got.Refused == nil || got.Refused.Balance != 10 {
			t.Errorf("%+v", got)
		}
		s.consume(uses("two", 4))
		s.tells("grant+100(0) grant+10(6) lapse-100 consume-4", [3]int64{10, 4, 6})
	})
}

func TestNoMoreIsConsumedThanThereIs(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.saver(1)
		want := &grant.Shortage{MeterID: "api", Units: 1}
		if diff := cmp.Diff(want, s.consume(uses("none", 1)).Refused); diff != "" {
			t.Errorf("of nothing: %s", diff)
		}
		if n := s.count(`SELECT count(*) FROM customer_meters`); n != 0 {
			t.Errorf("a refused event has made %d rows", n)
		}
		s.credit(creditOf(0, 10))
		got := s.consume(uses("one", 4), uses("two", 4), uses("three", 4))
		if diff := cmp.Diff(grant.Consumption{Refused: &grant.Shortage{Index: 2, MeterID: "api", Balance: 2, Units: 4}}, got); diff != "" {
			t.Error(diff)
		}
		s.tells("grant+10(10)", [3]int64{10, 0, 10}) // nothing of the batch
		s.consume(uses("one", 10))
		s.tells("grant+10(0) consume-10", [3]int64{10, 10, 0})
		if got := s.consume(uses("one", 10), uses("", 0)); got != (grant.Consumption{Inserted: 1, Duplicates: 1}) {
			t.Errorf("a duplicate needs no credits: %+v", got)
		}
	})
}

func TestAnEventCountsOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.saver(3)
		s.credit(creditOf(0, 5))
		s.credit(creditOf(2, 100))
		got := s.consume(uses("one", 8), uses("one", 8), uses("", 1), uses("", 1))
		if got != (grant.Consumption{Inserted: 3, Duplicates: 1}) {
			t.Errorf("%+v", got)
		}
		if got := s.consume(uses("two", 1), uses("one", 99)); got != (grant.Consumption{Inserted: 1, Duplicates: 1}) {
			t.Errorf("%+v", got)
		}
		s.tells("grant+5(0) grant+100(94) consume-5 consume-3 consume-1 consume-1 consume-1", [3]int64{105, 11, 94})
	})
}

func TestAnEventMayTakeFromSeveralMeters(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.saver(3)
		s.credit(creditOf(0, 5))
		tokens := creditOf(2, 100)
		tokens.MeterID = "tokens"
		s.credit(tokens)
		u := uses("one", 1)
		u.Draws = append(u.Draws, grant.Draw{MeterID: "tokens", Units: 101})
		if got := s.consume(u); got.Refused == nil || got.Refused.MeterID != "tokens" {
			t.Errorf("%+v", got)
		}
		s.tells("grant+5(5) grant+100(100)", [3]int64{5, 0, 5})
		u.Draws[1].Units = 99
		s.consume(u)
		s.consume(u)
		s.tells("grant+5(4) grant+100(1) consume-1 consume-99", [3]int64{5, 1, 4})
	})
}

func TestAnEventThatComesTwiceAtOnceCountsOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.saver(2)
		for round := range 10 { // each on a meter that is not there yet
			u := overdraws(fmt.Sprint("event-", round), 1)
			u.Draws[0].MeterID = fmt.Sprint("meter-", round)
			other := u
			other.CustomerID = "d"
			var wg sync.WaitGroup
			var inserted, duplicates atomic.Int64
			for n := range 8 {
				wg.Go(func() {
					got, err := s.Consume(t.Context(), []grant.Usage{[]grant.Usage{u, other}[n%2]})
					if err != nil {
						t.Error(err)
					}
					inserted.Add(int64(got.Inserted))
					duplicates.Add(int64(got.Duplicates))
				})
			}
			wg.Wait()
			if inserted.Load() != 1 || duplicates.Load() != 7 {
				t.Errorf("counted %d times, %d duplicates", inserted.Load(), duplicates.Load())
			}
		}
	})
}

func TestWhatIsOverdrawnIsPaidByTheNextCredit(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.saver(3)
		s.consume(overdraws("zero", 3))
		s.credit(creditOf(0, 10))
		s.tells("consume-3 grant+10(7)", [3]int64{10, 3, 7})
		s.consume(overdraws("one", 12))
		s.tells("consume-3 grant+10(0) consume-7 consume-5", [3]int64{10, 15, -5})
		if got := s.consume(uses("two", 1)); got.Refused == nil || got.Refused.Balance != -5 {
			t.Errorf("without overdraft: %+v", got)
		}
		s.credit(creditOf(2, 20))
		must(t, s.TakeBack(t.Context(), "g2.meter_credit", 1))
		s.tells("consume-3 grant+10(0) consume-7 consume-5 grant+20(0) revoke-15", [3]int64{15, 15, 0})
	})
}

func TestCustomersAreKnownByEitherID(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.saver(1)
		s.credit(creditOf(0, 10))
		u := uses("one", 1)
		u.CustomerID, u.ExternalCustomerID = "", "usr_c"
		if got := s.consume(u, uses("two", 1)); got.Inserted != 2 {
			t.Errorf("%+v", got)
		}
		gone := customer("c", "usr_c", "", 2)
		gone.DeletedAt = at(2)
		s.hear(news(gone))
		if got := s.consume(u); got.Duplicates != 1 {
			t.Errorf("known before the customer was deleted: %+v", got)
		}
		u.EventID = "four"
		for name, u := range map[string]grant.Usage{
			"deleted": uses("three", 1), "deleted, by the merchant's id": u,
			"unknown": {CustomerID: "nobody", Draws: u.Draws}, "without an id": {Draws: u.Draws},
		} {
			if diff := cmp.Diff(&grant.Shortage{Strangers: []int{0}}, s.consume(u).Refused); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
		got := s.consume(uses("two", 1), u, grant.Usage{CustomerID: "nobody", Draws: u.Draws}, grant.Usage{CustomerID: "d", Draws: u.Draws}, uses("five", 1))
		if diff := cmp.Diff(&grant.Shortage{Index: 1, Strangers: []int{1, 2, 4}}, got.Refused); diff != "" {
			t.Errorf("several: %s", diff)
		}
		if got := s.balance(); got != ([3]int64{}) {
			t.Errorf("of a deleted customer: %v", got)
		}
	})
}

func TestOvertakenWorkerChangesNoCredits(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.saver(1)
		c := creditOf(0, 100)
		if _, err := s.Credit(t.Context(), c, 2); !errors.Is(err, grant.ErrOvertaken) {
			t.Error(err)
		}
		s.credit(c)
		if err := s.Refill(t.Context(), c, "february", 2); !errors.Is(err, grant.ErrOvertaken) {
			t.Error(err)
		}
		if err := s.TakeBack(t.Context(), c.FulfilmentID, 2); !errors.Is(err, grant.ErrOvertaken) {
			t.Error(err)
		}
		s.tells("grant+100(100)", [3]int64{100, 0, 100})
	})
}

func TestCustomersMetersAreFilteredAndSorted(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.saver(4)
		for n, units := range []int64{40, 30, 20, 10} {
			c := creditOf(n, units)
			c.MeterID = []string{"api", "api", "tokens", "tokens"}[n]
			s.credit(c)
		}
		s.consume(grant.Usage{CustomerID: "d", Draws: []grant.Draw{{MeterID: "api", Units: 29}}})
		s.exec(`UPDATE customer_meters SET created_at = seq, modified_at = CASE WHEN consumed > 0 THEN 99 ELSE seq END`)
		named := []grant.Meter{{ID: "api", Name: "Zebra"}, {ID: "tokens", Name: "Ant"}}
		by := func(words ...string) (all []grant.Sorting) {
			for _, w := range words {
				word, descending := strings.CutPrefix(w, "-")
				all = append(all, grant.Sorting{By: word, Descending: descending})
			}
			return all
		}
		for name, tt := range map[string]struct {
			f    grant.CustomerMeterFilter
			want string
		}{
			"LastUsedFirst": {grant.CustomerMeterFilter{}, "d/api d/tokens c/tokens c/api"},
			"ByBalance":     {grant.CustomerMeterFilter{Sort: by("balance")}, "d/api d/tokens c/tokens c/api"},
			"ByCredited":    {grant.CustomerMeterFilter{Sort: by("-credited_units")}, "c/api d/api c/tokens d/tokens"},
			"ByNames":       {grant.CustomerMeterFilter{Names: named, Sort: by("meter_name", "-customer_name")}, "d/tokens c/tokens d/api c/api"},
			"ByIDs":         {grant.CustomerMeterFilter{Names: named, Sort: by("meter_id", "customer_id")}, "c/api d/api c/tokens d/tokens"},
			"ByConsumed":    {grant.CustomerMeterFilter{Sort: by("-consumed_units", "created_at")}, "d/api c/api c/tokens d/tokens"},
			"OfACustomer":   {grant.CustomerMeterFilter{ExternalCustomerIDs: []string{"usr_d"}, MeterIDs: []string{"api"}}, "d/api"},
			"OfNobody":      {grant.CustomerMeterFilter{ExternalCustomerIDs: []string{""}}, ""},
			"OfOthers":      {grant.CustomerMeterFilter{OrganizationIDs: []string{"theirs"}}, ""},
		} {
			got, total, err := s.CustomerMeters(t.Context(), tt.f, all)
			must(t, err)
			if names := ids(got, func(m grant.CustomerMeter) string { return m.Customer.ID + "/" + m.MeterID }); names != tt.want || total != int64(len(got)) {
				t.Errorf("%s: %q of %d, want %q", name, names, total, tt.want)
			}
		}
		one, _, err := s.CustomerMeters(t.Context(), grant.CustomerMeterFilter{CustomerIDs: []string{"d"}, MeterIDs: []string{"tokens"}}, all)
		must(t, err)
		got, err := s.CustomerMeter(t.Context(), one[0].ID)
		if diff := cmp.Diff(one[0], got); diff != "" || err != nil || got.MeterSince.After(got.CreatedAt) || got.Customer.Email != "d@example.com" {
			t.Errorf("%+v, %v: %s", got, err, diff)
		}
		if _, err := s.CustomerMeter(t.Context(), "none"); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	})
}
