package ledger

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"fulfilld/grant"
)

// What the tests know of Ada: nothing of it may be left once she is deleted.
var personal = []string{"ada", "Ada", "usr_1"}

func ada(v int) grant.Customer {
	return grant.Customer{
		ID: "c", OrganizationID: "org", ExternalID: "usr_1", Email: "ada@example.com", Name: "Ada",
		Body: []byte(`{"id":"c","email":"ada@example.com"}`), Version: version(v),
	}
}

func adaDeleted(v int) grant.Customer {
	c := ada(v)
	c.DeletedAt = at(v)
	return c
}

func adasMember(v int) grant.Member {
	return grant.Member{ID: "m", CustomerID: "c", Body: []byte(`{"id":"m","email":"ada.b@example.com"}`), Version: version(v)}
}

func adasSubscription(v int) grant.Subscription {
	return grant.Subscription{ID: "s", CustomerID: "c", ProductID: "p", Status: "active", Fields: []byte(`{"github":"ada"}`), Body: []byte(`{"custom_field_data":{"github":"ada"}}`), Version: version(v)}
}

func adasOrder(v int) grant.Order {
	return grant.Order{ID: "o", CustomerID: "c", ProductID: "p", Status: "paid", Fields: []byte(`{"github":"ada"}`), Version: version(v)}
}

// known lists the rows of these tables that say something of Ada.
func (s *shop) known(tables ...string) (rows []string) {
	s.t.Helper()
	dump := s.dump()
	for _, table := range tables {
		for _, row := range dump[table] {
			for _, word := range personal {
				if strings.Contains(row, word) {
					rows = append(rows, table+": "+row)
					break
				}
			}
		}
	}
	return rows
}

func (s *shop) retain() (n int64) {
	s.t.Helper()
	n, err := s.Retain(s.t.Context(), 90*day, 400*day)
	must(s.t, err)
	return n
}

func TestDeletedCustomerIsKnownByIDOnly(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		for name, all := range map[string][]grant.News{
			"Known before":            {news(ada(1)), news(adaDeleted(5))},
			"Not known before":        {news(adaDeleted(5))},
			"By an older body":        {news(ada(9)), news(adaDeleted(5))},
			"A newer body comes late": {news(ada(1)), news(adaDeleted(5)), news(ada(9))},
			"An older one":            {news(adaDeleted(5)), news(ada(1))},
			"Deleted twice":           {news(adaDeleted(5)), news(adaDeleted(6))},
		} {
			s.empty()
			s.hear(all...)
			if rows := s.known("customers"); len(rows) > 0 {
				t.Errorf("%s: %q", name, rows)
			}
			c, err := s.Customer(t.Context(), "c")
			if err != nil || c.DeletedAt.IsZero() || c.ID != "c" || c.OrganizationID != "org" || c.Body != nil {
				t.Errorf("%s: %+v, %v", name, c, err)
			}
		}
	})
}

func TestVersionsMoveOnAfterADeletion(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(adaDeleted(5), adasMember(5)), news(ada(9), adasMember(9), adasOrder(9), adasSubscription(9)))
		for _, table := range []string{"customers", "members", "orders", "subscriptions"} {
			if n := s.count(`SELECT ver_at FROM ` + table); n != at(9).UnixMicro() {
				t.Errorf("%s: version %d", table, n)
			}
		}
	})
}

func TestDeletedMemberIsKnownByIDOnly(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		gone := adasMember(5)
		gone.DeletedAt = at(5)
		for name, all := range map[string][]grant.News{
			"Known before":            {news(adasMember(1)), news(gone)},
			"Not known before":        {news(gone)},
			"A newer body comes late": {news(gone), news(adasMember(9))},
			"An older one":            {news(gone), news(adasMember(1))},
		} {
			s.empty()
			s.hear(all...)
			if rows := s.known("members"); len(rows) > 0 {
				t.Errorf("%s: %q", name, rows)
			}
		}
	})
}

func TestPurchasesForgetADeletedCustomer(t *testing.T) {
	bought := func(v int) grant.News { return news(adasMember(v), adasSubscription(v), adasOrder(v)) }
	onEachEngine(t, func(t *testing.T, s *shop) {
		for name, all := range map[string][]grant.News{
			"Bought before":           {bought(1), news(adaDeleted(5))},
			"Not known before":        {news(adaDeleted(5)), bought(1)},
			"A newer body comes late": {bought(1), news(adaDeleted(5)), bought(9)},
		} {
			s.empty()
			s.hear(all...)
			s.retain()
			if rows := s.known("members", "subscriptions", "orders"); len(rows) > 0 {
				t.Errorf("%s: %q", name, rows)
			}
			if n := s.retain(); n != 0 {
				t.Errorf("%s: once more, %d blanked", name, n)
			}
			s.hear(bought(12))
			if rows := s.known("members", "subscriptions", "orders"); len(rows) > 0 {
				t.Errorf("%s, and told again: %q", name, rows)
			}
		}
	})
}

func TestPurchasesOfOthersAreNotForgotten(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		bob := grant.Customer{ID: "bob", DeletedAt: at(5), Version: version(5)}
		s.hear(news(ada(1), adasMember(1), adasSubscription(1), adasOrder(1), bob))
		if n := s.retain(); n != 0 {
			t.Errorf("%d blanked", n)
		}
		if rows := s.known("customers", "members", "subscriptions", "orders"); len(rows) != 4 {
			t.Errorf("left: %q", rows)
		}
	})
}

func TestCustomersAreForgottenInPortions(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		var nouns []any
		for i := range retainAtOnce + 100 {
			o := adasOrder(1)
			o.ID = fmt.Sprint("o", i)
			nouns = append(nouns, o)
		}
		s.hear(news(nouns...), news(adaDeleted(5)))
		if n := s.retain(); n != retainAtOnce+100 {
			t.Errorf("%d blanked", n)
		}
	})
}

func TestADeletedCustomersAccessIsForgottenOnceItIsGone(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		g := granted("g", 1)
		g.Properties = []byte(`{"account_id":"583231"}`)
		s.hear(news(grant.Customer{ID: "c", Version: version(1)}, benefit(1), g))
		s.record(s.look(keys), grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true,
			Properties: grant.Properties{"login": "octocat"}, Class: "transient", Text: "octocat is invited"})
		s.hear(news(grant.Customer{ID: "c", DeletedAt: at(2), Version: version(2)}))
		told := func() int64 {
			return s.count(`SELECT (SELECT count(*) FROM fulfilments WHERE properties <> '') + (SELECT count(*) FROM attempts WHERE detail <> '')
				+ (SELECT count(*) FROM grants WHERE properties NOT IN ('', '{}'))`)
		}
		_, err := s.Retain(t.Context(), time.Hour, time.Hour)
		must(t, err)
		if told() != 3 {
			t.Errorf("%d places tell of them before all is taken away, want 3", told())
		}
		s.work(keys)
		_, err = s.Retain(t.Context(), time.Hour, time.Hour)
		must(t, err)
		if n := told(); n != 0 {
			t.Errorf("%d places tell of a deleted customer", n)
		}
		if n, err := s.Retain(t.Context(), time.Hour, time.Hour); err != nil || n != 0 {
			t.Errorf("blanked %d once more, %v", n, err)
		}
	})
}
