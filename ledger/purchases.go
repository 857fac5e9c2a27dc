package ledger

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"fulfilld/grant"
)

func (a *applier) product(p grant.Product) error {
	newer, known, err := a.newer("products", p.ID, p.Version)
	if err != nil || !newer {
		return err
	}
	if !known {
		if err := a.introduce(p.ID); err != nil {
			return err
		}
	}
	if _, err := a.exec(`INSERT INTO products (id, body, ver_at, ver_sent) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET body = excluded.body, ver_at = excluded.ver_at, ver_sent = excluded.ver_sent`,
		p.ID, string(p.Body), micros(p.Version.At), micros(p.Version.Sent)); err != nil {
		return err
	}
	had, err := a.strings(`SELECT benefit_id FROM product_benefits WHERE product_id = $1 ORDER BY benefit_id`, p.ID)
	if err != nil {
		return err
	}
	return a.carry(p.ID, had, p.Benefits)
}

// introduce lets the grants of a product's buyers hear that it is known now:
// until then nobody could tell that it lacks their benefit.
func (a *applier) introduce(product string) error {
	_, err := a.exec(`UPDATE benefits SET spread_after = 0 WHERE id IN (
		SELECT g.benefit_id FROM subscriptions s JOIN grants g ON g.subscription_id || g.order_id = s.id WHERE s.product_id = $1
		UNION SELECT g.benefit_id FROM orders o JOIN grants g ON g.subscription_id || g.order_id = o.id WHERE o.product_id = $1)`, product)
	return err
}

// carry makes the product's list of benefits be want.
func (a *applier) carry(product string, had, want []string) error {
	for _, id := range had {
		if !slices.Contains(want, id) {
			if _, err := a.exec(`DELETE FROM product_benefits WHERE product_id = $1 AND benefit_id = $2`, product, id); err != nil {
				return err
			}
			if err := a.carries(id); err != nil {
				return err
			}
		}
	}
	for _, id := range want {
		if !slices.Contains(had, id) {
			if _, err := a.exec(`INSERT INTO product_benefits (product_id, benefit_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, product, id); err != nil {
				return err
			}
			if err := a.carries(id); err != nil {
				return err
			}
		}
	}
	return nil
}

// carries lets a benefit's grants hear, in portions, that other products carry
// it now: what they are owed may hang on that.
func (a *applier) carries(benefit string) error {
	_, err := a.exec(`UPDATE benefits SET spread_after = 0 WHERE id = $1`, benefit)
	return err
}

func (a *applier) subscription(s grant.Subscription) error {
	had, err := a.standings(s.ID)
	if err != nil {
		return err
	}
	all := had.all.Hear(s, a.l.opts.Settle+clocksApart)
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	recovery := all.Recovery()
	switch {
	case !had.known || s.Version.Compare(had.version) > 0:
		err = a.storeSubscription(s, string(text), recovery)
	case string(text) != had.text:
		_, err = a.exec(`UPDATE subscriptions SET standings = $2, recovered_at = $3, recovered_from = $4 WHERE id = $1`,
			s.ID, string(text), micros(recovery.At), micros(recovery.PastDueAt))
	default:
		return nil
	}
	if err != nil {
		return err
	}
	return a.touchWhere(ofScope, s.ID)
}

// clocksApart is how far the shop's clock may be behind: a recovery must not be
// forgotten while the grant that follows it is waited for.
const clocksApart = 5 * time.Minute

// stood is how a subscription is known to have stood.
type stood struct {
	known   bool
	version grant.Version
	text    string
	all     grant.Standings
}

func (a *applier) standings(subscription string) (s stood, err error) {
	var at, sent int64
	err = a.row(`SELECT ver_at, ver_sent, standings FROM subscriptions WHERE id = $1`, []any{subscription}, &at, &sent, &s.text)
	if errors.Is(err, ErrNotFound) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	s.known, s.version = true, grant.Version{At: timeOf(at), Sent: timeOf(sent)}
	return s, json.Unmarshal([]byte(s.text), &s.all)
}

func (a *applier) storeSubscription(s grant.Subscription, standings string, r grant.Recovery) error {
	_, err := a.exec(`INSERT INTO subscriptions (id, customer_id, product_id, status, past_due_at, canceled_at, ended_at, paused_at,
			standings, recovered_at, recovered_from, fields, ver_at, ver_sent, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, `+unlessForgotten("$2", "$12")+`, $13, $14, `+unlessForgotten("$2", "$15")+`)
		ON CONFLICT (id) DO UPDATE SET customer_id = excluded.customer_id, product_id = excluded.product_id, status = excluded.status,
			past_due_at = excluded.past_due_at, canceled_at = excluded.canceled_at, ended_at = excluded.ended_at, paused_at = excluded.paused_at,
			standings = excluded.standings, recovered_at = excluded.recovered_at, recovered_from = excluded.recovered_from,
			fields = excluded.fields, ver_at = excluded.ver_at, ver_sent = excluded.ver_sent, body = excluded.body`,
		s.ID, s.CustomerID, s.ProductID, s.Status, micros(s.PastDueAt), micros(s.CanceledAt), micros(s.EndedAt), micros(s.PausedAt),
		standings, micros(r.At), micros(r.PastDueAt), string(s.Fields), micros(s.Version.At), micros(s.Version.Sent), string(s.Body))
	return err
}

func (a *applier) orderOf(o grant.Order) error {
	newer, _, err := a.newer("orders", o.ID, o.Version)
	if err != nil || !newer {
		return err
	}
	if _, err := a.exec(`INSERT INTO orders (id, customer_id, product_id, subscription_id, status, total, fields, ver_at, ver_sent)
		VALUES ($1, $2, $3, $4, $5, $6, `+unlessForgotten("$2", "$7")+`, $8, $9)
		ON CONFLICT (id) DO UPDATE SET customer_id = excluded.customer_id, product_id = excluded.product_id,
			subscription_id = excluded.subscription_id, status = excluded.status, total = excluded.total,
			fields = excluded.fields, ver_at = excluded.ver_at, ver_sent = excluded.ver_sent`,
		o.ID, o.CustomerID, o.ProductID, o.SubscriptionID, o.Status, o.Total, string(o.Fields),
		micros(o.Version.At), micros(o.Version.Sent)); err != nil {
		return err
	}
	if err := a.touchWhere(ofScope, o.SubscriptionID); err != nil { // its fields may name an account
		return err
	}
	return a.touchWhere(ofScope, o.ID)
}

func (a *applier) refund(r grant.Refund) error {
	newer, _, err := a.newer("refunds", r.ID, r.Version)
	if err != nil || !newer {
		return err
	}
	if _, err := a.exec(`INSERT INTO refunds (id, order_id, status, amount, revoke_benefits, ver_at, ver_sent)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (id) DO UPDATE SET order_id = excluded.order_id, status = excluded.status, amount = excluded.amount,
			revoke_benefits = excluded.revoke_benefits, ver_at = excluded.ver_at, ver_sent = excluded.ver_sent`,
		r.ID, r.OrderID, r.Status, r.Amount, flag(r.RevokeBenefits), micros(r.Version.At), micros(r.Version.Sent)); err != nil {
		return err
	}
	return a.touchWhere(ofScope, r.OrderID)
}
