package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"

	"fulfilld/grant"
)

const (
	removals     = "removals:" // begins the lane that counts the removals from a resource
	asks         = 3650 * 24 * time.Hour
	approvedFor  = time.Hour           // for what has not been seen to by then
	approvalLife = 30 * 24 * time.Hour // for what the edit concerns
	approvedLane = "approved:"
)

// Removal counts somebody's removal from a resource, and reports whether it may
// go on. When there have been as many as the limit allows, all further ones wait
// until [Ledger.Approve].
func (l *Ledger) Removal(ctx context.Context, r grant.Resource, who string, limit grant.Limit) (ok bool, err error) {
	name := r.Provider + ":" + r.Name
	return askAlone(ctx, l.writers, func(t *tx) (bool, error) {
		p, err := t.place(removals+name, who, []grant.Limit{limit}, false)
		if err != nil {
			return false, err
		}
		var approved, counted, total int64
		if err := t.row(`SELECT (SELECT count(*) FROM lanes WHERE name = $1 AND until > {{now}})
				+ (SELECT count(*) FROM passes p JOIN fulfilments f ON p.who = f.id || '@' || f.generation WHERE p.lane = $1 AND f.id = $3),
			(SELECT count(*) FROM passes WHERE lane = $2 AND who = $3), (SELECT count(*) FROM passes WHERE lane = $2)`,
			[]any{approvedLane + name, removals + name, who}, &approved, &counted, &total); err != nil {
			return false, err
		}
		switch {
		case approved > 0 || counted > 0:
			return true, nil
		case p.until > p.now:
			return t.askedInVain(r, who, p)
		case total >= int64(limit.Calls):
			_, err := t.exec(`UPDATE lanes SET until = $2, why = $3 WHERE name = $1`, p.lane, p.now+asks.Microseconds(),
				fmt.Sprintf("more than %d removals from %s within %s", limit.Calls, name, limit.Per))
			return false, err
		}
		return true, t.occupy(p, p.now)
	})
}

// askedInVain reports whether nobody waits for an approval any more, because the
// edit was undone, and begins to count afresh. At first it may be that nobody has
// recorded yet that they wait.
func (t *tx) askedInVain(r grant.Resource, who string, p place) (bool, error) {
	if p.until-asks.Microseconds() > p.now-time.Minute.Microseconds() {
		return false, nil
	}
	var waiting int64
	err := t.row(waitingForApproval+` AND f.id <> $3`, []any{r.Provider, r.Name, who}, &waiting)
	if err != nil || waiting > 0 {
		return false, err
	}
	if _, err := t.exec(`DELETE FROM passes WHERE lane = $1`, p.lane); err != nil {
		return false, err
	}
	if _, err := t.exec(`UPDATE lanes SET until = 0 WHERE name = $1`, p.lane); err != nil {
		return false, err
	}
	return true, t.occupy(p, p.now)
}

const waitingForApproval = `SELECT count(*) FROM fulfilments f JOIN holds x ON x.fulfilment_id = f.id
	WHERE x.provider = $1 AND x.name = $2 AND f.error_code = '` + grant.ApprovalCode + `'`

// Approve lets the removals from a resource go on: those of everybody for whom the
// edit has not been seen to yet, however long that takes, and for an hour whatever
// comes. ErrNotFound: none waits. It returns what became due.
func (l *Ledger) Approve(ctx context.Context, provider, name string) ([]grant.Due, error) {
	lane := provider + ":" + name
	type result struct {
		due   []grant.Due
		waits bool
	}
	got, err := askAlone(ctx, l.writers, func(t *tx) (r result, err error) {
		n, err := t.exec(`UPDATE lanes SET until = 0 WHERE name = $1 AND until > {{now}}`, removals+lane)
		if err != nil || n == 0 {
			return r, err
		}
		if _, err := t.exec(`INSERT INTO lanes (name, until, why) VALUES ($1, {{now}} + $2, '')
			ON CONFLICT (name) DO UPDATE SET until = excluded.until`, approvedLane+lane, approvedFor.Microseconds()); err != nil {
			return r, err
		}
		if err := t.approveHolders(provider, name); err != nil {
			return r, err
		}
		r.waits = true
		r.due, err = t.makeDue(`error_code = '`+grant.ApprovalCode+`' AND id IN (SELECT fulfilment_id FROM holds WHERE provider = $1 AND name = $2)`, provider, name)
		return r, err
	})
	if err == nil && !got.waits {
		err = ErrNotFound
	}
	return got.due, err
}

// approveHolders notes who may be removed, by the generation that asks for it.
func (t *tx) approveHolders(provider, name string) error {
	lane := approvedLane + provider + ":" + name
	if _, err := t.exec(`DELETE FROM passes WHERE lane = $1 AND at <= {{now}}`, lane); err != nil {
		return err
	}
	_, err := t.exec(`INSERT INTO passes (lane, at, who, expected) SELECT $1, {{now}} + $4, id || '@' || generation, 0 FROM fulfilments
		WHERE (error_code = '`+grant.ApprovalCode+`' OR generation <> observed_generation)
			AND id IN (SELECT fulfilment_id FROM holds WHERE provider = $2 AND name = $3)`,
		lane, provider, name, approvalLife.Microseconds())
	return err
}

// makeDue makes fulfilments due now, and returns them.
func (t *tx) makeDue(where string, args ...any) ([]grant.Due, error) {
	s, err := t.stmt(`UPDATE fulfilments SET due_at = {{now}} WHERE ` + where + `
		RETURNING id, kind, generation, starts, CASE WHEN state = 'revoking' THEN 1 ELSE 0 END`)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(t.ctx, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanDue)
}

// Unapproved returns the resources whose removals wait for an approval, as
// "provider:name", and why.
func (l *Ledger) Unapproved(ctx context.Context) ([]grant.Lane, error) {
	all, err := l.lanes(ctx, `name LIKE 'removals:%'`, len(removals))
	var waiting []grant.Lane
	for _, lane := range all {
		provider, name, _ := strings.Cut(lane.Name, ":")
		var n int64
		if err := l.read.row(ctx, waitingForApproval, []any{provider, name}, &n); err != nil {
			return nil, err
		}
		if n > 0 {
			waiting = append(waiting, lane)
		}
	}
	return waiting, err
}
