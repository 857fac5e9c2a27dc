package ledger

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fulfilld/grant"
)

// all is a page that holds everything.
var all = grant.Page{Number: 1, Limit: 100}

func customer(id, external, email string, v int) grant.Customer {
	return grant.Customer{ID: id, OrganizationID: "org", ExternalID: external, Email: email, Name: "The " + id, Body: []byte(`{"id":"` + id + `"}`), Version: version(v)}
}

func namedBenefit(id, typ, description string, v int, metadata ...string) grant.Benefit {
	b := benefit(v, metadata...)
	b.ID, b.OrganizationID, b.Type, b.Description = id, "org", typ, description
	b.Body = fmt.Appendf(nil, `{"id":%q,"created_at":%q}`, id, at(v).Format("2006-01-02T15:04:05Z"))
	return b
}

// grantOf is the grant of a benefit to a customer, created at minute v.
func grantOf(id, benefit, customer string, v int) grant.Grant {
	g := granted(id, v)
	g.BenefitID, g.CustomerID, g.MemberID, g.CreatedAt, g.GrantedAt = benefit, customer, "", at(v), at(100-v)
	return g
}

// ids names what was listed, in order.
func ids[T any](list []T, id func(T) string) string {
	var names []string
	for _, v := range list {
		names = append(names, id(v))
	}
	return strings.Join(names, " ")
}

// stock fills the ledger with three customers, two benefits and four grants:
// g1 granted, g2 failed in one kind and granted in another, g3 revoking, g4
// just due.
func stock(t *testing.T, s *shop) {
	t.Helper()
	s.hear(
		news(customer("c1", "usr_1", "Ada@example.com", 1)), news(customer("c2", "", "ada.b%x@example.org", 3)), news(customer("c3", "usr_3", "bob@example.com", 2)),
		news(namedBenefit("b1", "license_keys", "Pro 100%", 1)), news(namedBenefit("b2", "custom", "a Chat", 2, "kinds", "chat,lamp")),
		news(grantOf("g1", "b1", "c1", 1), grantOf("g2", "b2", "c1", 2), grantOf("g3", "b1", "c2", 3), grantOf("g4", "b1", "c3", 4)),
	)
	s.work("g1.license_keys")
	s.work("g2.chat")
	h := s.look("g2.lamp")
	s.record(h, grant.Outcome{Action: grant.DoGrant, State: grant.Failed, Attempts: 1, Since: at(5), Class: "permanent", Code: "no_lamp", Text: "there is no lamp"})
	s.work("g3.license_keys")
	end := said("g3", 9, grant.SaysRevoked)
	end.BenefitID, end.CustomerID, end.MemberID, end.CreatedAt = "b1", "c2", "", at(3)
	s.hear(news(end))
}

func TestGrantsAreFilteredAndSorted(t *testing.T) {
	yes, no := true, false
	tests := []struct {
		name string
		f    grant.GrantFilter
		want string
	}{
		{"NewestFirst", grant.GrantFilter{}, "g4 g3 g2 g1"},
		{"OldestFirst", grant.GrantFilter{Sort: []grant.Sorting{{By: "created_at"}}}, "g1 g2 g3 g4"},
		{"ByGrantedAt", grant.GrantFilter{Sort: []grant.Sorting{{By: "granted_at", Descending: true}}}, "g1 g2 g4 g3"},
		{"UnknownSortingIsTheDefault", grant.GrantFilter{Sort: []grant.Sorting{{By: "id; DROP TABLE grants"}}}, "g4 g3 g2 g1"},
		{"OfABenefit", grant.GrantFilter{BenefitIDs: []string{"b1"}}, "g4 g3 g1"},
		{"OfTwoCustomers", grant.GrantFilter{CustomerIDs: []string{"c1", "c3"}}, "g4 g2 g1"},
		{"OfAnExternalCustomer", grant.GrantFilter{ExternalCustomerIDs: []string{"usr_1", ""}}, "g2 g1"},
		{"OfAMember", grant.GrantFilter{MemberIDs: []string{"m"}}, ""},
		{"OfAnOrganization", grant.GrantFilter{OrganizationIDs: []string{"org"}}, "g4 g3 g2 g1"},
		{"OfAnotherOrganization", grant.GrantFilter{OrganizationIDs: []string{"theirs"}}, ""},
		{"TheShopSaysGranted", grant.GrantFilter{Granted: &yes}, "g4 g2 g1"},
		{"TheShopSaysOtherwise", grant.GrantFilter{Granted: &no}, "g3"},
		{"Failed", grant.GrantFilter{States: []grant.State{grant.Failed}}, "g2"},
		{"GrantedIsOnlyWhoHasNothingWorse", grant.GrantFilter{States: []grant.State{grant.Granted}}, "g1"},
		{"TwoStates", grant.GrantFilter{States: []grant.State{grant.Pending, grant.Revoking}}, "g4 g3"},
		{"NoSuchState", grant.GrantFilter{States: []grant.State{grant.Unmanaged}}, ""},
		{"AllConditionsHold", grant.GrantFilter{CustomerIDs: []string{"c1"}, BenefitIDs: []string{"b1"}, Granted: &yes}, "g1"},
	}
	onEachEngine(t, func(t *testing.T, s *shop) {
		stock(t, s)
		for _, tt := range tests {
			got, total, err := s.Grants(t.Context(), tt.f, all)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			names := ids(got, func(v grant.View) string { return v.ID })
			if names != tt.want || total != int64(len(got)) {
				t.Errorf("%s: got %q of %d, want %q", tt.name, names, total, tt.want)
			}
		}
	})
}

