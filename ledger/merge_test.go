package ledger

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"fulfilld/grant"
)

// dumped says of each table which columns must not hang on the order of
// arrival. A generation counts changes; what came of it hangs on their order.
var dumped = map[string]string{
	"customers": "*", "members": "*", "seats": "*", "subscriptions": "*", "orders": "*", "refunds": "*", "products": "*", "product_benefits": "*",
	"benefits": "id, organization_id, type, description, properties, metadata, deleted_at, body, route, ver_at, ver_sent",
	"grants": `id, benefit_id, customer_id, member_id, subscription_id, order_id, source, created_at, modified_at, granted_at, revoked_at,
		first_granted_at, error, properties, previous, word, none_at, none_sent, grant_at, grant_sent, revoke_at, revoke_sent, override, override_until, ver_at, ver_sent`,
	"fulfilments": "id, state, because, wanted, CASE WHEN due_at > 0 THEN 1 ELSE 0 END",
	"cycles":      "grant_id, kind, cycle_key, done_at",
}

// dump is every row, in an order of its own.
func (s *shop) dump() map[string][]string {
	s.t.Helper()
	all := map[string][]string{}
	for table, columns := range dumped {
		rows, err := s.read.QueryContext(s.t.Context(), `SELECT `+columns+` FROM `+table)
		if err != nil {
			s.t.Fatal(err)
		}
		names, _ := rows.Columns()
		all[table], err = collect(rows, func(r rowScanner) (string, error) {
			values, into := make([]any, len(names)), make([]any, len(names))
			for i := range values {
				into[i] = &values[i]
			}
			err := r.Scan(into...)
			return withoutSpecVersion(fmt.Sprint(values)), err
		})
		if err != nil {
			s.t.Fatal(err)
		}
		slices.Sort(all[table])
	}
	return all
}

// withoutSpecVersion blanks how often a route has changed, in a fulfilment's wanted.
func withoutSpecVersion(row string) string {
	before, after, ok := strings.Cut(row, " granted/")
	if !ok {
		return row
	}
	_, rest, _ := strings.Cut(after, "/")
	return before + " granted/-/" + rest
}

// arrive applies all news in some order, in batches, some of it twice.
func (s *shop) arrive(order *rand.Rand, all []grant.News) {
	s.t.Helper()
	twice := append(append([]grant.News{}, all...), all[:len(all)/2]...)
	order.Shuffle(len(twice), func(i, j int) { twice[i], twice[j] = twice[j], twice[i] })
	for len(twice) > 0 {
		n := 1 + order.IntN(len(twice))
		s.hear(twice[:n]...)
		twice = twice[n:]
	}
	s.spread()
}

// empty forgets everything, and so do the writers.
func (s *shop) empty() {
	s.t.Helper()
	var all, done sync.WaitGroup
	all.Add(s.engine.writers)
	for range s.engine.writers {
		done.Go(func() {
			must(s.t, s.writers.do(s.t.Context(), work, func(t *tx) error {
				all.Done()
				all.Wait()
				clear(t.seen)
				return nil
			}))
		})
	}
	done.Wait()
	must(s.t, s.writers.do(s.t.Context(), work, func(t *tx) error {
		for table := range dumped {
			if _, err := t.exec(`DELETE FROM ` + table); err != nil {
				return err
			}
		}
		return nil
	}))
}

