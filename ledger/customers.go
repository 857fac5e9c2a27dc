package ledger

import (
	"errors"
	"strings"

	"fulfilld/grant"
)

// customer remembers a customer. A deletion is terminal, whenever it arrives,
// and nothing personal is remembered beyond it.
func (a *applier) customer(c grant.Customer) error {
	n, err := a.exec(`INSERT INTO customers (id, organization_id, external_id, email, name, deleted_at, body, ver_at, ver_sent)
			VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8)
			ON CONFLICT (id) DO UPDATE SET organization_id = excluded.organization_id,
				external_id = CASE WHEN customers.deleted_at > 0 THEN '' ELSE excluded.external_id END,
				email = CASE WHEN customers.deleted_at > 0 THEN '' ELSE excluded.email END,
				name = CASE WHEN customers.deleted_at > 0 THEN '' ELSE excluded.name END,
				body = CASE WHEN customers.deleted_at > 0 THEN '' ELSE excluded.body END,
				ver_at = excluded.ver_at, ver_sent = excluded.ver_sent`+ifNewer("customers"),
		c.ID, c.OrganizationID, c.ExternalID, c.Email, c.Name, string(c.Body), micros(c.Version.At), micros(c.Version.Sent))
	if err == nil && n > 0 {
		err = errors.Join(a.hearWords(c), a.touchWhere(ofCustomer+` AND EXISTS (SELECT 1 FROM fulfilments f
			WHERE f.id = grants.id || '.`+customKind+`' AND f.wanted LIKE 'granted%')`, c.ID))
	}
	if err != nil || c.DeletedAt.IsZero() {
		return err
	}
	return a.bury("customers", "external_id = '', email = '', name = '', body = ''", ofCustomer, c.ID, micros(c.DeletedAt))
}

// hearWords lets a customer's grants hear of metadata that may name an account.
func (a *applier) hearWords(c grant.Customer) error {
	for _, keys := range a.l.opts.Words {
		if keys.CustomerMetadata != "" && strings.Contains(string(c.Body), keys.CustomerMetadata) {
			return a.touchWhere(ofCustomer, c.ID)
		}
	}
	return nil
}

// bury sets a tombstone, once, blanks what is personal, and tells the grants it
// ends. What else is known of a customer goes with [Ledger.Retain].
func (a *applier) bury(table, blank, condition, id string, at int64) error {
	n, err := a.exec(`UPDATE `+table+` SET deleted_at = $2, `+blank+` WHERE id = $1 AND deleted_at = 0`, id, at)
	if err != nil || n == 0 {
		return err
	}
	if _, err := a.exec(`DELETE FROM identities WHERE `+condition, id); err != nil { // revoking works from holds
		return err
	}
	return a.touchWhere(condition, id)
}

// unlessForgotten is a value to be stored, or nothing once its customer is deleted.
func unlessForgotten(customer, value string) string {
	return `CASE WHEN EXISTS (SELECT 1 FROM customers x WHERE x.id = ` + customer + ` AND x.deleted_at > 0) THEN '' ELSE ` + value + ` END`
}

func (a *applier) member(m grant.Member) error {
	_, err := a.exec(`INSERT INTO members (id, customer_id, deleted_at, body, ver_at, ver_sent)
			VALUES ($1, $2, 0, `+unlessForgotten("$2", "$3")+`, $4, $5)
			ON CONFLICT (id) DO UPDATE SET customer_id = excluded.customer_id,
				body = CASE WHEN members.deleted_at > 0 THEN '' ELSE excluded.body END,
				ver_at = excluded.ver_at, ver_sent = excluded.ver_sent`+ifNewer("members"),
		m.ID, m.CustomerID, string(m.Body), micros(m.Version.At), micros(m.Version.Sent))
	if err != nil || m.DeletedAt.IsZero() {
		return err
	}
	return a.bury("members", "body = ''", ofMember, m.ID, micros(m.DeletedAt))
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
