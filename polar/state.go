package polar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"fulfilld/grant"
)

type wireState struct {
	Subscriptions []json.RawMessage `json:"active_subscriptions"`
	Grants        []json.RawMessage `json:"granted_benefits"`
}

type wireStateGrant struct {
	common
	GrantedAt  stamp           `json:"granted_at"`
	BenefitID  key             `json:"benefit_id"`
	Properties json.RawMessage `json:"properties"`
}

// stateNews reads customer.state_changed: what the customer has right now. A
// grant that it lists is granted; one that it does not list is not thereby
// revoked.
func stateNews(text json.RawMessage, sent time.Time) (news grant.News, err error) {
	var w wireState
	if err := fill(text, "data", &w); err != nil {
		return news, err
	}
	c, err := customerOf(text, "data", sent)
	if err != nil {
		return news, err
	}
	c.Body = without(c.Body, "active_subscriptions", "granted_benefits", "active_meters")
	news.Customers = []grant.Customer{c}
	for i, text := range w.Subscriptions {
		s, err := subscriptionOf(text, fmt.Sprintf("data.active_subscriptions[%d]", i), sent)
		if err != nil {
			return news, err
		}
		s.CustomerID = c.ID
		news.Subscriptions = append(news.Subscriptions, s)
	}
	for i, text := range w.Grants {
		if err := stateGrant(&news, c, text, fmt.Sprintf("data.granted_benefits[%d]", i), sent); err != nil {
			return news, err
		}
	}
	return news, nil
}

// stateGrant adds a grant, whose scope and member are not told. The little that
// is told of its benefit is left out: fulfilled by it, a grant would miss the
// benefit's terms. It waits for the benefit's own event.
func stateGrant(news *grant.News, c grant.Customer, text json.RawMessage, path string, sent time.Time) error {
	var w wireStateGrant
	if err := fill(text, path, &w); err != nil {
		return err
	}
	if err := need(path, id{"id", w.ID}, id{"benefit_id", w.BenefitID}); err != nil {
		return err
	}
	news.Grants = append(news.Grants, grant.Grant{
		ID: string(w.ID), BenefitID: string(w.BenefitID), CustomerID: c.ID, Source: grant.Platform,
		CreatedAt: w.CreatedAt.Time, ModifiedAt: w.ModifiedAt.Time, GrantedAt: w.GrantedAt.Time, Properties: kept(w.Properties),
		Word: grant.SaysGranted, Version: w.version(sent, w.GrantedAt.Time),
	})
	return nil
}

// without drops keys of an object. The others keep their order: of two events
// that say the same, the bodies are the same.
func without(text json.RawMessage, keys ...string) json.RawMessage {
	in := json.NewDecoder(bytes.NewReader(text))
	if open, err := in.Token(); err != nil || open != json.Delim('{') {
		return nil
	}
	out := []byte("{")
	for in.More() {
		key, err := in.Token()
		if err != nil {
			return nil
		}
		var value json.RawMessage
		if err := in.Decode(&value); err != nil {
			return nil
		}
		name, _ := key.(string)
		if slices.Contains(keys, name) {
			continue
		}
		quoted, err := json.Marshal(name)
		if err != nil {
			return nil
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, quoted...), ':'), value...)
	}
	return append(out, '}')
}