func TestPagesDoNotOverlap(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		var gs []any
		for i := range 7 { // all created at the same moment
			gs = append(gs, granted(fmt.Sprint("g", i), 1))
		}
		s.hear(news(benefit(1)), news(gs...))
		var seen []string
		for page := 1; page <= 4; page++ {
			got, total, err := s.Grants(t.Context(), grant.GrantFilter{}, grant.Page{Number: page, Limit: 3})
			if err != nil || total != 7 {
				t.Fatalf("page %d: %d in all, %v", page, total, err)
			}
			seen = append(seen, ids(got, func(v grant.View) string { return v.ID }))
		}
		if diff := cmp.Diff([]string{"g6 g5 g4", "g3 g2 g1", "g0", ""}, seen); diff != "" {
			t.Error(diff)
		}
	})
}

func TestGrantIsShownWithItsJournal(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		stock(t, s)
		v, err := s.Grant(t.Context(), "g2")
		if err != nil {
			t.Fatal(err)
		}
		if v.State != grant.Failed || v.Customer.Email != "Ada@example.com" || string(v.Benefit.Body) == "" || v.Member != nil || len(v.Fulfilments) != 2 {
			t.Errorf("grant %+v", v)
		}
		chat, lamp := v.Fulfilments[0], v.Fulfilments[1]
		if chat.Kind != "chat" || chat.State != grant.Granted || chat.DoneAt.IsZero() || chat.LastError != (grant.Trouble{}) || len(chat.Journal) != 1 {
			t.Errorf("chat %+v", chat)
		}
		want := grant.Trouble{Class: "permanent", Code: "no_lamp", Text: "there is no lamp"}
		if lamp.State != grant.Failed || lamp.Attempts != 1 || lamp.LastError != want || !lamp.DueAt.IsZero() || len(lamp.Journal) != 1 {
			t.Fatalf("lamp %+v", lamp)
		}
		if a := lamp.Journal[0]; a.Trouble != want || a.Count != 1 || a.Action != grant.DoGrant || a.Last.IsZero() {
			t.Errorf("attempt %+v", a)
		}
		if _, err := s.Grant(t.Context(), "g"); !errors.Is(err, ErrNotFound) {
			t.Errorf("a grant that is not there: %v", err)
		}
	})
}

func TestGrantOfAnUnknownBenefitIsUnmanaged(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(grantOf("g", "nowhere", "nobody", 1)))
		got, _, err := s.Grants(t.Context(), grant.GrantFilter{States: []grant.State{grant.Unmanaged}}, all)
		if err != nil || len(got) != 1 || got[0].State != grant.Unmanaged || got[0].Customer.Body != nil || got[0].Benefit.ID != "nowhere" {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestWorkIsCounted(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		stock(t, s)
		s.exec(`UPDATE fulfilments SET due_at = {{now}} - 70000000 WHERE id = 'g4.license_keys'`)
		states, err := s.FulfilmentStates(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := map[[2]string]int64{
			{"license_keys", "granted"}: 1, {"license_keys", "revoking"}: 1, {"license_keys", "pending"}: 1,
			{"chat", "granted"}: 1, {"lamp", "failed"}: 1,
		}
		if diff := cmp.Diff(want, states); diff != "" {
			t.Error(diff)
		}
		loads, err := s.Overdue(t.Context())
		if diff := cmp.Diff(map[string]grant.Workload{"license_keys": {Due: 2, Overdue: 1}}, loads); diff != "" || err != nil {
			t.Error(diff, err)
		}
	})
}
