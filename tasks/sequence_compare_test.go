package tasks_test

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"fulfilld/grant"

	gocmp "github.com/google/go-cmp/cmp"
)

// compare holds the world against the model.
func (r *run) compare() {
	m := model{terms: r.terms, settle: settle, now: time.Now(), said: slices.Collect(maps.Values(r.news))}
	seen := map[grant.Desired]bool{}
	for i, g := range r.grants {
		f := m.fate(g.ID)
		seen[f.owed] = true
		r.compareKey(fmt.Sprintf("grant %d, %q", i, f.owed), grant.FulfilmentID(g.ID, "license_keys"), f)
		r.compareTally(fmt.Sprintf("grant %d, %q", i, f.owed), grant.FulfilmentID(g.ID, "tally"), f)
	}
	for owed, count := range map[grant.Desired]*atomic.Int64{grant.OwedGranted: &r.ends.granted, grant.OwedRevoked: &r.ends.revoked, grant.OwedNone: &r.ends.none} {
		if seen[owed] {
			count.Add(1)
		}
	}
}

// state reads how a fulfilment ended; "" where there is none. What only time
// will end must come up again.
func (r *run) state(id string) (state grant.State) {
	var because string
	var due int64
	err := r.side.QueryRowContext(r.ctx, `SELECT state, because, due_at FROM fulfilments WHERE id = $1`, id).Scan(&state, &because, &due)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		r.Fatal(err)
	}
	if because == "grace" || because == "settling" {
		r.ends.forgiven.Add(1)
		if due == 0 {
			r.Fatalf("%s is %s for %s, and nobody will look when that ends", id, state, because)
		}
	}
	return state
}

// wantState says what the model's fate looks like in the ledger.
func wantState(f fate, asked bool) grant.State {
	switch {
	case !asked, f.owed == grant.OwedRevoked:
		return grant.Revoked
	case f.owed == grant.OwedNone:
		return grant.Pending
	case f.terms.broken:
		return grant.Failed
	}
	return grant.Granted
}

func (r *run) compareState(what, id string, f fate, asked bool) grant.State {
	have, want := r.state(id), wantState(f, asked)
	if have != want && (asked || have != "") {
		r.Fatalf("%s: %s is %q, want %q", what, id, have, want)
	}
	return want
}

func (r *run) compareKey(what, id string, f fate) {
	want := r.compareState(what, id, f, f.terms.key)
	k, err := r.LicenseKeyOf(r.ctx, id)
	if err != nil && !errors.Is(err, grant.ErrNotFound) {
		r.Fatal(err)
	}
	switch {
	case want == grant.Failed:
		r.ends.failed.Add(1)
	case want != grant.Granted:
		if k.Active {
			r.Fatalf("%s: its key is active", what)
		}
	default:
		r.ends.keys.Add(1)
		have := fmt.Sprint(k.Active, count(k.LimitUsage), count(k.LimitActivations), k.ExpiresAt.UTC())
		if want := fmt.Sprint(true, f.terms.usage, f.terms.activations, f.expires.UTC()); have != want {
			r.Fatalf("%s: the key's active, usage, activations, expiry are %s, want %s", what, have, want)
		}
	}
}

func count(limit *int64) int64 {
	if limit == nil {
		return 0
	}
	return *limit
}

func (r *run) compareTally(what, id string, f fate) {
	want := r.compareState(what, id, f, f.terms.tally)
	if is := r.there[id]; is != (want == grant.Granted) {
		r.Fatalf("%s: the tally has it: %v", what, is)
	}
	for _, key := range f.cycles {
		if want == grant.Granted && !r.cycled[id][key] {
			r.Fatalf("%s: renewal %s was never acted on", what, key)
		}
		r.ends.cycles.Add(1)
	}
}

// repeat applies every event again, in another order: nothing may change.
func (r *run) repeat() {
	before := r.dump()
	r.exec(`UPDATE events SET state = 'accepted' WHERE source = $1`, r.customers[0])
	events, err := r.Unapplied(r.ctx, 0, 1000)
	if err != nil {
		r.Fatal(err)
	}
	var again []grant.Decoded
	for _, ev := range shuffled(r, events) {
		n, err := r.decode(ev)
		again = append(again, grant.Decoded{Event: ev, News: n, Err: err})
	}
	if _, err := r.Apply(r.ctx, again); err != nil {
		r.Fatal(err)
	}
	r.drain()
	if diff := gocmp.Diff(before, r.dump()); diff != "" {
		r.Fatalf("applying all again changed something:\n%s", diff)
	}
}

// dump is everything the ledger holds of this sequence.
func (r *run) dump() (dump []string) {
	for _, from := range []string{
		`grants WHERE id IN`, `fulfilments WHERE wanted <> 'unmanaged' AND grant_id IN`, `cycles WHERE grant_id IN`, `license_keys WHERE substr(fulfilment_id, 1, 36) IN`,
		`attempts WHERE substr(fulfilment_id, 1, 36) IN`, `customers WHERE id IN`, `members WHERE id IN`, `benefits WHERE id IN`, `seats WHERE id IN`,
		`subscriptions WHERE id IN`, `orders WHERE id IN`, `products WHERE id IN`, `product_benefits WHERE product_id IN`,
	} {
		dump = append(dump, r.rows(`SELECT * FROM `+from+` (SELECT value FROM json_each($1))`)...)
	}
	return dump
}

func (r *run) rows(query string) (all []string) {
	rows, err := r.side.QueryContext(r.ctx, query, r.ids())
	if err != nil {
		r.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		r.Fatal(err)
	}
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			r.Fatal(err)
		}
		all = append(all, fmt.Sprint(values))
	}
	if err := rows.Err(); err != nil {
		r.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func (r *run) exec(query string, args ...any) {
	if _, err := r.side.ExecContext(r.ctx, query, args...); err != nil {
		r.Fatal(err)
	}
}

func (r *run) endLeases() {
	r.expired++
	r.exec(`UPDATE fulfilments SET lease_until = 0 WHERE grant_id IN (SELECT value FROM json_each($1))`, r.ids())
}

var errUnreadable = errors.New("nobody can read this")

func (r *run) decode(ev grant.Event) (grant.News, error) {
	n, ok := r.news[ev.ID]
	if !ok {
		return n, errUnreadable
	}
	return n, nil
}

var errDied = errors.New("the process died here")
