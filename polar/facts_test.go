package polar_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fulfilld/grant"
	"fulfilld/polar"
)

func same(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDeletionsAreTerminal(t *testing.T) {
	t.Parallel()
	const old = `"id":"` + one + `","customer_id":"` + two + `","modified_at":"2026-09-02T00:00:00Z"`
	t.Run("Customer", func(t *testing.T) {
		c := decode(t, said("customer.deleted", old+`,"deleted_at":"2026-09-05T00:00:00Z"`)).Customers[0]
		same(t, c.DeletedAt, day(5))
		same(t, c.Version, grant.Version{At: day(5), Sent: day(20)})
	})
	t.Run("CustomerWithoutTime", func(t *testing.T) {
		c := decode(t, said("customer.deleted", old)).Customers[0]
		same(t, c.DeletedAt, day(20))
		same(t, c.Version.At, day(20))
	})
	t.Run("CustomerUpdatedAfterwards", func(t *testing.T) {
		same(t, decode(t, said("customer.updated", old+`,"deleted_at":"2026-09-05T00:00:00Z"`)).Customers[0].DeletedAt, day(5))
	})
	t.Run("Member", func(t *testing.T) {
		m := decode(t, said("member.deleted", old)).Members[0]
		same(t, m.DeletedAt, day(20))
		same(t, m.Version.At, day(20))
		same(t, decode(t, said("member.updated", old)).Members[0].DeletedAt, time.Time{})
	})
	t.Run("Benefit", func(t *testing.T) {
		same(t, decode(t, said("benefit.updated", old+`,"is_deleted":true`)).Benefits[0].DeletedAt, day(2))
		same(t, decode(t, said("benefit.updated", `"id":"`+one+`","created_at":"2026-09-01T00:00:00Z","is_deleted":true`)).Benefits[0].DeletedAt, day(20))
		same(t, decode(t, said("benefit.updated", old)).Benefits[0].DeletedAt, time.Time{})
	})
}

func TestSeatRemembersItsMember(t *testing.T) {
	t.Parallel()
	const seat = `"id":"` + one + `","subscription_id":"` + six + `","status":"revoked","modified_at":"2026-09-02T00:00:00Z"`
	for data, want := range map[string]string{
		`,"member_id":"` + two + `"`: two,
		`,"member_id":null,"member":{"id":"` + two + `","customer_id":"` + six + `"}`: two,
		`,"member_id":null,"member":null`:                                             "",
		`,"member_id":null,"member":"?"`:                                              "",
	} {
		same(t, decode(t, said("customer_seat.revoked", seat+data)).Seats, []grant.Seat{{
			ID: one, SubscriptionID: six, MemberID: want, Status: "revoked", RevokedAt: day(20),
			Version: grant.Version{At: day(2), Sent: day(20)},
		}})
	}
	s := decode(t, said("customer_seat.revoked", seat+`,"revoked_at":"2026-09-03T00:00:00Z"`)).Seats[0]
	same(t, s.RevokedAt, day(3))
	same(t, s.Version.At, day(3))
}

func TestStateNeverRevokesNorReplacesABenefit(t *testing.T) {
	t.Parallel()
	news := decode(t, said("customer.state_changed", `"id":"`+two+`","email":"ada@example.com","active_subscriptions":[],"active_meters":[],"granted_benefits":[
		{"id":"`+one+`","granted_at":"2026-09-02T00:00:00Z","benefit_id":"`+six+`","benefit_type":"custom","benefit_metadata":{"fulfill":"webhook"},"properties":{}},
		{"id":"`+six+`","benefit_id":"`+one+`"}]`))
	same(t, string(news.Customers[0].Body), `{"id":"`+two+`","email":"ada@example.com"}`)
	for _, g := range news.Grants {
		same(t, g.Word, grant.SaysGranted)
		same(t, g.CustomerID+g.SubscriptionID+g.OrderID+g.MemberID, two)
	}
	same(t, news.Grants[0].Version, grant.Version{At: day(2), Sent: day(20)})
	same(t, news.Benefits, []grant.Benefit(nil)) // too little is told of it to fulfil by
}

func TestProductInAnOrderDoesNotLoseItsBenefits(t *testing.T) {
	t.Parallel()
	same(t, decode(t, string(example(t, "order.paid.purchase"))).Products, []grant.Product(nil))
	same(t, decode(t, said("subscription.active", ids+`,"product":{"id":"`+one+`"}`)).Products, []grant.Product(nil))
}

func TestNulNeverReachesATextColumn(t *testing.T) {
	t.Parallel()
	c := decode(t, said("customer.updated", `"id":"`+one+`","name":"A\u0000da","email":"\u0000"`)).Customers[0]
	same(t, c.Name+c.Email, "Ada")
}

func TestEventsWithoutEffectSayWhy(t *testing.T) {
	t.Parallel()
	const effectless, unknown = "events of this type have no effect", "events of this type are not known"
	for typ, want := range map[string]string{
		"checkout.created": effectless, "discount.deleted": effectless, "organization.updated": effectless,
		"dispute.created": unknown, "benefits": unknown, "": unknown,
		"benefit.granted": unknown, "subscription.sparkled": unknown, // of a known family, but not of its shape
	} {
		news, err := polar.Decode(grant.Event{Type: typ, Body: []byte(`{"data":{"id":"` + one + `"}}`)})
		if err != nil {
			t.Errorf("%s: %v", typ, err)
		}
		same(t, news, grant.News{Ignored: want})
	}
	for _, typ := range []string{"chat", "benefit_grant.created"} {
		news, err := polar.Decode(grant.Event{Type: typ, Body: []byte(`{"content":"New order","embeds":[]}`)})
		if err != nil || news.Ignored != polar.NotRaw {
			t.Errorf("%s: %+v, %v", typ, news, err)
		}
	}
}

func TestASubscriptionsMetersAreThoseOfACustomersState(t *testing.T) {
	for meters, want := range map[string]string{
		`[{"meter":{"name":"API calls"},"meter_id":"m","consumed_units":2.0,"id":"a","amount":0},{}]`: `[{"id":"a","consumed_units":2.0,"amount":0,"meter_id":"m"},{}]`,
		`[]`: `[]`, `null`: `null`, `"none"`: `"none"`,
	} {
		news := decode(t, said("subscription.active", `"id":"`+one+`","customer_id":"`+two+`","meters":`+meters))
		same(t, string(news.Subscriptions[0].Body), `{"id":"`+one+`","meters":`+want+`}`)
	}
}
