package ledger

import (
	"encoding/json"

	"fulfilld/grant"
)

// grant merges what an event says of a grant. Only the newest version's data
// is kept; each of the shop's words keeps a clock of its own.
func (a *applier) grant(g grant.Grant) error {
	fresh, err := a.insertGrant(g)
	if err != nil {
		return err
	}
	if fresh {
		a.fresh[g.ID] = struct{}{}
	} else if err := a.mergeGrant(g); err != nil {
		return err
	}
	a.touch(g.ID)
	if g.Cycle == "" {
		return nil
	}
	n, err := a.exec(`INSERT INTO cycles (grant_id, kind, cycle_key, recorded_at, done_at) VALUES ($1, '', $2, {{now}}, 0)
		ON CONFLICT DO NOTHING`, g.ID, g.Cycle)
	if n > 0 && a.l.hears(grant.TellsCycled) {
		a.renewed = append(a.renewed, g.ID)
	}
	return err
}

func (a *applier) mergeGrant(g grant.Grant) error {
	had, err := a.grantClocks(g.ID)
	if err != nil {
		return err
	}
	said, first := had.said.Hear(g.Word, g.Version), earliest(had.first, micros(g.GrantedAt))
	if newer := had.beatenBy(g); newer || said != had.said || first != had.first || had.vague {
		return a.updateGrant(g, said, first, newer)
	}
	return nil
}

func earliest(a, b int64) int64 {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

type clocks struct {
	said    grant.Said
	version grant.Version
	first   int64
	vague   bool // nothing has told its scope or its member yet
}

// beatenBy reports whether a body's data replace what is known: it is newer, or
// as new and its word is the stronger.
func (c clocks) beatenBy(g grant.Grant) bool {
	switch cmp := g.Version.Compare(c.version); {
	case cmp != 0 || c.said.Revoked.Compare(g.Version) == 0:
		return cmp > 0
	case g.Word == grant.SaysRevoked:
		return true
	default:
		return g.Word == grant.SaysGranted && c.said.Granted.Compare(g.Version) != 0
	}
}

func (a *applier) grantClocks(id string) (c clocks, err error) {
	var v [8]int64
	var scope, member string
	err = a.row(`SELECT none_at, none_sent, grant_at, grant_sent, revoke_at, revoke_sent, ver_at, ver_sent, first_granted_at,
		subscription_id || order_id, member_id FROM grants WHERE id = $1`, []any{id},
		&v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7], &c.first, &scope, &member)
	c.vague = scope == "" || member == ""
	c.said = saidOf([6]int64(v[:6]))
	c.version = grant.Version{At: timeOf(v[6]), Sent: timeOf(v[7])}
	return c, err
}

func saidOf(v [6]int64) grant.Said {
	at := func(i int) grant.Version { return grant.Version{At: timeOf(v[i]), Sent: timeOf(v[i+1])} }
	return grant.Said{None: at(0), Granted: at(2), Revoked: at(4)}
}

func saidArgs(s grant.Said) []any {
	return []any{
		micros(s.None.At), micros(s.None.Sent), micros(s.Granted.At), micros(s.Granted.Sent),
		micros(s.Revoked.At), micros(s.Revoked.Sent), string(s.Word()),
	}
}

// insertGrant inserts a grant that is not known; fresh is false when it is.
func (a *applier) insertGrant(g grant.Grant) (fresh bool, err error) {
	var said grant.Said
	args := append(saidArgs(said.Hear(g.Word, g.Version)), g.ID, g.BenefitID, g.CustomerID, g.MemberID, g.SubscriptionID, g.OrderID, string(g.Source),
		micros(g.CreatedAt), micros(g.ModifiedAt), micros(g.GrantedAt), micros(g.RevokedAt), micros(g.GrantedAt),
		string(g.Error), string(g.Properties), string(g.Previous), micros(g.Version.At), micros(g.Version.Sent))
	n, err := a.exec(`INSERT INTO grants (none_at, none_sent, grant_at, grant_sent, revoke_at, revoke_sent, word,
			id, benefit_id, customer_id, member_id, subscription_id, order_id, source,
			created_at, modified_at, granted_at, revoked_at, first_granted_at, error, properties, previous, ver_at, ver_sent)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)
		ON CONFLICT (id) DO NOTHING`, args...)
	return n > 0, err
}

// updateGrant keeps the scope and member where the newer body does not say, and
// takes them from an older one where nothing else has told.
func (a *applier) updateGrant(g grant.Grant, said grant.Said, first int64, newer bool) error {
	args := append(saidArgs(said), g.ID, first)
	if _, err := a.exec(`UPDATE grants SET none_at = $1, none_sent = $2, grant_at = $3, grant_sent = $4, revoke_at = $5, revoke_sent = $6,
		word = $7, first_granted_at = $9 WHERE id = $8`, args...); err != nil {
		return err
	}
	if !newer {
		_, err := a.exec(`UPDATE grants SET member_id = CASE WHEN member_id = '' THEN $2 ELSE member_id END,
				subscription_id = CASE WHEN subscription_id = '' THEN $3 ELSE subscription_id END,
				order_id = CASE WHEN order_id = '' THEN $4 ELSE order_id END WHERE id = $1`,
			g.ID, g.MemberID, g.SubscriptionID, g.OrderID)
		return err
	}
	_, err := a.exec(`UPDATE grants SET benefit_id = $2, customer_id = $3,
			member_id = CASE WHEN $4 = '' THEN member_id ELSE $4 END,
			subscription_id = CASE WHEN $5 = '' THEN subscription_id ELSE $5 END,
			order_id = CASE WHEN $6 = '' THEN order_id ELSE $6 END,
			created_at = $7, modified_at = $8, granted_at = $9, revoked_at = $10, error = $11,
			properties = $12, previous = $13, ver_at = $14, ver_sent = $15 WHERE id = $1`,
		g.ID, g.BenefitID, g.CustomerID, g.MemberID, g.SubscriptionID, g.OrderID,
		micros(g.CreatedAt), micros(g.ModifiedAt), micros(g.GrantedAt), micros(g.RevokedAt),
		string(g.Error), string(g.Properties), string(g.Previous), micros(g.Version.At), micros(g.Version.Sent))
	return err
}

// account is the provider's account that the platform names in a grant.
func account(properties string) string {
	var p struct {
		AccountID string `json:"account_id"`
	}
	_ = json.Unmarshal([]byte(properties), &p) // whatever else it holds is not ours to judge
	return p.AccountID
}
