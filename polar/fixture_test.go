package polar_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"fulfilld/grant"
	"fulfilld/polar"
)

func TestTemplateIsAboutTheBenefitAskedFor(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{"benefit_grant.created", "discord", "benefit_grant.created.discord"},
		{"benefit_grant.created", "none", "benefit_grant.created.custom"},
		{"benefit_grant.created.seat_member", "", "benefit_grant.created.seat_member"},
		{"benefit.updated", "license_keys", "benefit.updated.github_permission"}, // not the deletion
		{"benefit.updated", "deleted", "benefit.updated.deleted"},
		{"subscription.active", "discord", "subscription.active"},
		{"order.paid", "discord", "order.paid.purchase"},
	} {
		got, err := polar.Template(c[0], c[1])
		if err != nil || !bytes.Equal(got, example(t, c[2])) {
			t.Errorf("%v: %.60s, %v", c, got, err)
		}
	}
	if _, err := polar.Template("order.shipped", ""); err == nil || !strings.Contains(err.Error(), "order.paid") {
		t.Errorf("no such type: %v", err)
	}
}

// made is every example, about somebody else at another time.
func made(t *testing.T, name string, p polar.Personal) grant.News {
	t.Helper()
	body, err := polar.Personalise(example(t, name), p)
	if err != nil {
		t.Fatal(err)
	}
	if _, at, ok := polar.EventType(body); !ok || !at.Equal(p.At) {
		t.Errorf("%s: happened at %v", name, at)
	}
	return decode(t, string(body))
}

func TestEveryExampleCanBeAboutSomebodyElse(t *testing.T) {
	t.Parallel()
	p := polar.Personal{CustomerID: two, Email: "grace@example.com", Name: "Grace", GrantID: one, BenefitID: six, At: time.Date(2020, 2, 2, 2, 2, 2, 0, time.UTC)}
	for _, name := range exampleNames(t) {
		t.Run(name, func(t *testing.T) {
			news := made(t, name, p)
			for _, c := range news.Customers {
				if c.ID != two || c.Email != "grace@example.com" || c.Name != "Grace" || c.Version.At.After(p.At) {
					t.Errorf("customer %+v", c)
				}
			}
			if strings.HasPrefix(name, "customer.state") {
				return // its grants are another's still
			}
			for _, g := range news.Grants {
				if g.ID != one || g.BenefitID != six || g.CustomerID != two || g.MemberID != "" || !g.Version.At.Equal(p.At) {
					t.Errorf("grant %+v", g)
				}
			}
		})
	}
}

func TestWhatIsMadeUpLaterIsNewer(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var last grant.Version
	for i, name := range []string{"benefit_grant.created.custom", "benefit_grant.cycled.meter_credit", "benefit_grant.revoked.custom", "benefit_grant.created.custom"} {
		g := made(t, name, polar.Personal{GrantID: one, At: at.Add(time.Duration(i) * time.Second)}).Grants[0]
		if g.Version.Compare(last) <= 0 {
			t.Errorf("%s: %+v after %+v", name, g.Version, last)
		}
		last = g.Version
	}
}

func TestGrantsMadeUpHaveAPurchaseOfTheirOwn(t *testing.T) {
	t.Parallel()
	scope := func(p polar.Personal) [2]string {
		p.At = day(1)
		g := made(t, "benefit_grant.created.custom", p).Grants[0]
		return [2]string{g.SubscriptionID, g.OrderID}
	}
	first, second := scope(polar.Personal{GrantID: one}), scope(polar.Personal{GrantID: two})
	if first == second || first != scope(polar.Personal{GrantID: one}) || first[0] == "" || first[1] != "" {
		t.Errorf("%v, %v", first, second)
	}
	same(t, scope(polar.Personal{GrantID: one, OrderID: six}), [2]string{"", six})
	same(t, scope(polar.Personal{SubscriptionID: six}), [2]string{six, ""})
	same(t, made(t, "order.paid.purchase", polar.Personal{OrderID: six, At: day(1)}).Orders[0].ID, six)
	same(t, made(t, "subscription.active", polar.Personal{SubscriptionID: six, At: day(1)}).Subscriptions[0].ID, six)
}

func TestOnlyEventsCanBePersonalised(t *testing.T) {
	t.Parallel()
	for _, body := range []string{``, `[]`, `{}`, `{"data":{}}`, `{"data":7,"timestamp":"2026-01-01T00:00:00Z"}`} {
		if out, err := polar.Personalise([]byte(body), polar.Personal{}); err == nil {
			t.Errorf("%s: %s", body, out)
		}
	}
	body, err := polar.Personalise(example(t, "refund.created"), polar.Personal{Type: "refund.updated", At: day(1)})
	if typ, _, _ := polar.EventType(body); err != nil || typ != "refund.updated" || !json.Valid(body) {
		t.Errorf("%s: %v", body, err)
	}
}
