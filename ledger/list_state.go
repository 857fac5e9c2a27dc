package ledger

import (
	"context"

	"fulfilld/grant"
)

// CustomerByExternalID returns a customer by the merchant's own id. Of two who
// have it, the one spoken of last counts; deleted ones have none.
func (l *Ledger) CustomerByExternalID(ctx context.Context, id string) (grant.Customer, error) {
	s := selection{from: "customers c", where: []string{"c.external_id <> ''", "c.deleted_at = 0"}}
	in(&s, "c.external_id", []string{id})
	return one(ctx, l, s, customerColumns, " ORDER BY c.ver_at DESC, c.id DESC", scanCustomer)
}

// GrantsOf returns all of a customer's grants, in the order in which they came
// to be.
func (l *Ledger) GrantsOf(ctx context.Context, customer string) ([]grant.View, error) {
	rows, err := l.read.rows(ctx, `SELECT g.id FROM grants g WHERE g.customer_id = $1 ORDER BY g.created_at, g.id`, customer)
	if err != nil {
		return nil, err
	}
	ids, err := collect(rows, scanText)
	if err != nil {
		return nil, err
	}
	return l.views(ctx, ids)
}

// ActiveSubscriptions returns a customer's subscriptions that are active or
// trialing.
func (l *Ledger) ActiveSubscriptions(ctx context.Context, customer string) ([]grant.Subscription, error) {
	rows, err := l.read.rows(ctx, `SELECT s.id, s.customer_id, s.product_id, s.status, s.body FROM subscriptions s
		WHERE s.customer_id = $1 AND s.status IN ('active', 'trialing') ORDER BY s.id`, customer)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(r rowScanner) (s grant.Subscription, err error) {
		var body string
		err = r.Scan(&s.ID, &s.CustomerID, &s.ProductID, &s.Status, &body)
		s.Body = raw(body)
		return s, err
	})
}
