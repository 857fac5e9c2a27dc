package ledger

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"fulfilld/grant"
)

// life is how a grant's credits stand.
type life struct {
	granted  bool // it has been credited since anything was taken back
	ends     int64
	ended    int64 // when the life before this one did, or the last one; microseconds
	last     grant.Credited
	customer string // whose the meter is
	shop     ending
}

// life reads how the credits of a fulfilment stand.
func (t *tx) life(fulfilmentID string) (l life, err error) {
	if l.shop, err = t.ending(grant.GrantOf(fulfilmentID)); err != nil {
		return l, err
	}
	var kind grant.EntryKind
	var at int64
	err = t.row(`SELECT e.kind, e.units, e.created_at, m.meter_id, m.customer_id,
			(SELECT count(*) FROM credit_entries x WHERE x.fulfilment_id = $1 AND x.fulfilment_id <> '' AND x.kind = 'revoke'),
			(SELECT max(x.ended_at) FROM credit_entries x WHERE x.fulfilment_id = $1 AND x.fulfilment_id <> '')
		FROM credit_entries e JOIN customer_meters m ON m.seq = e.customer_meter
		WHERE e.fulfilment_id = $1 AND e.fulfilment_id <> '' AND e.kind IN ('grant', 'cycle', 'revoke') ORDER BY e.id DESC LIMIT 1`,
		[]any{fulfilmentID}, &kind, &l.last.Units, &at, &l.last.MeterID, &l.customer, &l.ends, &l.ended)
	if errors.Is(err, ErrNotFound) {
		return l, nil
	}
	l.granted, l.last.At = kind != grant.EntryRevoke, timeOf(at)
	return l, err
}

// ending is what the shop has said of a grant's end; microseconds.
type ending struct {
	end     int64 // when it last revoked it; 0: never
	over    int64 // the same, where it has granted it again: what was before is over
	revoked bool  // that is its last word
}

// ending reads what the shop has said of a grant's end. Where a failed payment may
// be forgiven, only what was taken back is over: the shop revokes for that, too.
func (t *tx) ending(grantID string) (e ending, err error) {
	var word, text string
	err = t.row(`SELECT g.word, g.revoke_at, coalesce(b.route, '') FROM grants g LEFT JOIN benefits b ON b.id = g.benefit_id WHERE g.id = $1`,
		[]any{grantID}, &word, &e.end, &text)
	if err != nil {
		return e, ignore(err)
	}
	route, err := routeOf(text)
	e.revoked = word == string(grant.SaysRevoked)
	if word == string(grant.SaysGranted) && route.Grace == 0 {
		e.over = e.end
	}
	return e, err
}

// beginLife credits a grant in a new life. Where it was not the shop that ended the
// last one, what was renewed until now is over with it.
func (t *tx) beginLife(c grant.Credit, old life) (grant.Credited, error) {
	p, err := t.pot(c.CustomerID, c.MeterID)
	if err != nil {
		return grant.Credited{}, err
	}
	ended := max(old.ended, old.shop.over)
	if old.ended > old.shop.end {
		ended = micros(time.Now())
	}
	p.put(c, entry{kind: grant.EntryGrant, key: fmt.Sprintf("grant %s %d", c.FulfilmentID, old.ends), ended: ended})
	if err := t.writePots([]*pot{p}); err != nil {
		return grant.Credited{}, err
	}
	now, err := t.life(c.FulfilmentID)
	return now.last, err
}

// liveAgain ends a life that the shop has ended, and begins the one that it has
// begun since, with the renewals that are known of that.
func (t *tx) liveAgain(c grant.Credit, old life) (got grant.Credited, err error) {
	known, err := t.renewals(c.FulfilmentID)
	if err != nil {
		return got, err
	}
	if _, err = t.takeBack(c.FulfilmentID, old, old.shop.over); err != nil {
		return got, err
	}
	now, err := t.life(c.FulfilmentID)
	if err != nil {
		return got, err
	}
	if got, err = t.beginLife(c, now); err != nil {
		return got, err
	}
	seen := map[string]bool{}
	for _, cycle := range known {
		if seen[cycle] || !isAfter(cycle, old.shop.over) {
			continue
		}
		seen[cycle] = true
		if got, err = t.refill(c, fmt.Sprintf("%s %d", cycleEntry(c.FulfilmentID, cycle), now.ends)); err != nil {
			return got, err
		}
	}
	return got, nil
}

