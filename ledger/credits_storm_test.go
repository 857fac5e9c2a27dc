package ledger

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fulfilld/grant"
)

// storm is what 8 goroutines do at once to four grants of two customers.
type storm struct {
	*shop
	overdraft bool
	inserted  atomic.Int64
}

func TestBalanceIsTheSumOfItsEntriesWhateverHappensAtOnce(t *testing.T) {
	for _, overdraft := range []bool{false, true} {
		t.Run(fmt.Sprintf("Overdraft=%v", overdraft), func(t *testing.T) {
			onEachEngine(t, func(t *testing.T, s *shop) {
				s.saver(4)
				seed := rand.Uint64()
				t.Logf("seed %d", seed)
				st := &storm{shop: s, overdraft: overdraft}
				var wg sync.WaitGroup
				for n := range uint64(8) {
					wg.Go(func() {
						r := rand.New(rand.NewPCG(seed, n))
						for range 60 {
							if err := st.step(r); err != nil {
								t.Error(err)
							}
						}
					})
				}
				wg.Wait()
				st.check()
			})
		})
	}
}

// step does one thing. Events come again and again, and so do renewals.
func (s *storm) step(r *rand.Rand) error {
	n := r.IntN(4)
	c := creditOf(n, int64(1+r.IntN(100)))
	c.MeterID, c.Rollover = []string{"api", "tokens"}[n/2], r.IntN(2) == 0
	if r.IntN(3) == 0 {
		c.Lasts = time.Duration(1+r.IntN(50)) * time.Millisecond
	}
	ctx := s.t.Context()
	switch r.IntN(10) {
	case 0, 1:
		_, err := s.Credit(ctx, c, 1)
		return err
	case 2:
		return s.Refill(ctx, c, fmt.Sprint(r.IntN(20)), 1)
	case 3:
		return s.TakeBack(ctx, c.FulfilmentID, 1)
	}
	var batch []grant.Usage
	for range 1 + r.IntN(4) {
		batch = append(batch, s.event(r.IntN(300)))
	}
	got, err := s.Consume(ctx, batch)
	s.inserted.Add(int64(got.Inserted))
	if got.Refused != nil && s.overdraft {
		return fmt.Errorf("refused: %+v", got.Refused)
	}
	return err
}

// event is always the same of one number.
func (s *storm) event(n int) grant.Usage {
	u := grant.Usage{EventID: fmt.Sprint(n), CustomerID: []string{"c", "d"}[n%2]}
	for _, meter := range []string{"api", "tokens"}[n%3/2:] {
		u.Draws = append(u.Draws, grant.Draw{MeterID: meter, Units: int64(n % 12), Overdraft: s.overdraft})
	}
	return u
}

func (s *storm) check() {
	s.t.Helper()
	for wrong, q := range map[string]string{
		"balances that are not the sum of their entries": `SELECT count(*) FROM customer_meters m
			WHERE m.credited - m.consumed <> (SELECT coalesce(sum(e.units), 0) FROM credit_entries e WHERE e.customer_meter = m.seq)`,
		"consumption that is not the sum of its entries": `SELECT count(*) FROM customer_meters m
			WHERE m.consumed <> -(SELECT coalesce(sum(e.units), 0) FROM credit_entries e WHERE e.customer_meter = m.seq AND e.kind = 'consume')`,
		"entries of which less than nothing remains": `SELECT count(*) FROM credit_entries WHERE remaining < 0`,
		"entries that were taken from twice": `SELECT count(*) FROM credit_entries e WHERE e.units > 0
			AND e.remaining > e.units + (SELECT coalesce(sum(x.units), 0) FROM credit_entries x WHERE x.source = e.id)`,
		"entries whose source is another customer's": `SELECT count(*) FROM credit_entries e JOIN credit_entries x ON x.id = e.source
			WHERE x.customer_meter <> e.customer_meter OR x.units <= 0`,
		"grants that were credited twice in one life": `SELECT count(*) FROM credit_entries e WHERE e.kind = 'grant' AND EXISTS (
			SELECT 1 FROM credit_entries x WHERE x.fulfilment_id = e.fulfilment_id AND x.kind = 'grant' AND x.id > e.id AND NOT EXISTS (
				SELECT 1 FROM credit_entries y WHERE y.fulfilment_id = e.fulfilment_id AND y.kind = 'revoke' AND y.id > e.id AND y.id < x.id))`,
	} {
		if n := s.count(q); n != 0 {
			s.t.Errorf("%d %s", n, wrong)
		}
	}
	if !s.overdraft {
		for wrong, q := range map[string]string{
			"balances that are not what remains": `SELECT count(*) FROM customer_meters m
				WHERE m.credited - m.consumed <> (SELECT coalesce(sum(e.remaining), 0) FROM credit_entries e WHERE e.customer_meter = m.seq)`,
			"entries that do not add up": `SELECT count(*) FROM credit_entries e WHERE e.units > 0
				AND e.remaining <> e.units + (SELECT coalesce(sum(x.units), 0) FROM credit_entries x WHERE x.source = e.id)`,
			"customers who are overdrawn": `SELECT count(*) FROM customer_meters WHERE credited < consumed`,
		} {
			if n := s.count(q); n != 0 {
				s.t.Errorf("%d %s", n, wrong)
			}
		}
	}
	s.checkEvents()
}

// checkEvents counts each event once, for all that it takes.
func (s *storm) checkEvents() {
	s.t.Helper()
	if n := s.count(`SELECT count(*) FROM credit_entries WHERE entry_key LIKE 'event %'`); n != s.inserted.Load() || n == 0 {
		s.t.Errorf("%d events are stored, %d were inserted", n, s.inserted.Load())
	}
	entries, _, err := s.CreditEntries(s.t.Context(), "c", grant.Page{Number: 1, Limit: 1 << 20})
	must(s.t, err)
	more, _, err := s.CreditEntries(s.t.Context(), "d", grant.Page{Number: 1, Limit: 1 << 20})
	must(s.t, err)
	var want, got int64
	for _, e := range append(entries, more...) {
		if e.Kind == grant.EntryConsume {
			got -= e.Units
		}
		if e.EventID == "" {
			continue
		}
		var n int
		if _, err := fmt.Sscan(strings.TrimSpace(e.EventID), &n); err != nil {
			s.t.Error(err)
		}
		for _, d := range s.event(n).Draws {
			want += d.Units
		}
	}
	if got != want || want == 0 {
		s.t.Errorf("%d units were consumed, the events take %d", got, want)
	}
}
