package ledger

import (
	"context"

	"fulfilld/grant"
)

const customerColumns = `c.id, c.organization_id, c.external_id, c.email, c.name, c.deleted_at, c.body`

func scanCustomer(r rowScanner) (c grant.Customer, err error) {
	var deleted int64
	var body string
	err = r.Scan(&c.ID, &c.OrganizationID, &c.ExternalID, &c.Email, &c.Name, &deleted, &body)
	c.DeletedAt, c.Body = timeOf(deleted), raw(body)
	return c, err
}

// Customers lists the customers that are not deleted, those the shop spoke of
// last first, and counts them.
func (l *Ledger) Customers(ctx context.Context, f grant.CustomerFilter, p grant.Page) ([]grant.Customer, int64, error) {
	s := selection{from: "customers c", where: []string{"c.deleted_at = 0"}}
	in(&s, "c.organization_id", f.OrganizationIDs)
	if f.Query != "" {
		s.and("(c.id = " + s.arg(f.Query) + " OR (c.external_id <> '' AND c.external_id = " + s.arg(f.Query) +
			") OR lower(c.email) LIKE " + s.arg(pattern(f.Query)+"%") + ` ESCAPE '\')`)
	}
	return list(ctx, l, s, customerColumns, " ORDER BY c.ver_at DESC, c.id DESC", p, scanCustomer)
}

// Member returns a member, also one who is deleted.
func (l *Ledger) Member(ctx context.Context, id string) (m grant.Member, err error) {
	var deleted int64
	var body string
	err = l.read.row(ctx, `SELECT id, customer_id, deleted_at, body FROM members WHERE id = $1`, []any{id}, &m.ID, &m.CustomerID, &deleted, &body)
	m.DeletedAt, m.Body = timeOf(deleted), raw(body)
	return m, err
}

// MembersOf returns a customer's members who are not deleted, those the shop spoke
// of last first.
func (l *Ledger) MembersOf(ctx context.Context, customer string) ([]grant.Member, error) {
	rows, err := l.read.rows(ctx, `SELECT m.id, m.customer_id, m.body FROM members m WHERE m.customer_id = $1 AND m.deleted_at = 0 ORDER BY m.ver_at DESC, m.id DESC`, customer)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(r rowScanner) (m grant.Member, err error) {
		var body string
		err = r.Scan(&m.ID, &m.CustomerID, &body)
		m.Body = raw(body)
		return m, err
	})
}

// Customer returns a customer, a deleted one too.
func (l *Ledger) Customer(ctx context.Context, id string) (grant.Customer, error) {
	s := selection{from: "customers c"}
	in(&s, "c.id", []string{id})
	return one(ctx, l, s, customerColumns, "", scanCustomer)
}
