package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
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
	rows, err := l.read.QueryContext(ctx, l.engine.sql(`SELECT `+dueColumns+` FROM fulfilments f WHERE f.kind = $1 AND f.due_at > 0 AND f.due_at <= {{now}} AND f.lease_until <= {{now}}`+where+`
		ORDER BY f.due_at LIMIT $2`), kind, limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanDue)
}

const dueColumns = `f.id, f.kind, f.generation, f.starts, CASE WHEN f.state = 'revoking' THEN 1 ELSE 0 END`

func scanDue(r rowScanner) (d grant.Due, err error) {
	var revoke int64
	err = r.Scan(&d.ID, &d.Kind, &d.Generation, &d.Starts, &revoke)
	d.Revoke = revoke > 0
	return d, err
}

// Look takes the lease of a fulfilment that is due and reads what is owed for
// it. It returns ErrNotFound when there is nothing to do: not due, done by
// another, or under another's lease.
func (l *Ledger) Look(ctx context.Context, id string, lease time.Duration) (grant.Held, error) {
	token := uuid.NewString()
	h, err := ask(ctx, l.writers, work, func(t *tx) (grant.Held, error) {
		n, err := t.exec(`UPDATE fulfilments SET lease_token = $2, lease_until = {{now}} + $3, starts = starts + 1
			WHERE id = $1 AND due_at > 0 AND due_at <= {{now}} AND lease_until <= {{now}}`, id, token, lease.Microseconds())
		if err != nil || n == 0 { // nothing to do is no error: it would undo the neighbours' commit
			return grant.Held{}, err
		}
		return l.held(t, id, "")
	})
	if err == nil && h.Token == "" {
		err = ErrNotFound
	}
	return h, err
}

