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

// cycleKey is RFC 3339 in UTC. It sorts as time does: the fraction always has
// six digits.
const cycleKey = "2006-01-02T15:04:05.000000Z07:00"

// grantNews reads benefit_grant.*: a grant, with the customer, the member and
// the benefit as they were then.
func grantNews(w wireGrant, sent time.Time) (grant.News, error) {
	if err := need("data", id{"id", w.ID}, id{"customer_id", w.CustomerID}, id{"benefit_id", w.BenefitID}); err != nil {
		return grant.News{}, err
	}
	return grant.News{
		Customers: embedded(w.Customer, sent, customerOf),
		Members:   embedded(w.Member, sent, memberOf),
		Benefits:  embedded(w.Benefit, sent, benefitOf),
		Grants: []grant.Grant{{
			ID: string(w.ID), BenefitID: string(w.BenefitID), CustomerID: string(w.CustomerID), MemberID: string(w.MemberID),
			SubscriptionID: string(w.SubscriptionID), OrderID: string(w.OrderID), Source: grant.Platform,
			CreatedAt: w.CreatedAt.Time, ModifiedAt: w.ModifiedAt.Time, GrantedAt: w.GrantedAt.Time, RevokedAt: w.RevokedAt.Time,
			Error: kept(w.Error), Properties: kept(w.Properties), Previous: kept(w.Previous),
			Word: w.word(), Version: w.version(sent, w.GrantedAt.Time, w.RevokedAt.Time),
		}},
	}, nil
}

// grantEvent reads benefit_grant.*. A cycled one is a renewal as well, with the
// grant's modified_at for its key: two endpoints tell one renewal twice.
func grantEvent(ev grant.Event) (grant.News, error) {
	if ev.Type == "benefit_grant.cycled" {
		return read(cycleNews)(ev)
	}
	return read(grantNews)(ev)
}

func cycleNews(w wireGrant, sent time.Time) (grant.News, error) {
	news, err := grantNews(w, sent)
	if err != nil {
		return news, err
	}
	at := w.ModifiedAt.Time
	if at.IsZero() {
		at = sent
	}
	news.Grants[0].Cycle = at.Format(cycleKey)
	return news, nil
}
