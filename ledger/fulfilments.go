package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"fulfilld/grant"
)

// Due returns up to limit fulfilments of a kind that want work and are not
// under a lease: what is to be taken away first, then the longest due.
func (l *Ledger) Due(ctx context.Context, kind string, limit int) ([]grant.Due, error) {
	first, err := l.due(ctx, ` AND f.state = 'revoking'`, kind, limit)
	if err != nil || len(first) >= limit {
		return first, err
	}
	rest, err := l.due(ctx, ` AND f.state <> 'revoking'`, kind, limit-len(first))
	return append(first, rest...), err
}

func (l *Ledger) due(ctx context.Context, where, kind string, limit int) ([]grant.Due, error) {
	rows, err := l.read.QueryContext(ctx, l.engine.sql(`SELECT f.id, f.kind, f.generation, f.starts, CASE WHEN f.state = 'revoking' THEN 1 ELSE 0 END
		FROM fulfilments f WHERE f.kind = $1 AND f.due_at > 0 AND f.due_at <= {{now}} AND f.lease_until <= {{now}}`+where+`
		ORDER BY f.due_at LIMIT $2`), kind, limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(r rowScanner) (d grant.Due, err error) {
		var revoke int64
		err = r.Scan(&d.ID, &d.Kind, &d.Generation, &d.Starts, &revoke)
		d.Revoke = revoke > 0
		return d, err
	})
}

// Look takes the lease of a fulfilment that is due and reads what is owed for
// it. It returns ErrNotFound when there is nothing to do: not due, done by
// another, or under another's lease.
func (l *Ledger) Look(ctx context.Context, id string, lease time.Duration) (h grant.Held, err error) {
	token, due := uuid.NewString(), false
	err = l.writers.do(ctx, work, func(t *tx) error {
		n, err := t.exec(`UPDATE fulfilments SET lease_token = $2, lease_until = {{now}} + $3, starts = starts + 1
			WHERE id = $1 AND due_at > 0 AND due_at <= {{now}} AND lease_until <= {{now}}`, id, token, lease.Microseconds())
		if due = n > 0; err != nil || !due { // nothing to do is no error: it would undo the neighbours' commit
			return err
		}
		h, err = l.held(t, id, token)
		return err
	})
	if err == nil && !due {
		err = ErrNotFound
	}
	return h, err
}

