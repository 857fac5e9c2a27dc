package ledger

import (
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
	for _, t := range route.Targets {
		if t.Cycles {
			if err := a.recycle(grantID, t.Kind); err != nil {
				return err
			}
		}
	}
	have, err := a.fulfilments(grantID)
	if err != nil {
		return err
	}
	for _, t := range route.Targets {
		if err := a.want(have[t.Kind], grantID, t, facts, f.fingerprint()); err != nil {
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
func (f *facts) fingerprint() string {
	return fmt.Sprintf("/%d/%d/%s", f.spec, f.first, account(f.properties))
}

// fulfilmentRow is what settle needs of a fulfilment; the zero value is none.
type fulfilmentRow struct {
	id, wanted              string
	state                   grant.State
	generation, starts, due int64
	cycles                  int64
}

func (a *applier) fulfilments(grantID string) (map[string]fulfilmentRow, error) {
	s, err := a.stmt(`SELECT f.kind, f.id, f.wanted, f.state, f.generation, f.starts, f.due_at,
		(SELECT count(*) FROM cycles y WHERE y.grant_id = f.grant_id AND y.kind = f.kind)
		FROM fulfilments f WHERE f.id > $1 || '.' AND f.id < $1 || '/'`)
	if err != nil {
		return nil, err
	}
	rows, err := s.Query(grantID)
	if err != nil {
		return nil, err
	}
	have := map[string]fulfilmentRow{}
	_, err = collect(rows, func(r rowScanner) (struct{}, error) {
		var kind string
		var f fulfilmentRow
		err := r.Scan(&kind, &f.id, &f.wanted, &f.state, &f.generation, &f.starts, &f.due, &f.cycles)
		have[kind] = f
		return struct{}{}, err
	})
	return have, err
}

// want makes a fulfilment due when it should be something else than its
// generation stands for.
func (a *applier) want(old fulfilmentRow, grantID string, t grant.Target, facts grant.Facts, fingerprint string) error {
	v := grant.Owed(facts, time.Now())
	wanted, state := string(v.Desired), old.state
	switch {
	case !t.Managed:
		wanted, state = string(grant.Unmanaged), grant.Unmanaged
	case v.Desired == grant.OwedGranted:
		wanted += fingerprint + fmt.Sprint("/", old.cycles)
		if state != grant.Granted {
			state = grant.Pending
		}
	case v.Desired == grant.OwedRevoked:
		if state != grant.Revoked {
			state = grant.Revoking
		}
	default:
		state = grant.Pending
	}
	work := t.Managed && v.Desired != grant.OwedNone
	switch {
	case old.id == "":
		return a.insertFulfilment(grantID, t.Kind, wanted, state, v, work)
	case old.wanted != wanted:
		return a.bump(old, t.Kind, wanted, state, v, work)
	case !v.Again.IsZero() && (old.due == 0 || old.due > micros(v.Again)):
		_, err := a.exec(`UPDATE fulfilments SET due_at = $2, because = $3 WHERE id = $1`, old.id, micros(v.Again), v.Because)
		return err
	}
	return nil
}

func (a *applier) insertFulfilment(grantID, kind, wanted string, state grant.State, v grant.Verdict, work bool) error {
	id := grant.FulfilmentID(grantID, kind)
	if work {
		a.due = append(a.due, grant.Due{ID: id, Kind: kind, Generation: 1, Revoke: v.Desired == grant.OwedRevoked})
	}
	_, err := a.exec(`INSERT INTO fulfilments (id, grant_id, kind, generation, observed_generation, state, wanted, because, applied, properties,
			attempts, since, due_at, starts, lease_token, lease_until, error_class, error_code, error_text, event_at, done_at, created_at, updated_at)
		VALUES ($1, $2, $3, 1, 0, $4, $5, $6, '', '', 0, 0, CASE WHEN $7 = 1 THEN {{now}} ELSE 0 END, 0, '', 0, '', '', '', $8, 0, {{now}}, {{now}})`,
		id, grantID, kind, string(state), wanted, v.Because, flag(work), micros(a.at))
	return err
}

// bump begins a new generation: the old one's failures no longer count.
func (a *applier) bump(old fulfilmentRow, kind, wanted string, state grant.State, v grant.Verdict, work bool) error {
	if work {
		a.due = append(a.due, grant.Due{ID: old.id, Kind: kind, Generation: old.generation + 1, Starts: old.starts,
			Revoke: v.Desired == grant.OwedRevoked})
	}
	_, err := a.exec(`UPDATE fulfilments SET generation = generation + 1, wanted = $2, state = $3, because = $4, attempts = 0, since = 0,
			due_at = CASE WHEN $5 = 1 THEN {{now}} ELSE 0 END, event_at = $6, updated_at = {{now}} WHERE id = $1`,
		old.id, wanted, string(state), v.Because, flag(work), micros(a.at))
	return err
}

// recycle hands the grant's renewals to a kind that acts on them.
func (a *applier) recycle(grantID, kind string) error {
	_, err := a.exec(`INSERT INTO cycles (grant_id, kind, cycle_key, recorded_at, done_at)
		SELECT grant_id, $2, cycle_key, recorded_at, 0 FROM cycles WHERE grant_id = $1 AND kind = '' ON CONFLICT DO NOTHING`, grantID, kind)
	return err
}
