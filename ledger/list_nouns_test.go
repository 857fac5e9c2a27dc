package ledger

import (
	"errors"
	"strings"
	"testing"
	"time"

	"fulfilld/grant"
)

func TestBenefitsAreFilteredAndSorted(t *testing.T) {
	tests := []struct {
		name string
		f    grant.BenefitFilter
		want string
	}{
		{"NewestFirst", grant.BenefitFilter{}, "b2 b1"},
		{"OldestFirst", grant.BenefitFilter{Sort: []grant.Sorting{{By: "created_at"}}}, "b1 b2"},
		{"ByDescription", grant.BenefitFilter{Sort: []grant.Sorting{{By: "type", Descending: true}, {By: "description"}}}, "b1 b2"},
		{"OfAType", grant.BenefitFilter{Types: []string{"custom"}}, "b2"},
		{"Named", grant.BenefitFilter{IDs: []string{"b1", "b3"}}, "b1"},
		{"AllBut", grant.BenefitFilter{ExcludeIDs: []string{"b1"}}, "b2"},
		{"PartOfTheDescription", grant.BenefitFilter{Query: "CHAT"}, "b2"},
		{"APercentSignIsText", grant.BenefitFilter{Query: "0%"}, "b1"},
		{"AnUnderscoreIsText", grant.BenefitFilter{Query: "_"}, ""},
		{"OfAnotherOrganization", grant.BenefitFilter{OrganizationIDs: []string{"theirs"}}, ""},
	}
	onEachEngine(t, func(t *testing.T, s *shop) {
		stock(t, s)
		gone := namedBenefit("b4", "custom", "gone", 4)
		gone.DeletedAt, gone.Body = at(4), nil
		s.hear(news(gone))
		for _, tt := range tests {
			got, total, err := s.Benefits(t.Context(), tt.f, all)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			if names := ids(got, func(b grant.Benefit) string { return b.ID }); names != tt.want || total != int64(len(got)) {
				t.Errorf("%s: got %q of %d, want %q", tt.name, names, total, tt.want)
			}
		}
		b, err := s.Benefit(t.Context(), "b4")
		if err != nil || !b.DeletedAt.Equal(at(4)) {
			t.Errorf("a deleted benefit: %+v, %v", b, err)
		}
		if _, err := s.Benefit(t.Context(), "b5"); !errors.Is(err, ErrNotFound) {
			t.Errorf("a benefit that is not there: %v", err)
		}
	})
}

func TestCustomersAreFoundByIDExternalIDAndEmail(t *testing.T) {
	tests := []struct{ query, want string }{
		{"", "c2 c3 c1"}, {"c3", "c3"}, {"usr_1", "c1"}, {"ADA", "c2 c1"}, {"ada@example.com", "c1"}, {"ada.b%", "c2"}, {"a%", ""}, {"example", ""},
	}
	onEachEngine(t, func(t *testing.T, s *shop) {
		stock(t, s)
		gone := customer("c4", "usr_4", "gone@example.com", 4)
		gone.DeletedAt = at(4)
		s.hear(news(gone))
		for _, tt := range tests {
			got, total, err := s.Customers(t.Context(), grant.CustomerFilter{Query: tt.query}, all)
			if err != nil {
				t.Fatal(err)
			}
			if names := ids(got, func(c grant.Customer) string { return c.ID }); names != tt.want || total != int64(len(got)) {
				t.Errorf("%q: got %q of %d, want %q", tt.query, names, total, tt.want)
			}
		}
		c, err := s.Customer(t.Context(), "c4")
		if err != nil || c.DeletedAt.IsZero() || c.ExternalID != "" {
			t.Errorf("a deleted customer: %+v, %v", c, err)
		}
	})
}

