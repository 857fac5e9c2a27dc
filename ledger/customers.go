package ledger

import "fulfilld/grant"

// customer remembers a customer. A deletion is terminal, whenever it arrives.
func (a *applier) customer(c grant.Customer) error {
	_, err := a.exec(`INSERT INTO customers (id, organization_id, external_id, email, name, deleted_at, body, ver_at, ver_sent)
			VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8)
			ON CONFLICT (id) DO UPDATE SET organization_id = excluded.organization_id, external_id = excluded.external_id,
				email = excluded.email, name = excluded.name, body = excluded.body, ver_at = excluded.ver_at, ver_sent = excluded.ver_sent`+ifNewer("customers"),
		c.ID, c.OrganizationID, c.ExternalID, c.Email, c.Name, string(c.Body), micros(c.Version.At), micros(c.Version.Sent))
	if err != nil || c.DeletedAt.IsZero() {
		return err
	}
	return a.bury("customers", ofCustomer, c.ID, micros(c.DeletedAt))
}

// bury sets a tombstone, once, and tells the grants it ends.
func (a *applier) bury(table, condition, id string, at int64) error {
	n, err := a.exec(`UPDATE `+table+` SET deleted_at = $2 WHERE id = $1 AND deleted_at = 0`, id, at)
	if err != nil || n == 0 {
		return err
	}
	return a.touchWhere(condition, id)
}

func (a *applier) member(m grant.Member) error {
	_, err := a.exec(`INSERT INTO members (id, customer_id, deleted_at, body, ver_at, ver_sent) VALUES ($1, $2, 0, $3, $4, $5)
			ON CONFLICT (id) DO UPDATE SET customer_id = excluded.customer_id, body = excluded.body,
				ver_at = excluded.ver_at, ver_sent = excluded.ver_sent`+ifNewer("members"),
		m.ID, m.CustomerID, string(m.Body), micros(m.Version.At), micros(m.Version.Sent))
	if err != nil || m.DeletedAt.IsZero() {
		return err
	}
	return a.bury("members", ofMember, m.ID, micros(m.DeletedAt))
}

// seat remembers who sits where. A revoked seat's body no longer says, and the
// platform may give the seat to another: there is a row for each who sat there,
// and one with no member for what was said without a name. Who has the seat is
// the newest of them.
func (a *applier) seat(s grant.Seat) error {
	n, err := a.exec(`INSERT INTO seats (id, member_id, subscription_id, order_id, status, revoked_at, ver_at, ver_sent)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (id, member_id) DO UPDATE SET status = excluded.status, revoked_at = excluded.revoked_at,
			ver_at = excluded.ver_at, ver_sent = excluded.ver_sent
		WHERE seats.ver_at < excluded.ver_at OR (seats.ver_at = excluded.ver_at AND seats.ver_sent < excluded.ver_sent)`,
		s.ID, s.MemberID, s.SubscriptionID, s.OrderID, s.Status, micros(s.RevokedAt), micros(s.Version.At), micros(s.Version.Sent))
	if err != nil || n == 0 {
		return err
	}
	return a.touchWhere(ofSeat, s.ID)
}
