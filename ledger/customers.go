package ledger

import "fulfilld/grant"

// customer remembers a customer. A deletion is terminal, whenever it arrives.
func (a *applier) customer(c grant.Customer) error {
	newer, _, err := a.newer("customers", c.ID, c.Version)
	if err != nil {
		return err
	}
	if newer {
		if _, err := a.exec(`INSERT INTO customers (id, organization_id, external_id, email, name, deleted_at, body, ver_at, ver_sent)
			VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8)
			ON CONFLICT (id) DO UPDATE SET organization_id = excluded.organization_id, external_id = excluded.external_id,
				email = excluded.email, name = excluded.name, body = excluded.body, ver_at = excluded.ver_at, ver_sent = excluded.ver_sent`,
			c.ID, c.OrganizationID, c.ExternalID, c.Email, c.Name, string(c.Body), micros(c.Version.At), micros(c.Version.Sent)); err != nil {
			return err
		}
	}
	if c.DeletedAt.IsZero() {
		return nil
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
	newer, _, err := a.newer("members", m.ID, m.Version)
	if err != nil {
		return err
	}
	if newer {
		if _, err := a.exec(`INSERT INTO members (id, customer_id, deleted_at, body, ver_at, ver_sent) VALUES ($1, $2, 0, $3, $4, $5)
			ON CONFLICT (id) DO UPDATE SET customer_id = excluded.customer_id, body = excluded.body,
				ver_at = excluded.ver_at, ver_sent = excluded.ver_sent`,
			m.ID, m.CustomerID, string(m.Body), micros(m.Version.At), micros(m.Version.Sent)); err != nil {
			return err
		}
	}
	if m.DeletedAt.IsZero() {
		return nil
	}
	return a.bury("members", ofMember, m.ID, micros(m.DeletedAt))
}

// seat remembers who sits where: a revoked seat's body no longer says.
func (a *applier) seat(s grant.Seat) error {
	newer, _, err := a.newer("seats", s.ID, s.Version)
	if err != nil {
		return err
	}
	if newer {
		_, err = a.exec(`INSERT INTO seats (id, subscription_id, order_id, member_id, status, revoked_at, ver_at, ver_sent)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (id) DO UPDATE SET subscription_id = excluded.subscription_id, order_id = excluded.order_id,
				member_id = CASE WHEN excluded.member_id = '' THEN seats.member_id ELSE excluded.member_id END,
				status = excluded.status, revoked_at = excluded.revoked_at, ver_at = excluded.ver_at, ver_sent = excluded.ver_sent`,
			s.ID, s.SubscriptionID, s.OrderID, s.MemberID, s.Status, micros(s.RevokedAt), micros(s.Version.At), micros(s.Version.Sent))
	} else if s.MemberID != "" { // the older body may be the one that names the member
		_, err = a.exec(`UPDATE seats SET member_id = $2 WHERE id = $1 AND member_id = ''`, s.ID, s.MemberID)
	}
	if err != nil {
		return err
	}
	var member string
	if err := a.row(`SELECT member_id FROM seats WHERE id = $1`, []any{s.ID}, &member); err != nil {
		return err
	}
	return a.touchWhere(ofMember, member)
}