// Renew extends a lease; ErrNotFound when it was lost.
func (l *Ledger) Renew(ctx context.Context, h grant.Held, lease time.Duration) error {
	n, err := ask(ctx, l.writers, work, func(t *tx) (int64, error) {
		n, err := t.exec(`UPDATE fulfilments SET lease_until = {{now}} + $3 WHERE id = $1 AND lease_token = $2 AND lease_until > {{now}}`, h.ID, h.Token, lease.Microseconds())
		if err == nil && n > 0 {
			_, err = t.exec(`UPDATE resources SET lease_until = {{now}} + $2 WHERE lease_token = $1`, h.Token, lease.Microseconds())
		}
		return n, err
	})
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

// Remember stores properties while the work goes on; ErrNotFound when its lease was
// lost.
func (l *Ledger) Remember(ctx context.Context, h grant.Held, p grant.Properties) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	n, err := ask(ctx, l.writers, work, func(t *tx) (int64, error) {
		return t.exec(`UPDATE fulfilments SET properties = $3 WHERE id = $1 AND lease_token = $2 AND lease_until > {{now}}`, h.ID, h.Token, string(text))
	})
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

// held reads everything about a fulfilment in one statement, so that the
// generation belongs to the facts it is judged by.
func (l *Ledger) held(t *tx, id, where string) (grant.Held, error) {
	var h grant.Held
	h.ID = id
	var f facts
	var r heldRow
	err := t.row(`SELECT `+heldColumns+`, `+factColumns+` FROM fulfilments f JOIN grants g ON g.id = f.grant_id `+factJoins+
		` WHERE f.id = $1`+where, []any{id}, append(r.into(&h), f.into()...)...)
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
	if err := l.turn(t, &h, &r); err != nil {
		return h, err
	}
	r.fill(&h, &f)
	if h.Target.Account != "" {
		h.Account, err = t.account(l, h.Grant, h.Kind == h.Benefit.Type, h.Target.Account)
	}
	if err == nil && h.Target.Cycles {
		h.Cycles, err = t.strings(`SELECT cycle_key FROM cycles WHERE grant_id = $1 AND kind = $2 AND done_at = 0 ORDER BY cycle_key`, h.Grant.ID, h.Kind)
	}
	return h, err
}

// turn begins a new generation when time alone has changed what is owed: else
// the next news would find the old one as good as done.
func (l *Ledger) turn(t *tx, h *grant.Held, r *heldRow) error {
	if r.wanted == string(grant.Unmanaged) || strings.HasPrefix(r.wanted, string(h.Verdict.Desired)) {
		return nil
	}
	g := aimOf(h.Verdict, true, h.State, "")
	h.Generation, h.State = h.Generation+1, g.state
	r.attempts, r.since, r.eventAt = 0, 0, 0
	a := applier{tx: t, l: l}
	return a.bump(fulfilmentRow{id: h.ID}, h.Kind, g)
}

const heldColumns = `f.kind, f.state, f.wanted, f.applied, f.properties, f.lease_token,
	g.id, g.benefit_id, g.customer_id, g.member_id, g.subscription_id, g.order_id, g.previous,
	coalesce(b.organization_id, ''), coalesce(b.type, ''), coalesce(b.description, ''), coalesce(b.properties, ''), coalesce(b.metadata, ''),
	coalesce(c.organization_id, ''), coalesce(c.external_id, ''), coalesce(c.email, ''), coalesce(c.name, ''), coalesce(c.body, ''), coalesce(m.body, ''),
	concat_ws(' ', f.generation, f.starts, f.observed_generation, f.attempts, f.since, f.event_at, f.asked,
		g.created_at, g.modified_at, g.granted_at, g.revoked_at)`

// heldRow takes what needs turning into the nouns' types.
type heldRow struct {
	observed, attempts, since, eventAt, asked, created, modified, granted, revoked int64
	wanted, applied, properties, previous, benefitProps, metadata                  string
	customerBody, memberBody                                                       string
}

func (r *heldRow) into(h *grant.Held) []any {
	return []any{
		&h.Kind, &h.State, &r.wanted, &r.applied, &r.properties, &h.Token,
		&h.Grant.ID, &h.Grant.BenefitID, &h.Grant.CustomerID, &h.Grant.MemberID, &h.Grant.SubscriptionID, &h.Grant.OrderID, &r.previous,
		&h.Benefit.OrganizationID, &h.Benefit.Type, &h.Benefit.Description, &r.benefitProps, &r.metadata,
		&h.Customer.OrganizationID, &h.Customer.ExternalID, &h.Customer.Email, &h.Customer.Name, &r.customerBody, &r.memberBody,
		numbers{&h.Generation, &h.Starts, &r.observed, &r.attempts, &r.since, &r.eventAt, &r.asked, &r.created, &r.modified, &r.granted, &r.revoked},
	}
}

func (r *heldRow) fill(h *grant.Held, f *facts) {
	h.Attempts, h.Since = int(r.attempts), timeOf(r.since)
	h.EventAt, h.Seen, h.Asked = timeOf(r.eventAt), r.observed >= h.Generation, r.asked > 0
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
	rec, err := askLocking(ctx, l.writers, len(h.Holds) > 0 || l.hearsGrants(), func(t *tx) (recorded, error) {
		was, err := t.marked(l, h.Grant.ID)
		if err != nil {
			return recorded{}, err
		}
		return t.recordAndTell(l, h, o, was)
	})
	return l.recorded(rec, err)
}

// recorded passes on what came of recording.
func (l *Ledger) recorded(rec recorded, err error) (*grant.Due, bool, error) {
	if err == nil && rec.told {
		l.opts.OnDelivery()
	}
	return rec.again, rec.lost, err
}

// recordAndTell is record, and tells whoever wants to hear of it.
func (t *tx) recordAndTell(l *Ledger, h grant.Held, o grant.Outcome, was mark) (rec recorded, err error) {
	rec, err = t.record(h, o)
	switch {
	case err != nil || !l.hearsGrants():
	case rec.lost:
		err = t.unmark(h.Grant.ID, was)
	default:
		rec.told, err = t.announce(l, h, was)
	}
	return rec, err
}

// recorded is what came of recording.
type recorded struct {
	again *grant.Due
	lost  bool
	told  bool // there is something to be delivered
}

func (t *tx) record(h grant.Held, o grant.Outcome) (rec recorded, err error) {
	properties := ""
	if o.Properties != nil {
		text, err := json.Marshal(o.Properties)
		if err != nil {
			return rec, err
		}
		properties = string(text)
	}
	if err := errors.Join(t.journal(h, o), t.part(h, o)); err != nil {
		return rec, err
	}
	if o.CycleDone != "" {
		if _, err := t.exec(`UPDATE cycles SET done_at = {{now}} WHERE grant_id = $1 AND kind = $2 AND cycle_key = $3`,
			h.Grant.ID, h.Kind, o.CycleDone); err != nil {
			return rec, err
		}
	}
	seen := []any{h.ID, h.Token, h.Generation, flag(o.Done), properties, string(o.Applied)}
	atOnce := !o.DueAt.IsZero() && !o.DueAt.After(time.Now()) // by the database's clock, which may lag behind ours
	failure := o.Text
	if o.Class == "" { // a remark on what succeeded is the journal's alone
		failure = ""
	}
	n, err := t.exec(recordUnchanged, append(seen, string(o.State), micros(o.DueAt),
		o.Attempts, micros(o.Since), o.Class, o.Code, failure, h.Verdict.Because, flag(atOnce), h.Starts)...)
	if err != nil || n > 0 {
		if atOnce {
			rec.again = &grant.Due{ID: h.ID, Kind: h.Kind, Generation: h.Generation, Starts: h.Starts, Revoke: o.State == grant.Revoking}
		}
		return rec, err
	}
	rec.again, err = t.recordMoved(h, seen)
	rec.lost = rec.again == nil
	if err == nil && rec.lost {
		err = errors.Join(t.doubt(h.ID), t.holdAgain(h))
	}
	return rec, err
}

// part ends the leases of what a fulfilment dealt with, and lets go of what it is
// through with, if nobody else has taken its lease. Where somebody has taken a
// resource's, it is not known who acted last, and all is seen to again.
func (t *tx) part(h grant.Held, o grant.Outcome) error {
	if len(h.Holds) == 0 {
		return nil
	}
	var one int64
	err := t.row(`SELECT 1 FROM fulfilments WHERE id = $1 AND lease_token = $2 {{lock}}`, []any{h.ID, h.Token}, &one)
	if err != nil {
		return ignore(err)
	}
	for _, r := range h.Holds {
		err := t.row(`SELECT 1 FROM resources WHERE provider = $1 AND name = $2 AND account = $3 AND lease_token = $4 {{lock}}`,
			[]any{r.Provider, r.Name, r.Account, h.Token}, &one)
		if errors.Is(err, ErrNotFound) {
			return errors.Join(t.doubt(h.ID), t.holdAgain(h), t.release(h.Token))
		}
		if err != nil {
			return err
		}
	}
	if o.Worked {
		if _, err := t.exec(`UPDATE holds SET worked = 1 WHERE fulfilment_id = $1 AND worked = 0`, h.ID); err != nil {
			return err
		}
	}
	return errors.Join(t.letGo(h, o.LetGo), t.release(h.Token))
}

const recordSeen = `UPDATE fulfilments SET
	observed_generation = CASE WHEN $4 = 1 THEN $3 ELSE observed_generation END,
	done_at = CASE WHEN $4 = 1 THEN {{now}} ELSE done_at END,
	properties = CASE WHEN $5 = '' THEN properties ELSE $5 END,
	applied = CASE WHEN $6 = '' THEN applied ELSE $6 END,
	lease_token = '', lease_until = 0, updated_at = {{now}}, `

// recordUnchanged is for the generation that was looked at; recordMoved for
// when another has come meanwhile: then state and failures are its own, and it is due.
const recordUnchanged = recordSeen + `state = $7, due_at = CASE WHEN $15 = 1 THEN {{now}} ELSE $8 END,
	attempts = $9, since = $10, error_class = $11, error_code = $12, error_text = $13, because = $14, starts = $16,
	asked = CASE WHEN $11 IN ('transient', 'throttled') THEN asked ELSE 0 END
	WHERE id = $1 AND lease_token = $2 AND generation = $3`

func (t *tx) recordMoved(h grant.Held, seen []any) (*grant.Due, error) {
	d := grant.Due{ID: h.ID, Kind: h.Kind}
	var state grant.State
	err := t.row(recordSeen+`due_at = CASE WHEN wanted = 'unmanaged' THEN 0 ELSE {{now}} END WHERE id = $1 AND lease_token = $2 RETURNING generation, starts, state`,
		seen, &d.Generation, &d.Starts, &state)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	d.Revoke = state == grant.Revoking
	return &d, err
}

// doubt has a fulfilment seen to again: whoever lost its lease may have acted
// after the one who had it, and even before that one records. By two, because the
// next generation alone might be the one that this is to undo.
func (t *tx) doubt(id string) error {
	_, err := t.exec(`UPDATE fulfilments SET generation = generation + 2, due_at = {{now}}
		WHERE id = $1 AND wanted NOT IN ('none', 'unmanaged')`, id)
	return err
}

// journal appends what happened; an outcome equal to the last is folded into it.
func (t *tx) journal(h grant.Held, o grant.Outcome) error {
	if o.Action == grant.DoNothing {
		return nil
	}
	if h.Starts > 1 {
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
// returns them. What is granted begins a new generation: the same done once more
// is another thing to tell, while what has not been done yet is still the same.
func (l *Ledger) Retry(ctx context.Context, grantID string) ([]grant.Due, error) {
	return ask(ctx, l.writers, work, func(t *tx) ([]grant.Due, error) {
		a := applier{tx: t, l: l}
		if err := a.begin(); err != nil {
			return nil, err
		}
		if err := a.settle(grantID); err != nil {
			return nil, err
		}
		if _, err := t.exec(`UPDATE fulfilments SET due_at = {{now}}, attempts = 0, since = 0, asked = 1, generation = generation + CASE WHEN lease_token <> '' OR state = 'granted' THEN 1 ELSE 0 END,
				state = CASE WHEN state IN ('failed', 'waiting') THEN 'pending' ELSE state END
			WHERE id > $1 || '.' AND id < $1 || '/' AND state <> 'unmanaged' AND wanted <> 'none'`, grantID); err != nil {
			return nil, err
		}
		s, err := t.stmt(`SELECT ` + dueColumns + ` FROM fulfilments f WHERE f.id > $1 || '.' AND f.id < $1 || '/' AND f.due_at > 0 AND f.due_at <= {{now}}`)
		if err != nil {
			return nil, err
		}
		rows, err := s.QueryContext(t.ctx, grantID)
		if err != nil {
			return nil, err
		}
		return collect(rows, scanDue)
	})
}
