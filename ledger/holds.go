package ledger

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"fulfilld/grant"
)

// Take leases every resource that a fulfilment wants or holds, for as long as
// its own lease lasts, and returns how they stand: wanted ones with their level,
// the others with none. ErrNotFound means that the fulfilment's lease is lost;
// [grant.ErrBusy] that another holds one of the resources' leases.
func (l *Ledger) Take(ctx context.Context, h grant.Held, wanted []grant.Resource, lease time.Duration) ([]grant.Hold, error) {
	type taken struct {
		holds []grant.Hold
		err   error // told without undoing the neighbours' commit
	}
	got, err := askAlone(ctx, l.writers, func(t *tx) (taken, error) {
		if ok, err := t.leased(h); !ok {
			return taken{err: ErrNotFound}, err
		}
		holds, err := t.concerned(h.ID, wanted)
		if err != nil {
			return taken{}, err
		}
		busy, err := t.standing(h, holds)
		if busy || err != nil {
			return taken{err: grant.ErrBusy}, err
		}
		return taken{holds: holds}, t.leaseAll(h, holds, lease)
	})
	return got.holds, errors.Join(err, got.err)
}

// leased reports whether a fulfilment's lease is still the one that was taken.
func (t *tx) leased(h grant.Held) (bool, error) {
	var one int64
	err := t.row(`SELECT 1 FROM fulfilments WHERE id = $1 AND lease_token = $2 AND lease_until > {{now}} {{lock}}`, []any{h.ID, h.Token}, &one)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// concerned joins what a fulfilment wants and what it holds, sorted, so that two
// who take several never wait for each other.
func (t *tx) concerned(id string, wanted []grant.Resource) (all []grant.Hold, err error) {
	for _, r := range wanted {
		all = append(all, grant.Hold{Resource: r})
	}
	held, err := t.heldBy(id)
	for _, r := range held {
		if !slices.ContainsFunc(wanted, func(w grant.Resource) bool { return w.Key() == r.Key() }) {
			all = append(all, grant.Hold{Resource: r.Key()})
		}
	}
	slices.SortFunc(all, func(a, b grant.Hold) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Account, b.Account))
	})
	return all, err
}

// heldBy is what a fulfilment holds.
func (t *tx) heldBy(id string) ([]grant.Resource, error) {
	s, err := t.stmt(`SELECT provider, name, account, level FROM holds WHERE fulfilment_id = $1`)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(t.ctx, id)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(r rowScanner) (x grant.Resource, err error) {
		err = r.Scan(&x.Provider, &x.Name, &x.Account, &x.Level)
		return x, err
	})
}

// standing fills in how the resources stand; busy when another has one's lease.
func (t *tx) standing(h grant.Held, holds []grant.Hold) (busy bool, err error) {
	for i := range holds {
		r := &holds[i]
		key := []any{r.Provider, r.Name, r.Account}
		if _, err := t.exec(`INSERT INTO resources (provider, name, account, origin, before, lease_token, lease_until)
			VALUES ($1, $2, $3, '', 0, '', 0) ON CONFLICT DO NOTHING`, key...); err != nil {
			return false, err
		}
		var free int64
		err := t.row(`SELECT origin, before, CASE WHEN lease_token IN ('', $4) OR lease_until <= {{now}} THEN 1 ELSE 0 END
			FROM resources WHERE provider = $1 AND name = $2 AND account = $3 {{lock}}`, append(key, h.Token), &r.Origin, &r.Before, &free)
		if err != nil || free == 0 {
			return err == nil, err
		}
		if err := t.row(`SELECT coalesce(max(level), 0) FROM holds WHERE provider = $1 AND name = $2 AND account = $3 AND fulfilment_id <> $4`,
			append(key, h.ID), &r.Others); err != nil {
			return false, err
		}
		var worked int64
		if err := t.row(`SELECT coalesce(max(worked), 0), coalesce(max(since), $5) FROM holds WHERE provider = $1 AND name = $2 AND account = $3 AND fulfilment_id = $4`,
			append(key, h.ID, h.Generation), &worked, &r.Since); err != nil {
			return false, err
		}
		r.Worked = worked > 0
	}
	return false, nil
}

func (t *tx) leaseAll(h grant.Held, holds []grant.Hold, lease time.Duration) error {
	return each(holds, func(r grant.Hold) error {
		_, err := t.exec(`UPDATE resources SET lease_token = $4, lease_until = {{now}} + $5 WHERE provider = $1 AND name = $2 AND account = $3`,
			r.Provider, r.Name, r.Account, h.Token, lease.Microseconds())
		return err
	})
}

// Hold commits what a fulfilment is about to hold or to let go, and where what was
// there before comes from, before anything is changed at the provider. ErrNotFound
// means that a lease is lost.
func (l *Ledger) Hold(ctx context.Context, h grant.Held) error {
	lost, err := askAlone(ctx, l.writers, func(t *tx) (lost bool, err error) {
		ok, err := t.leased(h)
		for _, r := range h.Holds {
			if ok && err == nil {
				ok, err = t.stillTaken(h, r)
			}
		}
		if !ok || err != nil {
			return true, err
		}
		return false, each(h.Holds, func(r grant.Hold) error { return t.hold(h, r) })
	})
	if err == nil && lost {
		err = ErrNotFound
	}
	return err
}

