package handlers

import (
	"context"
	"net/http"

	"fulfilld/grant"
)

// CustomerList is where customers are looked up.
type CustomerList interface {
	Customers(ctx context.Context, f grant.CustomerFilter, p grant.Page) ([]grant.Customer, int64, error)
	Customer(ctx context.Context, id string) (grant.Customer, error)
}

func listCustomers(l CustomerList) endpoint {
	return func(r *http.Request) (any, error) {
		q := queryOf(r)
		f := grant.CustomerFilter{OrganizationIDs: q.ids("organization_id"), Query: q.text("query")}
		p := q.page()
		if err := q.err(); err != nil {
			return nil, err
		}
		all, total, err := l.Customers(r.Context(), f, p)
		return listingOf(all, total, p, customerItem), err
	}
}

func getCustomer(l CustomerList) endpoint {
	return func(r *http.Request) (any, error) {
		id, err := pathID(r)
		if err != nil {
			return nil, err
		}
		c, err := l.Customer(r.Context(), id)
		return customerItem(c), err
	}
}

// customerItem is the platform's own object, or what is known without one.
func customerItem(c grant.Customer) any {
	if len(c.Body) > 0 {
		return c.Body
	}
	return struct {
		ID             string `json:"id"`
		ExternalID     text   `json:"external_id"`
		Email          text   `json:"email"`
		Name           text   `json:"name"`
		OrganizationID text   `json:"organization_id"`
		DeletedAt      stamp  `json:"deleted_at"`
	}{c.ID, text(c.ExternalID), text(c.Email), text(c.Name), text(c.OrganizationID), stamp(c.DeletedAt)}
}
