package ledger

import (
	"context"
	"slices"

	"fulfilld/grant"
)

// Consume records what events have consumed: all of them, or none where one
// takes more than there is or some name nobody. An event that is known already
// consumes nothing, whatever has become of its customer.
func (l *Ledger) Consume(ctx context.Context, events []grant.Usage) (grant.Consumption, error) {
	s := &sale{events: events, done: make(chan struct{})}
	if l.writers.spare == nil { // the one writer combines them
		return ask(ctx, l.writers, work, func(t *tx) (grant.Consumption, error) {
			err := t.sell([]*sale{s})
			return s.got, err
		})
	}
	return l.till.queue(ctx, l.writers, s)
}

// sale is one call of Consume.
type sale struct {
	events []grant.Usage
	got    grant.Consumption
	err    error
	done   chan struct{}
}

// sell records what sales have consumed, one after another. Nothing of one that is
// refused is recorded, and the others' is.
func (t *tx) sell(sales []*sale) error {
	c := consumer{tx: t}
	for _, s := range sales {
		c.events = append(c.events, s.events...)
	}
	if err := c.open(); err != nil {
		return err
	}
	for _, s := range sales {
		c.sell(s)
	}
	return t.writePots(c.changed())
}

// consumer is what one transaction consumes.
type consumer struct {
	tx        *tx
	events    []grant.Usage
	seen      map[string]bool   // the keys of events that are known
	customers map[nameOf]string // by how events name them; those that are known
	pots      map[potKey]*pot
}

// nameOf is how an event names its customer: one of the two is empty.
type nameOf struct{ id, external string }

func nameIn(u grant.Usage) nameOf {
	if u.CustomerID != "" {
		return nameOf{id: u.CustomerID}
	}
	return nameOf{external: u.ExternalCustomerID}
}

// potKey names a customer's meter.
type potKey struct{ customer, meter string }

// eventKey begins the key of what an event has consumed.
const eventKey = "event "

func keyOf(u grant.Usage) string {
	if u.EventID == "" {
		return ""
	}
	return eventKey + u.EventID
}

// open finds out which events are known, whose the others are, and opens every
// meter that is concerned.
func (c *consumer) open() (err error) {
	if c.seen, err = c.tx.knownOf(c.events); err != nil {
		return err
	}
	if c.customers, err = c.tx.customersOf(slices.DeleteFunc(slices.Clone(c.events), c.known)); err != nil {
		return err
	}
	var keys []potKey
	for _, u := range c.events {
		if customer, ok := c.customers[nameIn(u)]; ok && !c.known(u) {
			for _, d := range u.Draws {
				keys = append(keys, potKey{customer, d.MeterID})
			}
		}
	}
	c.pots, err = c.tx.openPots(keys)
	return err
}

func (c *consumer) known(u grant.Usage) bool { return u.EventID != "" && c.seen[keyOf(u)] }

// sell records one sale, or says why not.
func (c *consumer) sell(s *sale) {
	if s.got = c.strangers(s.events); s.got.Refused != nil {
		return
	}
	before := map[*pot]pot{}
	var fresh []string
	for i, u := range s.events {
		if c.known(u) {
			s.got.Duplicates++
			continue
		}
		if short := c.take(u, before); short != nil {
			short.Index = i
			s.got = grant.Consumption{Refused: short}
			c.undo(fresh, before)
			return
		}
		if u.EventID != "" {
			c.seen[keyOf(u)] = true
			fresh = append(fresh, keyOf(u))
		}
		s.got.Inserted++
	}
}

// strangers names all events whose customer is not known.
func (c *consumer) strangers(events []grant.Usage) (got grant.Consumption) {
	var all []int
	for i, u := range events {
		if _, ok := c.customers[nameIn(u)]; !ok && !c.known(u) {
			all = append(all, i)
		}
	}
	if len(all) > 0 {
		got.Refused = &grant.Shortage{Index: all[0], Strangers: all}
	}
	return got
}

// take takes what one event does, and keeps how the meters stood before. It
// returns what there is too little of.
func (c *consumer) take(u grant.Usage, before map[*pot]pot) *grant.Shortage {
	e := entry{occurred: micros(u.At), key: keyOf(u)}
	for _, d := range u.Draws {
		p := c.pots[potKey{c.customers[nameIn(u)], d.MeterID}]
		if _, ok := before[p]; !ok {
			before[p] = p.copy()
		}
		if !p.take(d.Units, d.Overdraft, e) {
			return &grant.Shortage{MeterID: d.MeterID, Balance: p.balance(), Units: d.Units}
		}
		e.key = ""
	}
	return nil
}

// undo forgets what a sale has taken.
func (c *consumer) undo(keys []string, before map[*pot]pot) {
	for p, was := range before {
		*p = was
	}
	for _, key := range keys {
		delete(c.seen, key)
	}
}

func (c *consumer) changed() (all []*pot) {
	for _, p := range c.pots {
		all = append(all, p)
	}
	return all
}

// knownOf are the keys of those events that are known.
func (t *tx) knownOf(events []grant.Usage) (map[string]bool, error) {
	var rows [][]any
	for _, u := range events {
		if u.EventID != "" {
			rows = append(rows, []any{keyOf(u)})
		}
	}
	known := map[string]bool{}
	return known, t.rows(rows, `SELECT key FROM (SELECT (SELECT e.entry_key FROM credit_entries e WHERE e.entry_key = {{0}} AND e.entry_key <> '') AS key
		FROM {{rows}}) k WHERE key IS NOT NULL`, func(r rowScanner) error {
		var key string
		err := r.Scan(&key)
		known[key] = true
		return err
	})
}

// customersOf are the customers whom events name and who are not deleted, by the
// platform's id or else by the merchant's own. Of two who have that, the one
// spoken of last counts.
func (t *tx) customersOf(events []grant.Usage) (map[nameOf]string, error) {
	found := map[nameOf]string{}
	var rows [][]any
	for _, u := range events {
		n := nameIn(u)
		if _, ok := found[n]; !ok {
			found[n] = ""
			rows = append(rows, []any{n.id, n.external})
		}
	}
	clear(found)
	return found, t.rows(rows, `SELECT id, external, found FROM (SELECT {{0}} AS id, {{1}} AS external, CASE
			WHEN {{0}} <> '' THEN (SELECT c.id FROM customers c WHERE c.id = {{0}} AND c.deleted_at = 0)
			ELSE (SELECT c.id FROM customers c WHERE c.external_id = {{1}} AND c.external_id <> '' AND c.deleted_at = 0 ORDER BY c.ver_at DESC, c.id DESC LIMIT 1)
			END AS found FROM {{rows}}) c WHERE found IS NOT NULL`, func(r rowScanner) error {
		var n nameOf
		var id string
		err := r.Scan(&n.id, &n.external, &id)
		found[n] = id
		return err
	})
}