// stillTaken reports whether a resource's lease is the one that was taken.
func (t *tx) stillTaken(h grant.Held, r grant.Hold) (bool, error) {
	var one int64
	err := t.row(`SELECT 1 FROM resources WHERE provider = $1 AND name = $2 AND account = $3 AND lease_token = $4 AND lease_until > {{now}} {{lock}}`,
		[]any{r.Provider, r.Name, r.Account, h.Token}, &one)
	return err == nil, ignore(err)
}

// hold writes a hold down. What was there before may only become less.
func (t *tx) hold(h grant.Held, r grant.Hold) error {
	if _, err := t.exec(`UPDATE resources SET origin = $4, before = $5
		WHERE provider = $1 AND name = $2 AND account = $3 AND (origin = '' OR before > $5)`,
		r.Provider, r.Name, r.Account, string(r.Origin), r.Before); err != nil {
		return err
	}
	if r.Level == 0 { // it is held until it has been let go
		_, err := t.exec(`UPDATE holds SET since = $5 WHERE provider = $1 AND name = $2 AND account = $3 AND fulfilment_id = $4`,
			r.Provider, r.Name, r.Account, h.ID, h.Generation)
		return err
	}
	_, err := t.exec(`INSERT INTO holds (provider, name, account, fulfilment_id, level, since) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (provider, name, account, fulfilment_id) DO UPDATE SET level = excluded.level`,
		r.Provider, r.Name, r.Account, h.ID, r.Level, r.Since)
	return err
}

// letGo ends what a fulfilment holds of resources. Who else holds one is due, to
// make sure of its own; one that nobody holds any more is judged afresh next time.
func (t *tx) letGo(h grant.Held, all []grant.Resource) error {
	return each(all, func(r grant.Resource) error {
		key := []any{r.Provider, r.Name, r.Account}
		if _, err := t.exec(`DELETE FROM holds WHERE provider = $1 AND name = $2 AND account = $3 AND fulfilment_id = $4`, append(key, h.ID)...); err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE fulfilments SET due_at = {{now}} WHERE wanted NOT IN ('none', 'unmanaged')
			AND id IN (SELECT fulfilment_id FROM holds WHERE provider = $1 AND name = $2 AND account = $3)`, key...); err != nil {
			return err
		}
		_, err := t.exec(`DELETE FROM resources WHERE provider = $1 AND name = $2 AND account = $3 AND lease_token = $4 AND NOT EXISTS (
			SELECT 1 FROM holds x WHERE x.provider = $1 AND x.name = $2 AND x.account = $3)`, append(key, h.Token)...)
		return err
	})
}

// release ends the leases of resources. What a fulfilment took and did not come
// to hold is forgotten.
func (t *tx) release(token string) error {
	if _, err := t.exec(`DELETE FROM resources WHERE lease_token = $1 AND NOT EXISTS (SELECT 1 FROM holds x
		WHERE x.provider = resources.provider AND x.name = resources.name AND x.account = resources.account)`, token); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE resources SET lease_token = '', lease_until = 0 WHERE lease_token = $1`, token)
	return err
}

// holdAgain writes down again what somebody held who has lost the lease: what it
// did may have come after all else. Whoever holds the same is seen to again.
func (t *tx) holdAgain(h grant.Held) error {
	return each(h.Holds, func(r grant.Hold) error {
		key := []any{r.Provider, r.Name, r.Account}
		if r.Level > 0 && r.Origin != "" {
			if _, err := t.exec(`INSERT INTO resources (provider, name, account, origin, before, lease_token, lease_until)
				VALUES ($1, $2, $3, $4, $5, '', 0) ON CONFLICT DO NOTHING`, append(key, string(r.Origin), r.Before)...); err != nil {
				return err
			}
			if _, err := t.exec(`INSERT INTO holds (provider, name, account, fulfilment_id, level, since)
				SELECT $1, $2, $3, id, $5, generation FROM fulfilments WHERE id = $4 ON CONFLICT DO NOTHING`, append(key, h.ID, r.Level)...); err != nil {
				return err
			}
		}
		_, err := t.exec(`UPDATE fulfilments SET generation = generation + 2, due_at = {{now}}
			WHERE wanted NOT IN ('none', 'unmanaged') AND id <> $4 AND id IN (SELECT fulfilment_id FROM holds
				WHERE provider = $1 AND name = $2 AND account = $3)`, append(key, h.ID)...)
		return err
	})
}

// Awaited reports whether the person whose grant a fulfilment is has another one
// of the same kind that is granted and has not been seen to yet, or whether an event
// that came until then, and has not been applied yet, may tell of one: it may want
// the same resources.
func (l *Ledger) Awaited(ctx context.Context, h grant.Held, until time.Time) (awaited bool, err error) {
	var received, n int64
	err = l.read.row(ctx, `SELECT received_at FROM events WHERE state = 'accepted' ORDER BY seq LIMIT 1`, nil, &received)
	if ignore(err) != nil || err == nil && received <= until.UnixMicro() {
		return err == nil, ignore(err)
	}
	err = l.read.row(ctx, `SELECT count(*) FROM grants g JOIN fulfilments f ON f.id = g.id || '.' || $2
		WHERE g.customer_id = $1 AND g.id <> $3 AND g.member_id = $4 AND f.wanted LIKE 'granted%'
			AND f.observed_generation < f.generation AND f.state = 'pending'`,
		[]any{h.Grant.CustomerID, h.Kind, h.Grant.ID, h.Grant.MemberID}, &n)
	return n > 0, err
}
