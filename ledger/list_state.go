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

// GrantedBefore returns which of a customer's fulfilments are owed, are not seen
// through just now, and need take nothing away meanwhile: they have been granted
// since anybody last began to revoke them, or their kind was added to a benefit
// when another of its kinds had been.
func (l *Ledger) GrantedBefore(ctx context.Context, customer string) (map[string]bool, error) {
	const granted = `a.action = 'grant' AND a.class = ''`
	rows, err := l.read.rows(ctx, `SELECT f.id FROM grants g JOIN fulfilments f ON `+ofGrant+` WHERE g.customer_id = $1
		AND f.state IN ('pending', 'waiting', 'failed') AND f.wanted LIKE 'granted%'
		AND ((SELECT a.action FROM attempts a WHERE a.fulfilment_id = f.id AND (a.action = 'revoke' OR `+granted+`) ORDER BY a.id DESC LIMIT 1) = 'grant'
			OR NOT EXISTS (SELECT 1 FROM attempts a WHERE a.fulfilment_id = f.id AND (a.action = 'revoke' OR `+granted+`))
			AND EXISTS (SELECT 1 FROM fulfilments x JOIN attempts a ON a.fulfilment_id = x.id
				WHERE x.id > (g.id || '.') {{bytewise}} AND x.id < (g.id || '/') {{bytewise}} AND `+granted+` AND a.first_at < f.created_at))`, customer)
	if err != nil {
		return nil, err
	}
	ids, err := collect(rows, scanText)
	before := map[string]bool{}
	for _, id := range ids {
		before[id] = true
	}
	return before, err
}
