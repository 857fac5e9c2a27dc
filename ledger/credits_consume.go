package ledger

import (
	"context"

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

// open finds out which events are known and whose they are, and opens every meter
// that is concerned.
func (c *consumer) open() (err error) {
	if err := c.tx.bulks(c.knownOnes(), c.theirCustomers()); err != nil {
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

// knownOnes asks which events are known.
func (c *consumer) knownOnes() bulk {
	var rows [][]any
	for _, u := range c.events {
		if u.EventID != "" {
			rows = append(rows, []any{keyOf(u)})
		}
	}
	c.seen = map[string]bool{}
	return bulk{rows, `SELECT coalesce((SELECT e.entry_key FROM credit_entries e WHERE e.entry_key = {{0}} AND e.entry_key <> ''), '') {{from}}`, func(r rowScanner) error {
		var key string
		err := r.Scan(&key)
		c.seen[key] = true
		return err
	}}
}

// theirCustomers asks for the customers whom events name and who are not deleted,
// by the platform's id or else by the merchant's own. Of two who have that, the one
// spoken of last counts.
func (c *consumer) theirCustomers() bulk {
	named := map[nameOf]bool{}
	var rows [][]any
	for _, u := range c.events {
		if n := nameIn(u); !named[n] {
			named[n] = true
			rows = append(rows, []any{n.id, n.external})
		}
	}
	c.customers = map[nameOf]string{}
	return bulk{rows, `SELECT {{0}}, {{1}}, coalesce(CASE
			WHEN {{0}} <> '' THEN (SELECT c.id FROM customers c WHERE c.id = {{0}} AND c.deleted_at = 0)
			ELSE (SELECT c.id FROM customers c WHERE c.external_id = {{1}} AND c.external_id <> '' AND c.deleted_at = 0 ORDER BY c.ver_at DESC, c.id DESC LIMIT 1)
			END, '') {{from}}`, func(r rowScanner) error {
		var n nameOf
		var id string
		err := r.Scan(&n.id, &n.external, &id)
		if id != "" {
			c.customers[n] = id
		}
		return err
	}}
}