// story is everything that may happen around one grant.
func story() []grant.News {
	withoutScope := granted("g", 7)
	withoutScope.SubscriptionID, withoutScope.MemberID = "", ""
	withoutScope.Properties = []byte(`{"account_id":"583231"}`)
	cycled := granted("g", 3)
	cycled.Cycle = "2024-02-01"
	late := granted("g", 2)
	late.Cycle = "2024-01-01"
	return []grant.News{
		news(benefit(1, "kinds", "license_keys,meter_credit", "grace", "1h")),
		news(benefit(2, "kinds", "license_keys,meter_credit", "grace", "1h", "note", "edited")),
		news(granted("g", 1), grant.Customer{ID: "c", Email: "a@example.com", Version: version(1)}),
		news(cycled), news(late),
		news(said("g", 4, grant.SaysNone)),
		news(revoked("g", 5)), news(granted("g", 6)), news(withoutScope),
		news(said("h", 2, grant.SaysNone)), news(granted("h", 3)), news(revoked("h", 3)),
		news(grant.Customer{ID: "c", Email: "b@example.com", Version: version(2)}),
		news(grant.Member{ID: "m", CustomerID: "c", Version: version(1)}),
		news(grant.Subscription{ID: "s", CustomerID: "c", ProductID: "p", Status: "active", Version: version(1)}),
		news(grant.Subscription{ID: "s", CustomerID: "c", ProductID: "p", Status: "past_due", PastDueAt: at(2), Version: version(2)}),
		news(grant.Product{ID: "p", Benefits: []string{"b", "b2"}, Version: version(1)}),
		news(grant.Product{ID: "p", Benefits: []string{"b"}, Version: version(2)}),
		news(grant.Order{ID: "o", SubscriptionID: "s", Status: "paid", Total: 100, Version: version(1)}),
		news(grant.Refund{ID: "r", OrderID: "o", Status: "pending", Amount: 50, Version: version(1)}),
		news(grant.Refund{ID: "r", OrderID: "o", Status: "succeeded", Amount: 50, Version: version(2)}),
		news(grant.Seat{ID: "seat", SubscriptionID: "s", MemberID: "m", Status: "claimed", Version: version(1)}),
		news(grant.Seat{ID: "seat", SubscriptionID: "s", Status: "revoked", RevokedAt: at(2), Version: version(2)}),
		news(grant.Seat{ID: "seat", SubscriptionID: "s", MemberID: "m2", Status: "claimed", Version: version(3)}),
		news(grant.Seat{ID: "seat2", SubscriptionID: "s", MemberID: "m", Status: "claimed", Version: version(4)}),
		news(grant.Member{ID: "m", CustomerID: "c", DeletedAt: at(9), Version: version(9)}),
		news(grant.Benefit{ID: "b2", DeletedAt: at(9), Version: version(9)}),
		news(grant.Customer{ID: "c2", DeletedAt: at(9), Version: version(9)}),
	}
}

func TestOrderOfArrivalDoesNotMatter(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		all := story()
		rounds := 6
		if s.Engine() == "postgres" {
			rounds = 3
		}
		for what, part := range map[string][]grant.News{"everything": all, "without tombstones": all[:len(all)-3]} {
			s.empty()
			for _, n := range part { // as it happened
				s.hear(n)
			}
			s.spread()
			want := s.dump()
			for seed := range rounds {
				s.empty()
				s.arrive(rand.New(rand.NewPCG(uint64(seed), 0)), part)
				if diff := cmp.Diff(want, s.dump()); diff != "" {
					t.Fatalf("%s, seed %d: -as it happened +shuffled:\n%s", what, seed, diff)
				}
			}
		}
	})
}

// A part of a story arrives in two orders.
func TestAnyPartArrivesInAnyOrder(t *testing.T) {
	t.Parallel()
	s := open(t, sqliteURL(t), Options{Fast: true})
	rapid.Check(t, func(rt *rapid.T) {
		part := rapid.SliceOfNDistinct(rapid.IntRange(0, len(story())-1), 1, 9, rapid.ID[int]).Draw(rt, "part")
		var all []grant.News
		for _, i := range part {
			all = append(all, story()[i])
		}
		var dumps []map[string][]string
		for _, seed := range []uint64{rapid.Uint64().Draw(rt, "one"), rapid.Uint64().Draw(rt, "other")} {
			s.empty()
			s.arrive(rand.New(rand.NewPCG(seed, 0)), all)
			dumps = append(dumps, s.dump())
		}
		if diff := cmp.Diff(dumps[0], dumps[1]); diff != "" {
			rt.Fatalf("-one order +another:\n%s", diff)
		}
	})
}
