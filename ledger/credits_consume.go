package ledger

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"fulfilld/grant"
)

// Consume records what events have consumed: all of them, or none where one
// takes more than there is or names nobody. An event that is known already
// consumes nothing.
func (l *Ledger) Consume(ctx context.Context, events []grant.Usage) (grant.Consumption, error) {
	return askShared(ctx, l.writers, func(t *tx) (grant.Consumption, error) {
		c := consumer{tx: t, customers: make([]string, len(events)), pots: map[potKey]*pot{}, seen: map[string]bool{}}
		if err := c.find(events); err != nil || c.Refused != nil {
			return c.Consumption, err
		}
		if err := c.open(events); err != nil {
			return c.Consumption, err
		}
		for i, u := range events {
			if err := c.consume(i, u); err != nil || c.Refused != nil {
				return c.Consumption, err
			}
		}
		return c.Consumption, writePots(c.pots)
	})
}

// consumer is one call of Consume.
type consumer struct {
	grant.Consumption
	tx        *tx
	customers []string // of each event
	pots      map[potKey]*pot
	seen      map[string]bool // the merchant's ids among these events
}

// potKey names a customer's meter.
type potKey struct{ customer, meter string }

// find finds every event's customer.
func (c *consumer) find(events []grant.Usage) error {
	known := map[[2]string]string{}
	for i, u := range events {
		name := [2]string{u.CustomerID, ""}
		if u.CustomerID == "" {
			name[1] = u.ExternalCustomerID
		}
		id, ok := known[name]
		if !ok {
			var err error
			if id, err = c.tx.customerOf(name[0], name[1]); errors.Is(err, ErrNotFound) {
				c.refuse(grant.Shortage{Index: i})
				return nil
			} else if err != nil {
				return err
			}
			known[name] = id
		}
		c.customers[i] = id
	}
	return nil
}

// customerOf is a customer who is not deleted, by the platform's id or else by
// the merchant's own. Of two who have that, the one spoken of last counts.
func (t *tx) customerOf(id, external string) (found string, err error) {
	if id != "" {
		return found, t.row(`SELECT id FROM customers WHERE id = $1 AND deleted_at = 0`, []any{id}, &found)
	}
	return found, t.row(`SELECT id FROM customers WHERE external_id = $1 AND external_id <> '' AND deleted_at = 0
		ORDER BY ver_at DESC, id DESC LIMIT 1`, []any{external}, &found)
}

// open opens every customer's meter that is concerned, in one order for all who do.
func (c *consumer) open(events []grant.Usage) error {
	var keys []potKey
	for i, u := range events {
		for _, d := range u.Draws {
			keys = append(keys, potKey{c.customers[i], d.MeterID})
		}
	}
	slices.SortFunc(keys, func(a, b potKey) int {
		return cmp.Or(cmp.Compare(a.customer, b.customer), cmp.Compare(a.meter, b.meter))
	})
	for _, k := range slices.Compact(keys) {
		p, err := c.tx.pot(k.customer, k.meter)
		if err != nil {
			return err
		}
		c.pots[k] = p
	}
	return nil
}

// consume takes what one event does.
func (c *consumer) consume(i int, u grant.Usage) error {
	e := entry{occurred: micros(u.At)}
	if u.EventID != "" {
		e.key = eventKey + u.EventID
		known, err := c.tx.hasEntry(e.key)
		if err != nil {
			return err
		}
		if known || c.seen[u.EventID] {
			c.Duplicates++
			return nil
		}
		c.seen[u.EventID] = true
	}
	for _, d := range u.Draws {
		p := c.pots[potKey{c.customers[i], d.MeterID}]
		if !p.take(d.Units, d.Overdraft, e) {
			c.refuse(grant.Shortage{Index: i, MeterID: d.MeterID, Balance: p.balance(), Units: d.Units})
			return nil
		}
		e.key = ""
	}
	c.Inserted++
	return nil
}

// eventKey begins the key of what an event has consumed.
const eventKey = "event "

// refuse has none of the events recorded.
func (c *consumer) refuse(s grant.Shortage) { c.Consumption = grant.Consumption{Refused: &s} }
