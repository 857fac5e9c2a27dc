package polar

import (
	"encoding/json"
	"maps"
	"time"

	"fulfilld/grant"
)

type wireCustomer struct {
	common
	OrganizationID key    `json:"organization_id"`
	ExternalID     string `json:"external_id"`
	Email          string `json:"email"`
	Name           string `json:"name"`
	DeletedAt      stamp  `json:"deleted_at"`
}

func customerOf(text json.RawMessage, sent time.Time) (grant.Customer, error) {
	var w wireCustomer
	if err := json.Unmarshal(text, &w); err != nil {
		return grant.Customer{}, mend(err)
	}
	return grant.Customer{
		ID: string(w.ID), OrganizationID: string(w.OrganizationID), ExternalID: w.ExternalID, Email: w.Email, Name: w.Name,
		DeletedAt: w.DeletedAt.Time, Body: kept(text), Version: w.version(sent),
	}, need("id", w.ID)
}

// customerEvent reads customer.*. A deletion is terminal even where the body
// does not say when.
func customerEvent(ev grant.Event) (grant.News, error) {
	if ev.Type == "customer.state_changed" {
		return read(stateNews)(ev)
	}
	return read(func(text json.RawMessage, sent time.Time) (grant.News, error) {
		c, err := customerOf(text, sent)
		if ev.Type == "customer.deleted" && c.DeletedAt.IsZero() {
			c.DeletedAt = sent
		}
		return grant.News{Customers: []grant.Customer{c}}, err
	})(ev)
}

type wireState struct {
	Subscriptions []json.RawMessage `json:"active_subscriptions"`
	Grants        []wireStateGrant  `json:"granted_benefits"`
}

type wireStateGrant struct {
	common
	GrantedAt  stamp           `json:"granted_at"`
	BenefitID  key             `json:"benefit_id"`
	Type       string          `json:"benefit_type"`
	Metadata   map[string]any  `json:"benefit_metadata"`
	Properties json.RawMessage `json:"properties"`
}

// stateNews reads customer.state_changed: what the customer has right now. A
// grant that it lists is granted; one that it does not list is not thereby
// revoked.
func stateNews(text json.RawMessage, sent time.Time) (grant.News, error) {
	var w wireState
	if err := json.Unmarshal(text, &w); err != nil {
		return grant.News{}, mend(err)
	}
	c, err := customerOf(text, sent)
	if err != nil {
		return grant.News{}, err
	}
	c.Body = without(text, "active_subscriptions", "granted_benefits", "active_meters")
	news := grant.News{Customers: []grant.Customer{c}}
	for _, g := range w.Grants {
		if g.ID == "" || g.BenefitID == "" {
			continue
		}
		news.Grants = append(news.Grants, grant.Grant{
			ID: string(g.ID), BenefitID: string(g.BenefitID), CustomerID: c.ID, Source: grant.Platform,
			CreatedAt: g.CreatedAt.Time, ModifiedAt: g.ModifiedAt.Time, GrantedAt: g.GrantedAt.Time, Properties: kept(g.Properties),
			Word:    grant.SaysGranted,
			Version: grant.Version{At: grant.Latest(g.GrantedAt.Time, g.ModifiedAt.Time, g.CreatedAt.Time), Sent: sent},
		})
	}
	for _, s := range w.Subscriptions {
		news.Subscriptions = append(news.Subscriptions, embedded(s, sent, func(text json.RawMessage, sent time.Time) (grant.Subscription, error) {
			s, err := subscriptionOf(text, sent)
			s.CustomerID = c.ID
			return s, err
		})...)
	}
	return news, nil
}

// without drops keys of an object.
func without(text json.RawMessage, keys ...string) json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(text, &m) != nil {
		return nil
	}
	maps.DeleteFunc(m, func(k string, _ json.RawMessage) bool {
		for _, drop := range keys {
			if k == drop {
				return true
			}
		}
		return false
	})
	out, err := json.Marshal(m)
	if err != nil {
		return nil
	}
	return out
}