// Renew extends a lease; ErrNotFound when it was lost.
func (l *Ledger) Renew(ctx context.Context, h grant.Held, lease time.Duration) error {
	var n int64
	err := l.writers.do(ctx, work, func(t *tx) (err error) {
		n, err = t.exec(`UPDATE fulfilments SET lease_until = {{now}} + $3 WHERE id = $1 AND lease_token = $2`, h.ID, h.Token, lease.Microseconds())
		return err
	})
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

// held reads everything about a fulfilment in one statement, so that the
// generation belongs to the facts it is judged by.
func (l *Ledger) held(t *tx, id, token string) (grant.Held, error) {
	h := grant.Held{Token: token}
	h.ID = id
	var f facts
	var r heldRow
	err := t.row(`SELECT `+heldColumns+`, `+factColumns+` FROM fulfilments f JOIN grants g ON g.id = f.grant_id `+factJoins+
		` WHERE f.id = $1`, []any{id}, append(r.into(&h), f.into()...)...)
	if err != nil {
		return h, err
	}
	facts, route, err := f.judge(l.opts.Settle)
	if err != nil {
		return h, err
	}
	var routed bool
	h.Target, routed = target(route, h.Kind)
	facts.Unrouted = !routed
	h.Verdict = grant.Owed(facts, time.Now())
	r.fill(&h, &f)
	if h.Target.Cycles {
		h.Cycles, err = t.strings(`SELECT cycle_key FROM cycles WHERE grant_id = $1 AND kind = $2 AND done_at = 0 ORDER BY cycle_key`, h.Grant.ID, h.Kind)
	}
	return h, err
}

const heldColumns = `f.kind, f.generation, f.observed_generation, f.state, f.applied, f.attempts, f.since, f.event_at,
	f.properties, g.id, g.benefit_id, g.customer_id, g.member_id, g.subscription_id, g.order_id,
	g.created_at, g.modified_at, g.granted_at, g.revoked_at, g.previous,
	coalesce(b.organization_id, ''), coalesce(b.type, ''), coalesce(b.description, ''), coalesce(b.properties, ''), coalesce(b.metadata, ''),
	coalesce(c.organization_id, ''), coalesce(c.external_id, ''), coalesce(c.email, ''), coalesce(c.name, ''), coalesce(c.body, ''), coalesce(m.body, '')`

// heldRow takes what needs turning into the nouns' types.
type heldRow struct {
	observed, since, eventAt, created, modified, granted, revoked int64
	applied, properties, previous, benefitProps, metadata         string
	customerBody, memberBody                                      string
}

func (r *heldRow) into(h *grant.Held) []any {
	return []any{
		&h.Kind, &h.Generation, &r.observed, &h.State, &r.applied, &h.Attempts, &r.since, &r.eventAt,
		&r.properties, &h.Grant.ID, &h.Grant.BenefitID, &h.Grant.CustomerID, &h.Grant.MemberID, &h.Grant.SubscriptionID, &h.Grant.OrderID,
		&r.created, &r.modified, &r.granted, &r.revoked, &r.previous,
		&h.Benefit.OrganizationID, &h.Benefit.Type, &h.Benefit.Description, &r.benefitProps, &r.metadata,
		&h.Customer.OrganizationID, &h.Customer.ExternalID, &h.Customer.Email, &h.Customer.Name, &r.customerBody, &r.memberBody,
	}
}

func (r *heldRow) fill(h *grant.Held, f *facts) {
	h.Since = timeOf(r.since)
	h.EventAt, h.Seen = timeOf(r.eventAt), r.observed >= h.Generation
	g := &h.Grant
	g.Source, g.FirstGrantedAt = grant.Source(f.source), timeOf(f.first)
	g.CreatedAt, g.ModifiedAt, g.GrantedAt, g.RevokedAt = timeOf(r.created), timeOf(r.modified), timeOf(r.granted), timeOf(r.revoked)
	g.Properties, g.Previous = raw(f.properties), raw(r.previous)
	h.Benefit.ID, h.Customer.ID = g.BenefitID, g.CustomerID
	h.Benefit.Properties, h.Customer.Body = raw(r.benefitProps), raw(r.customerBody)
	_ = json.Unmarshal([]byte(r.metadata), &h.Benefit.Metadata) // our own marshalling
	_ = json.Unmarshal([]byte(r.properties), &h.Properties)
	h.Applied = raw(r.applied)
	if r.memberBody != "" {
		h.Member = &grant.Member{ID: g.MemberID, CustomerID: g.CustomerID, Body: raw(r.memberBody)}
	}
}

func raw(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	return json.RawMessage(s)
}

// Record writes down what a worker saw, and ends the lease. It returns the
// fulfilment when that is due again at once. When the lease was lost meanwhile
// only the journal is written, and lost is true.
func (l *Ledger) Record(ctx context.Context, h grant.Held, o grant.Outcome) (again *grant.Due, lost bool, err error) {
	properties, applied := "", string(o.Applied)
	if o.Properties != nil {
		text, err := json.Marshal(o.Properties)
		if err != nil {
			return nil, false, err
		}
		properties = string(text)
	}
	err = l.writers.do(ctx, work, func(t *tx) error {
		again, lost = nil, false
		if err := t.journal(h, o); err != nil {
			return err
		}
		if o.CycleDone != "" {
			if _, err := t.exec(`UPDATE cycles SET done_at = {{now}} WHERE grant_id = $1 AND kind = $2 AND cycle_key = $3`,
				h.Grant.ID, h.Kind, o.CycleDone); err != nil {
				return err
			}
		}
		d := grant.Due{ID: h.ID, Kind: h.Kind}
		var due, now int64
		var state grant.State
		err := t.row(`UPDATE fulfilments SET
				state = CASE WHEN generation = $3 THEN $4 ELSE state END,
				due_at = CASE WHEN generation = $3 THEN $5 ELSE {{now}} END,
				observed_generation = CASE WHEN $6 = 1 THEN $3 ELSE observed_generation END,
				done_at = CASE WHEN $6 = 1 THEN {{now}} ELSE done_at END,
				properties = CASE WHEN $7 = '' THEN properties ELSE $7 END,
				applied = CASE WHEN $8 = '' THEN applied ELSE $8 END,
				attempts = $9, since = $10, error_class = $11, error_code = $12, error_text = $13, because = $14,
				lease_token = '', lease_until = 0, updated_at = {{now}}
			WHERE id = $1 AND lease_token = $2 RETURNING generation, starts, state, due_at, {{now}}`,
			[]any{
				h.ID, h.Token, h.Generation, string(o.State), micros(o.DueAt), flag(o.Done), properties, applied,
				o.Attempts, micros(o.Since), o.Class, o.Code, o.Text, h.Verdict.Because,
			}, &d.Generation, &d.Starts, &state, &due, &now)
		if errors.Is(err, ErrNotFound) {
			lost = true
			return nil
		}
		if err == nil && due > 0 && due <= now {
			d.Revoke = state == grant.Revoking
			again = &d
		}
		return err
	})
	return again, lost, err
}

// journal appends what happened; an outcome equal to the last is folded into it.
func (t *tx) journal(h grant.Held, o grant.Outcome) error {
	if o.Action == grant.DoNothing {
		return nil
	}
	if h.Attempts > 0 || h.State == grant.Waiting {
		n, err := t.exec(`UPDATE attempts SET count = count + 1, last_at = {{now}}, took = $6
			WHERE id = (SELECT max(id) FROM attempts WHERE fulfilment_id = $1) AND action = $2 AND class = $3 AND code = $4 AND detail = $5`,
			h.ID, string(o.Action), o.Class, o.Code, o.Text, o.Took.Microseconds())
		if err != nil || n > 0 {
			return err
		}
	}
	_, err := t.exec(`INSERT INTO attempts (fulfilment_id, action, class, code, detail, took, count, first_at, last_at)
		VALUES ($1, $2, $3, $4, $5, $6, 1, {{now}}, {{now}})`,
		h.ID, string(o.Action), o.Class, o.Code, o.Text, o.Took.Microseconds())
	return err
}

// Retry makes a grant's fulfilments due now, whatever they waited for, and
// returns them.
func (l *Ledger) Retry(ctx context.Context, grantID string) (due []grant.Due, err error) {
	err = l.writers.do(ctx, work, func(t *tx) error {
		due = nil
		a := applier{tx: t, l: l}
		if err := a.settle(grantID); err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE fulfilments SET due_at = {{now}}, attempts = 0, since = 0,
				state = CASE WHEN state IN ('failed', 'waiting') THEN 'pending' ELSE state END
			WHERE id > $1 || '.' AND id < $1 || '/' AND state <> 'unmanaged' AND wanted <> 'none'`, grantID); err != nil {
			return err
		}
		s, err := t.stmt(`SELECT id, kind, generation, starts FROM fulfilments WHERE id > $1 || '.' AND id < $1 || '/' AND due_at > 0`)
		if err != nil {
			return err
		}
		rows, err := s.Query(grantID)
		if err != nil {
			return err
		}
		due, err = collect(rows, func(r rowScanner) (d grant.Due, err error) {
			err = r.Scan(&d.ID, &d.Kind, &d.Generation, &d.Starts)
			return d, err
		})
		return err
	})
	return due, err
}

// Troubles counts what a person must look at: fulfilments that failed, and
// revocations that their provider refuses.
func (l *Ledger) Troubles(ctx context.Context) (failed, stuck int64, err error) {
	err = l.read.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM fulfilments WHERE state = 'failed'),
		(SELECT count(*) FROM fulfilments WHERE due_at > 0 AND state = 'revoking' AND error_class IN ('permanent', 'action_required'))`).Scan(&failed, &stuck)
	return failed, stuck, err
}
