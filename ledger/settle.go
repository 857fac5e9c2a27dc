package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"fulfilld/grant"
)

// settle works out what is owed for each kind of a grant and makes due what has
// changed. It compares with what the current generation stands for, so news
// that change nothing cause no work.
func (a *applier) settle(grantID string) error {
	var f facts
	if err := a.row(`SELECT `+factColumns+` FROM grants g `+factJoins+` WHERE g.id = $1`, []any{grantID}, f.into()...); err != nil {
		return err
	}
	facts, route, err := f.judge(a.l.opts.Settle)
	if err != nil {
		return err
	}
	have, err := a.fulfilments(grantID)
	if err != nil {
		return err
	}
	for _, t := range route.Targets {
		cycles, err := a.recycle(grantID, t)
		if err != nil {
			return err
		}
		whose, err := a.whose(grantID, t)
		if err != nil {
			return err
		}
		shown, err := a.shown(grantID, t)
		if err != nil {
			return err
		}
		if err := a.want(have[t.Kind], grantID, t, facts, f.fingerprint(cycles)+whose+shown); err != nil {
			return err
		}
		delete(have, t.Kind)
	}
	facts.Unrouted = true
	for kind, old := range have {
		if err := a.want(old, grantID, grant.Target{Kind: kind, Managed: old.state != grant.Unmanaged}, facts, ""); err != nil {
			return err
		}
	}
	return nil
}

// fingerprint is all that makes a Grant different from the last one.
func (f *facts) fingerprint(cycles int64) string {
	return fmt.Sprintf("/%d/%d/%s/%d/%d", f.spec, f.first, account(f.properties), cycles, f.told)
}

// whose is the account that a kind which deals with accounts is to serve.
func (a *applier) whose(grantID string, t grant.Target) (string, error) {
	if t.Account == "" {
		return "", nil
	}
	g := grant.Grant{ID: grantID}
	var kind, properties string
	if err := a.row(`SELECT g.customer_id, g.member_id, g.subscription_id, g.order_id, g.properties, coalesce(b.type, '')
		FROM grants g LEFT JOIN benefits b ON b.id = g.benefit_id WHERE g.id = $1`, []any{grantID},
		&g.CustomerID, &g.MemberID, &g.SubscriptionID, &g.OrderID, &properties, &kind); err != nil {
		return "", err
	}
	g.Properties = raw(properties)
	whose, err := a.account(a.l, g, kind == t.Kind, t.Account)
	return "/" + told(whose), err
}

// customKind is the kind that tells somebody who the customer is.
const customKind = "custom"

// shown stands for what is told of the customer: once it has changed it is to be
// told again. Of the rest of what the platform says of a customer, some changes with
// every purchase.
func (a *applier) shown(grantID string, t grant.Target) (string, error) {
	if t.Kind != customKind {
		return "", nil
	}
	var external, email, name string
	err := a.row(`SELECT coalesce(c.external_id, ''), coalesce(c.email, ''), coalesce(c.name, '')
		FROM grants g LEFT JOIN customers c ON c.id = g.customer_id WHERE g.id = $1`, []any{grantID}, &external, &email, &name)
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", external, email, name))
	return "/" + hex.EncodeToString(sum[:8]), err
}

// fulfilmentRow is what settle needs of a fulfilment; the zero value is none.
type fulfilmentRow struct {
	id, wanted, because     string
	state                   grant.State
	generation, starts, due int64
	held                    bool // a worker looked at it and has not recorded yet
}

func (a *applier) fulfilments(grantID string) (map[string]fulfilmentRow, error) {
	if _, ok := a.fresh[grantID]; ok {
		return nil, nil
	}
	s, err := a.stmt(`SELECT f.kind, f.id, f.wanted, f.because, f.state, f.generation, f.starts, f.due_at,
		f.lease_token <> ''
		FROM fulfilments f WHERE f.id > $1 || '.' AND f.id < $1 || '/' {{lock}}`)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(a.ctx, grantID)
	if err != nil {
		return nil, err
	}
	have := map[string]fulfilmentRow{}
	_, err = collect(rows, func(r rowScanner) (struct{}, error) {
		var kind string
		var f fulfilmentRow
		err := r.Scan(&kind, &f.id, &f.wanted, &f.because, &f.state, &f.generation, &f.starts, &f.due, &f.held)
		have[kind] = f
		return struct{}{}, err
	})
	return have, err
}

// aim is what a generation stands for, and the state it begins in.
type aim struct {
	wanted  string
	state   grant.State
	work    bool  // there is something to do at once
	again   int64 // when time alone may change it
	because string
	revoke  bool
}

