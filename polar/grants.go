package polar

import (
	"encoding/json"
	"time"

	"fulfilld/grant"
)

type wireGrant struct {
	common
	GrantedAt      stamp           `json:"granted_at"`
	IsGranted      bool            `json:"is_granted"`
	RevokedAt      stamp           `json:"revoked_at"`
	IsRevoked      bool            `json:"is_revoked"`
	SubscriptionID key             `json:"subscription_id"`
	OrderID        key             `json:"order_id"`
	CustomerID     key             `json:"customer_id"`
	MemberID       key             `json:"member_id"`
	BenefitID      key             `json:"benefit_id"`
	Error          json.RawMessage `json:"error"`
	Customer       json.RawMessage `json:"customer"`
	Member         json.RawMessage `json:"member"`
	Benefit        json.RawMessage `json:"benefit"`
	Properties     json.RawMessage `json:"properties"`
	Previous       json.RawMessage `json:"previous_properties"`
}

func (w *wireGrant) word() grant.Word {
	switch {
	case w.IsRevoked:
		return grant.SaysRevoked
	case w.IsGranted:
		return grant.SaysGranted
	}
	return grant.SaysNone
}

// cycleKey sorts as time does: the fraction always has six digits.
const cycleKey = "2006-01-02T15:04:05.000000Z07:00"

// grantNews reads benefit_grant.*: a grant, with the customer, the member and
// the benefit as they were then.
func grantNews(w wireGrant, sent time.Time) (grant.News, error) {
	for name, id := range map[string]key{"id": w.ID, "customer_id": w.CustomerID, "benefit_id": w.BenefitID} {
		if err := need(name, id); err != nil {
			return grant.News{}, err
		}
	}
	g := grant.Grant{
		ID: string(w.ID), BenefitID: string(w.BenefitID), CustomerID: string(w.CustomerID), MemberID: string(w.MemberID),
		SubscriptionID: string(w.SubscriptionID), OrderID: string(w.OrderID), Source: grant.Platform,
		CreatedAt: w.CreatedAt.Time, ModifiedAt: w.ModifiedAt.Time, GrantedAt: w.GrantedAt.Time, RevokedAt: w.RevokedAt.Time,
		Error: kept(w.Error), Properties: kept(w.Properties), Previous: kept(w.Previous),
		Word: w.word(),
		Version: grant.Version{
			At:   grant.Latest(w.ModifiedAt.Time, w.GrantedAt.Time, w.RevokedAt.Time, w.CreatedAt.Time),
			Sent: sent,
		},
	}
	news := grant.News{Grants: []grant.Grant{g}}
	news.Customers = embedded(w.Customer, sent, customerOf)
	news.Members = embedded(w.Member, sent, memberOf)
	news.Benefits = embedded(w.Benefit, sent, benefitOf)
	return news, nil
}

// grantEvent reads benefit_grant.*. A cycled one is a renewal as well, with the
// grant's modified_at for its key.
func grantEvent(ev grant.Event) (grant.News, error) {
	news, err := read(grantNews)(ev)
	if err == nil && ev.Type == "benefit_grant.cycled" {
		g := &news.Grants[0]
		g.Cycle = grant.Latest(g.ModifiedAt, g.CreatedAt).Format(cycleKey)
	}
	return news, err
}

// embedded reads an object inside another one. One that is missing or malformed
// does not lose what it is part of.
func embedded[T any](text json.RawMessage, sent time.Time, of func(json.RawMessage, time.Time) (T, error)) []T {
	if kept(text) == nil {
		return nil
	}
	v, err := of(text, sent)
	if err != nil {
		return nil
	}
	return []T{v}
}
