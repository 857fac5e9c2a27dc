package ledger

import (
	"fmt"
	"sync"
	"testing"

	"fulfilld/grant"
)

func saleOf(events ...grant.Usage) *sale { return &sale{events: events, done: make(chan struct{})} }

// Sales that share a transaction know nothing of each other but what is left.
func TestARefusedSaleUndoesNoNeighbour(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.saver(2)
		s.credit(creditOf(0, 10))
		s.credit(creditOf(1, 10))
		ofD := uses("three", 1)
		ofD.CustomerID = "d"
		sales := []*sale{
			saleOf(uses("one", 4)),
			saleOf(ofD, uses("two", 4), uses("one", 4), uses("four", 3)), // 3 is more than 2
			saleOf(uses("two", 5), uses("one", 9)),
			saleOf(overdraws("five", 3), uses("", 0)),
			saleOf(grant.Usage{CustomerID: "nobody", EventID: "six", Draws: ofD.Draws}, uses("seven", 0)),
			saleOf(uses("seven", 1)),
			saleOf(ofD),
		}
		must(t, s.writers.do(t.Context(), work, func(t *tx) error { return t.sell(sales) }))
		var got string
		for _, s := range sales {
			got += fmt.Sprintf("%d+%d ", s.got.Inserted, s.got.Duplicates)
			if r := s.got.Refused; r != nil {
				got += fmt.Sprintf("refused at %d with %d of %d ", r.Index, r.Balance, r.Units)
			}
		}
		const want = "1+0 0+0 refused at 3 with 2 of 3 1+1 2+0 0+0 refused at 0 with 0 of 0 0+0 refused at 0 with -2 of 1 1+0 "
		if got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
		s.tells("grant+10(0) consume-4 consume-5 consume-1 consume-2 consume+0", [3]int64{10, 12, -2})
		if n := s.count(`SELECT consumed FROM customer_meters WHERE customer_id = 'd'`); n != 1 {
			t.Errorf("d has consumed %d", n)
		}
	})
}

func TestASaleThatCannotBeStoredFailsAlone(t *testing.T) {
	t.Parallel()
	s := open(t, postgresURL(t), Options{Fast: true})
	s.saver(1)
	s.credit(creditOf(0, 10))
	sales := []*sale{saleOf(uses("one", 1)), saleOf(uses("\x00", 1)), saleOf(uses("two", 1))}
	s.writers.sell(sales)
	for i, sale := range sales {
		<-sale.done
		if (sale.err != nil) != (i == 1) {
			t.Errorf("%d: %v", i, sale.err)
		}
	}
	s.tells("grant+10(8) consume-1 consume-1", [3]int64{10, 2, 8})
}

// Many sell the last units at once: as many get some as there are.
func TestTheLastUnitsAreSoldOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.saver(1)
		s.credit(creditOf(0, 10))
		var wg sync.WaitGroup
		var mu sync.Mutex
		inserted, refused := 0, 0
		for n := range 32 {
			wg.Go(func() {
				got, err := s.Consume(t.Context(), []grant.Usage{uses(fmt.Sprint(n), 1), uses("", 0)})
				mu.Lock()
				defer mu.Unlock()
				inserted += got.Inserted / 2
				if refused += 1; got.Refused == nil || err != nil {
					refused--
				}
			})
		}
		wg.Wait()
		if inserted != 10 || refused != 22 {
			t.Errorf("%d were recorded, %d refused", inserted, refused)
		}
		if got := s.balance(); got != [3]int64{10, 10, 0} {
			t.Error(got)
		}
	})
}