func TestLicenseKeysAreFilteredAndWhole(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		stock(t, s)
		five := int64(5)
		for i, id := range []string{"k1.license_keys", "k2.license_keys", "k3.license_keys", "k4.license_keys"} {
			s.born(id)
			g := granted(id[:2], 1)
			g.CustomerID, g.MemberID, g.BenefitID = "c1", "m"+id[1:2], "unrouted"
			s.hear(news(g))
			if _, err := s.IssueLicenseKey(t.Context(), grant.LicenseKey{
				FulfilmentID: id, BenefitID: "b1", CustomerID: "c1", OrganizationID: "org", Key: "SECRET-" + id[:2], DisplayKey: "****-" + id[:2], LimitUsage: &five,
			}, 1); err != nil {
				t.Fatal(err)
			}
			s.exec(`UPDATE license_keys SET created_at = $2 WHERE id = $1`, licenseID(id), micros(at(i)))
		}
		s.exec(`UPDATE license_keys SET merchant_status = 'disabled' WHERE id = $1`, licenseID("k2.license_keys"))
		s.exec(`UPDATE license_keys SET merchant_status = 'revoked' WHERE id = $1`, licenseID("k3.license_keys"))
		if err := s.RevokeLicenseKey(t.Context(), "k4.license_keys", 1); err != nil {
			t.Fatal(err)
		}
		tests := []struct {
			f    grant.LicenseKeyFilter
			want string
		}{
			{grant.LicenseKeyFilter{}, "k1 k2 k3 k4"},
			{grant.LicenseKeyFilter{Sort: []grant.Sorting{{By: "created_at", Descending: true}}}, "k4 k3 k2 k1"},
			{grant.LicenseKeyFilter{Statuses: []string{"granted"}}, "k1"},
			{grant.LicenseKeyFilter{Statuses: []string{"disabled", "granted"}}, "k1 k2"},
			{grant.LicenseKeyFilter{Statuses: []string{"revoked"}}, "k3 k4"},
			{grant.LicenseKeyFilter{Statuses: []string{"other"}}, ""},
			{grant.LicenseKeyFilter{BenefitIDs: []string{"b2"}}, ""},
			{grant.LicenseKeyFilter{CustomerIDs: []string{"c1"}, Statuses: []string{"granted"}}, "k1"},
			{grant.LicenseKeyFilter{CustomerIDs: []string{"c2"}}, ""},
			{grant.LicenseKeyFilter{CustomerIDs: []string{"c1"}, MemberIDs: []string{"m3"}}, "k3"},
			{grant.LicenseKeyFilter{CustomerIDs: []string{"c2"}, MemberIDs: []string{"m3"}}, ""},
			{grant.LicenseKeyFilter{OrganizationIDs: []string{"org"}, BenefitIDs: []string{"b1"}, Statuses: []string{"granted"}}, "k1"},
		}
		for _, tt := range tests {
			got, total, err := s.LicenseKeys(t.Context(), tt.f, all)
			if err != nil {
				t.Fatal(err)
			}
			if names := ids(got, func(k grant.LicenseKeyView) string { return strings.TrimSuffix(k.FulfilmentID, ".license_keys") }); names != tt.want || total != int64(len(got)) {
				t.Errorf("%+v: got %q of %d, want %q", tt.f, names, total, tt.want)
			}
			for _, k := range got {
				if !strings.HasPrefix(k.Key, "SECRET-k") || k.DisplayKey == "" || *k.LimitUsage != 5 || k.Customer.Email != "Ada@example.com" || string(k.Customer.Body) == "" {
					t.Errorf("listed %+v", k)
				}
			}
		}
	})
}

func TestACustomersMembersAreThoseWhoAreThere(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		gone := grant.Member{ID: "m3", CustomerID: "c", DeletedAt: at(3), Version: version(3)}
		s.hear(news(grant.Member{ID: "m1", CustomerID: "c", Body: []byte(`{"external_id":"emp_1"}`), Version: version(1)},
			grant.Member{ID: "m2", CustomerID: "c", Version: version(2)}, gone, grant.Member{ID: "m4", CustomerID: "other", Version: version(4)}))
		got, err := s.MembersOf(t.Context(), "c")
		if err != nil || len(got) != 2 || got[0].ID != "m2" || got[1].ID != "m1" || got[1].CustomerID != "c" || string(got[1].Body) != `{"external_id":"emp_1"}` {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestEventsAreListedWithoutTheirBodies(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.say(news(benefit(1)))
		s.apply()
		s.say(news(benefit(2)))
		second, _, err := s.Events(t.Context(), grant.EventFilter{}, grant.Page{Number: 1, Limit: 1})
		if err != nil || len(second) != 1 || second[0].ID != "msg_2" || second[0].Body != nil {
			t.Errorf("got %+v, %v", second, err)
		}
		for _, tt := range []struct {
			f    grant.EventFilter
			want string
		}{
			{grant.EventFilter{States: []grant.EventState{grant.EventApplied}}, "msg_1"},
			{grant.EventFilter{Types: []string{"test"}}, "msg_2 msg_1"},
			{grant.EventFilter{Types: []string{"other"}, States: []grant.EventState{grant.EventApplied}}, ""},
		} {
			got, total, err := s.Events(t.Context(), tt.f, all)
			if names := ids(got, func(ev grant.Event) string { return ev.ID }); err != nil || names != tt.want || total != int64(len(got)) {
				t.Errorf("%+v: got %q of %d, want %q, %v", tt.f, names, total, tt.want, err)
			}
		}
	})
}

func TestEventIsShownWithItsBodyWhileThatIsKept(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.say(news(benefit(1)))
		ev, err := s.Event(t.Context(), "msg_1")
		if err != nil || string(ev.Body) != "{msg_1}" || ev.Source != "polar" || time.Since(ev.ReceivedAt) > time.Minute {
			t.Errorf("got %+v, %v", ev, err)
		}
		s.exec(`DELETE FROM bodies`)
		if ev, err = s.Event(t.Context(), "msg_1"); err != nil || ev.Body != nil {
			t.Errorf("past retention: %+v, %v", ev, err)
		}
		if _, err := s.Event(t.Context(), "msg_2"); !errors.Is(err, ErrNotFound) {
			t.Errorf("an event that is not there: %v", err)
		}
	})
}