// refill adds a renewal's units.
func (t *tx) refill(c grant.Credit, key string) (got grant.Credited, err error) {
	pots, err := t.potsOf(c.FulfilmentID, c.CustomerID, c.MeterID)
	if err != nil {
		return got, err
	}
	for _, p := range pots {
		if !c.Rollover {
			p.dropOf(c.FulfilmentID, entry{kind: grant.EntryLapse})
		}
	}
	pots[c.MeterID].put(c, entry{kind: grant.EntryCycle, key: key})
	if err := t.writePots(slices.Collect(maps.Values(pots))); err != nil {
		return got, err
	}
	life, err := t.life(c.FulfilmentID)
	return life.last, errors.Join(err, t.tellCredited(c.FulfilmentID, life.last))
}

// takeBack ends a life.
func (t *tx) takeBack(fulfilmentID string, l life, ended int64) (grant.Credited, error) {
	got := grant.Credited{MeterID: l.last.MeterID, At: time.Now()}
	pots, err := t.potsOf(fulfilmentID, l.customer, got.MeterID)
	if err != nil {
		return got, err
	}
	end := entry{kind: grant.EntryRevoke, fulfilment: fulfilmentID, ended: ended}
	for _, p := range pots {
		got.Units -= p.dropOf(fulfilmentID, end)
	}
	if got.Units == 0 { // an entry tells that the life has ended
		p := pots[got.MeterID]
		p.entries = append(p.entries, end)
	}
	return got, errors.Join(t.writePots(slices.Collect(maps.Values(pots))), t.tellCredited(fulfilmentID, got))
}

// renewals are those that have added something, in the order in which they did.
func (t *tx) renewals(fulfilmentID string) ([]string, error) {
	all, err := t.strings(`SELECT entry_key FROM credit_entries WHERE fulfilment_id = $1 AND fulfilment_id <> '' AND kind = 'cycle' ORDER BY id`, fulfilmentID)
	for i, key := range all {
		all[i] = cycleOf(key, fulfilmentID)
	}
	return all, err
}

// renewedAfter reports whether a later renewal has added something. Of keys that
// are no times, nobody can tell.
func (t *tx) renewedAfter(fulfilmentID, cycle string) (bool, error) {
	at := momentOf(cycle)
	all, err := t.renewals(fulfilmentID)
	return at > 0 && slices.ContainsFunc(all, func(other string) bool { return momentOf(other) > at }), err
}

// cycleEntry is the key of what a renewal has added.
func cycleEntry(fulfilmentID, cycle string) string { return "cycle " + fulfilmentID + " " + cycle }

// cycleOf is the renewal that an entry with this key was made for.
func cycleOf(key, fulfilmentID string) string {
	cycle, _, _ := strings.Cut(strings.TrimPrefix(key, cycleEntry(fulfilmentID, "")), " ")
	return cycle
}

// isAfter reports whether a renewal was later than something: its key is a time.
// Of what is none, nobody can tell.
func isAfter(cycle string, than int64) bool {
	at := momentOf(cycle)
	return at == 0 || at > than
}

// momentOf is when a renewal was, in microseconds; 0 where its key is no time.
func momentOf(cycle string) int64 {
	at, err := time.Parse(time.RFC3339Nano, cycle)
	if err != nil {
		return 0
	}
	return micros(at)
}

// isLate reports whether a kind has had nothing to do so far with a grant that is
// known already: it was off, or the benefit asks for credits only now. Then its
// other kinds have been seen through, unless they are off.
func (a *applier) isLate(grantID, kind string) (bool, error) {
	if _, ok := a.fresh[grantID]; ok {
		return false, nil
	}
	var off, own, others int64
	err := a.row(`SELECT coalesce(sum(CASE WHEN f.kind = $2 AND f.wanted = 'unmanaged' THEN 1 ELSE 0 END), 0),
			coalesce(sum(CASE WHEN f.kind = $2 THEN 1 ELSE 0 END), 0),
			coalesce(sum(CASE WHEN f.kind <> $2 AND (f.wanted = 'unmanaged' OR f.observed_generation > 0) THEN 1 ELSE 0 END), 0)
		FROM fulfilments f WHERE f.id > $1 || '.' AND f.id < $1 || '/'`, []any{grantID, kind}, &off, &own, &others)
	return off > 0 || kind == creditKind && own == 0 && others > 0, err
}