func aimOf(v grant.Verdict, managed bool, state grant.State, details string) aim {
	g := aim{wanted: string(v.Desired), state: grant.Pending, work: true, again: micros(v.Again), because: v.Because}
	switch {
	case !managed:
		g.wanted, g.state, g.work, g.again = string(grant.Unmanaged), grant.Unmanaged, false, 0
	case v.Desired == grant.OwedGranted:
		g.wanted += details
		if state == grant.Granted {
			g.state = state
		}
	case v.Desired == grant.OwedRevoked:
		g.state, g.revoke = grant.Revoking, true
		if state == grant.Revoked {
			g.state = state
		}
	default:
		g.work = false
	}
	return g
}

// want makes a fulfilment due when it should be something else than its
// generation stands for. A worker that has it would record why it is owed, and
// until when, as it saw them: where these have changed, it must look again.
func (a *applier) want(old fulfilmentRow, grantID string, t grant.Target, facts grant.Facts, fingerprint string) error {
	g := aimOf(grant.Owed(facts, time.Now()), t.Managed, old.state, fingerprint)
	sooner := g.again > 0 && (old.due == 0 || old.due > g.again)
	another := old.because != g.because && g.state == grant.Revoking // one that does not wait to settle, perhaps
	switch {
	case old.id == "":
		return a.insertFulfilment(grantID, t.Kind, g)
	case old.wanted != g.wanted, another, old.held && (g.again > 0 || old.because != g.because):
		return a.bump(old, t.Kind, g)
	case sooner || old.because != g.because:
		_, err := a.exec(`UPDATE fulfilments SET due_at = CASE WHEN $2 = 1 THEN $3 ELSE due_at END, because = $4 WHERE id = $1`,
			old.id, flag(sooner), g.again, g.because)
		return err
	}
	return nil
}

func (a *applier) insertFulfilment(grantID, kind string, g aim) error {
	id := grant.FulfilmentID(grantID, kind)
	if g.work {
		a.due = append(a.due, grant.Due{ID: id, Kind: kind, Generation: 1, Revoke: g.revoke})
	}
	_, err := a.exec(`INSERT INTO fulfilments (id, grant_id, kind, generation, observed_generation, state, wanted, because, applied, properties,
			attempts, since, due_at, starts, lease_token, lease_until, error_class, error_code, error_text, event_at, done_at, created_at, updated_at)
		VALUES ($1, $2, $3, 1, 0, $4, $5, $6, '', '', 0, 0, CASE WHEN $7 = 1 THEN {{now}} ELSE $8 END, 0, '', 0, '', '', '', $9, 0, {{now}}, {{now}})`,
		id, grantID, kind, string(g.state), g.wanted, g.because, flag(g.work), g.again, micros(a.at))
	return err
}

// bump begins a new generation: the old one's failures no longer count.
func (a *applier) bump(old fulfilmentRow, kind string, g aim) error {
	if g.work {
		a.due = append(a.due, grant.Due{ID: old.id, Kind: kind, Generation: old.generation + 1, Starts: old.starts, Revoke: g.revoke})
	}
	_, err := a.exec(`UPDATE fulfilments SET generation = generation + 1, wanted = $2, state = $3, because = $4, attempts = 0, since = 0,
			error_class = '', error_code = '', error_text = '',
			due_at = CASE WHEN $5 = 1 THEN {{now}} ELSE $6 END, event_at = CASE WHEN $7 > {{now}} THEN {{now}} ELSE $7 END, updated_at = {{now}} WHERE id = $1`,
		old.id, g.wanted, string(g.state), g.because, flag(g.work), g.again, micros(a.at))
	return err
}

// recycle hands the grant's renewals to a kind that acts on them, and counts
// them; credits count the end of their last life, too. A kind that comes late has
// missed what was renewed before.
func (a *applier) recycle(grantID string, t grant.Target) (n int64, err error) {
	if !t.Cycles {
		return 0, nil
	}
	late, err := a.isLate(grantID, t.Kind)
	if err != nil {
		return 0, err
	}
	if _, err := a.exec(`INSERT INTO cycles (grant_id, kind, cycle_key, recorded_at, done_at)
		SELECT grant_id, $2, cycle_key, recorded_at, CASE WHEN $3 = 1 THEN {{now}} ELSE 0 END FROM cycles WHERE grant_id = $1 AND kind = ''
		ON CONFLICT DO NOTHING`, grantID, t.Kind, flag(late)); err != nil {
		return 0, err
	}
	if late {
		if _, err := a.exec(`UPDATE cycles SET done_at = {{now}} WHERE grant_id = $1 AND kind = $2 AND done_at = 0`, grantID, t.Kind); err != nil {
			return 0, err
		}
	}
	if err = a.row(`SELECT count(*) FROM cycles WHERE grant_id = $1 AND kind = $2`, []any{grantID, t.Kind}, &n); err != nil || t.Kind != creditKind {
		return n, err
	}
	shop, err := a.ending(grantID)
	return n + shop.over, err // both only ever grow
}
