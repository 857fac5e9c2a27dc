package polar

import (
	"encoding/json"
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

func customerOf(text json.RawMessage, path string, sent time.Time) (grant.Customer, error) {
	var w wireCustomer
	if err := fill(text, path, &w); err != nil {
		return grant.Customer{}, err
	}
	return grant.Customer{
		ID: string(w.ID), OrganizationID: string(w.OrganizationID),
		ExternalID: plain(w.ExternalID), Email: plain(w.Email), Name: plain(w.Name),
		DeletedAt: w.DeletedAt.Time, Body: kept(text), Version: w.version(sent, w.DeletedAt.Time),
	}, need(path, id{"id", w.ID})
}

// customerEvent reads customer.*. A deletion is terminal even where the body
// does not say when.
func customerEvent(ev grant.Event) (grant.News, error) {
	switch ev.Type {
	case "customer.state_changed":
		return read(stateNews)(ev)
	case "customer.deleted":
		return read(customerGone)(ev)
	}
	return read(customerNews)(ev)
}

func customerNews(text json.RawMessage, sent time.Time) (grant.News, error) {
	c, err := customerOf(text, "data", sent)
	return grant.News{Customers: []grant.Customer{c}}, err
}

func customerGone(text json.RawMessage, sent time.Time) (grant.News, error) {
	c, err := customerOf(text, "data", sent)
	if c.DeletedAt.IsZero() {
		c.DeletedAt = sent
		c.Version.At = grant.Latest(c.Version.At, sent)
	}
	return grant.News{Customers: []grant.Customer{c}}, err
}
