package ledger

import (
	"cmp"
	"slices"

	"fulfilld/grant"
)

// pot opens one customer's meter.
func (t *tx) pot(customer, meter string) (*pot, error) {
	k := potKey{customer, meter}
	pots, err := t.openPots([]potKey{k})
	return pots[k], err
}

// openPots opens customers' meters and keeps others from them until the write is
// through, in one order for all who do. Those that are not there are empty.
func (t *tx) openPots(keys []potKey) (map[potKey]*pot, error) {
	pots, byID := map[potKey]*pot{}, map[string]*pot{}
	for _, k := range keys {
		if pots[k] == nil {
			p := &pot{id: customerMeterID(k.customer, k.meter), customer: k.customer, meter: k.meter}
			pots[k], byID[p.id] = p, p
		}
	}
	var ids [][]any
	for id := range byID {
		ids = append(ids, []any{id})
	}
	return pots, t.bulks(lockPots(ids, byID), fillPots(ids, byID))
}

// lockPots finds those that are there.
func lockPots(ids [][]any, byID map[string]*pot) bulk {
	return bulk{ids, `SELECT m.id, m.seq, m.credited, m.consumed FROM customer_meters m
		WHERE m.id {{in}} ORDER BY m.seq {{lock}}`, func(r rowScanner) error {
		var id string
		var seq, credited, consumed int64
		err := r.Scan(&id, &seq, &credited, &consumed)
		if p := byID[id]; err == nil {
			p.seq, p.credited, p.consumed = seq, credited, consumed
		}
		return err
	}}
}

// fillPots reads what is left, soonest expiry first and then oldest first. What has
// expired lapses.
func fillPots(ids [][]any, byID map[string]*pot) bulk {
	return bulk{ids, `SELECT m.id, e.id, e.remaining, e.fulfilment_id, CASE WHEN e.expires_at > 0 AND e.expires_at <= {{now}} THEN 1 ELSE 0 END
		FROM customer_meters m JOIN credit_entries e ON e.customer_meter = m.seq
		WHERE m.id {{in}} AND e.remaining > 0
		ORDER BY CASE WHEN e.expires_at = 0 THEN 1 ELSE 0 END, e.expires_at, e.id`, func(r rowScanner) error {
		var l left
		var id string
		var expired int64
		if err := r.Scan(&id, &l.id, &l.remaining, &l.fulfilment, &expired); err != nil {
			return err
		}
		p := byID[id]
		p.left = append(p.left, l)
		if expired > 0 {
			p.drop(&p.left[len(p.left)-1], entry{kind: grant.EntryLapse})
		}
		return nil
	}}
}

// writePots writes what has changed, and makes the meters that are not there.
func (t *tx) writePots(pots []*pot) error {
	pots = slices.DeleteFunc(pots, func(p *pot) bool { return len(p.entries) == 0 })
	if err := t.makePots(pots); err != nil {
		return err
	}
	slices.SortFunc(pots, func(a, b *pot) int { return cmp.Compare(a.seq, b.seq) })
	var entries, rests, sums [][]any
	for _, p := range pots {
		var credited, consumed int64
		for _, e := range p.entries {
			if e.kind == grant.EntryConsume {
				consumed -= e.units
			} else {
				credited += e.units
			}
			entries = append(entries, []any{p.seq, e.member, e.fulfilment, string(e.kind), e.units, e.remaining, e.source, e.key, e.lasts, e.occurred, e.ended})
		}
		for _, l := range p.left {
			if l.touched {
				rests = append(rests, []any{l.id, l.remaining})
			}
		}
		sums = append(sums, []any{p.seq, credited, consumed})
	}
	return t.bulks(bulk{entries, `INSERT INTO credit_entries (customer_meter, member_id, fulfilment_id, kind, units, remaining, source, entry_key,
			expires_at, occurred_at, created_at, ended_at)
		SELECT CAST({{0}} AS BIGINT), {{1}}, {{2}}, {{3}}, CAST({{4}} AS BIGINT), CAST({{5}} AS BIGINT), CAST({{6}} AS BIGINT), {{7}},
			CASE WHEN CAST({{8}} AS BIGINT) = 0 THEN 0 ELSE {{now}} + CAST({{8}} AS BIGINT) END,
			CASE WHEN CAST({{9}} AS BIGINT) = 0 THEN {{now}} ELSE CAST({{9}} AS BIGINT) END, {{now}}, CAST({{10}} AS BIGINT) {{from}}`, nil},
		bulk{rests, `UPDATE credit_entries SET remaining = CAST({{1}} AS BIGINT) {{from}} WHERE id = CAST({{0}} AS BIGINT)`, nil},
		bulk{sums, `UPDATE customer_meters SET credited = credited + CAST({{1}} AS BIGINT), consumed = consumed + CAST({{2}} AS BIGINT), modified_at = {{now}}
			{{from}} WHERE seq = CAST({{0}} AS BIGINT)`, nil})
}

// makePots makes the meters that are not there. Another daemon may have done so
// meanwhile, and put something in: that is why [tx.writePots] adds to it, and
// [pot.take] looks at both what is left and the balance.
func (t *tx) makePots(pots []*pot) error {
	byID := map[string]*pot{}
	var fresh, ids [][]any
	for _, p := range pots {
		if p.seq == 0 {
			byID[p.id] = p
			fresh = append(fresh, []any{p.id, p.customer, p.meter})
		}
	}
	slices.SortFunc(fresh, func(a, b []any) int { return cmp.Compare(a[0].(string), b[0].(string)) })
	for _, row := range fresh {
		ids = append(ids, row[:1])
	}
	return t.bulks(bulk{fresh, `INSERT INTO customer_meters (id, customer_id, meter_id, credited, consumed, created_at, modified_at)
		SELECT {{0}}, {{1}}, {{2}}, 0, 0, {{now}}, 0 {{from}} WHERE true ON CONFLICT (id) DO NOTHING`, nil},
		bulk{ids, `SELECT m.id, m.seq FROM customer_meters m WHERE m.id {{in}} ORDER BY m.seq {{lock}}`, func(r rowScanner) error {
			var id string
			var seq int64
			err := r.Scan(&id, &seq)
			if err == nil {
				byID[id].seq = seq
			}
			return err
		}})
}
