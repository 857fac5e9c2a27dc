package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"fulfilld/grant"
)

// CustomerList is where customers are looked up.
type CustomerList interface {
	Customers(ctx context.Context, f grant.CustomerFilter, p grant.Page) ([]grant.Customer, int64, error)
	Customer(ctx context.Context, id string) (grant.Customer, error)
	AccountsOf(ctx context.Context, customer string) ([]grant.Identity, error)
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

// getCustomer answers a customer with the accounts that are known to be theirs.
func getCustomer(l CustomerList) endpoint {
	return func(r *http.Request) (any, error) {
		id, err := pathID(r)
		if err != nil {
			return nil, err
		}
		c, err := l.Customer(r.Context(), id)
		if err != nil {
			return nil, err
		}
		accounts, err := accountsOf(r.Context(), l, c)
		if err != nil {
			return nil, err
		}
		return behind(customerItem(c), "accounts", accounts)
	}
}

// behind writes one more field behind those of an object.
func behind(object any, name string, v any) (json.RawMessage, error) {
	whole, ok := object.(json.RawMessage)
	if !ok {
		var err error
		if whole, err = json.Marshal(object); err != nil {
			return nil, err
		}
	}
	field, err := json.Marshal(map[string]any{name: v})
	if err != nil {
		return nil, err
	}
	head, ok := bytes.CutSuffix(bytes.TrimSpace(whole), []byte("}"))
	head = bytes.TrimSpace(head)
	switch {
	case !ok:
		return whole, nil // no object: the platform's matter
	case string(head) == "{":
		return field, nil
	}
	return slices.Concat(head, []byte(","), field[1:]), nil
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
