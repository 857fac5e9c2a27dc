// Package custom tells the merchant's own server, by a signed webhook, what each
// customer is owed, and when that ends.
//
// It decides what is told, to whom and once. It does not know what the merchant
// makes of it, the queue, or the ledger.
package custom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/internal/outbound"
)

// The types of what is told. They stay as they are.
const (
	typeGranted = "benefit.granted"
	typeUpdated = "benefit_grant.updated"
	typeRevoked = "benefit.revoked"
	typeCycled  = "benefit.cycled"
)

// Fulfiller delivers webhooks. It is made by [New].
type Fulfiller struct {
	config Config
	lanes  fulfillers.Lanes
	client *outbound.Client
}

// New returns a fulfiller. A host that asks for a rest has it in lanes, for all
// daemons.
func New(c Config, lanes fulfillers.Lanes) *Fulfiller {
	return &Fulfiller{c, lanes, outbound.New(outbound.Options{AllowPrivate: c.AllowPrivate})}
}

// Check implements fulfillers.Fulfiller.
func (c *Fulfiller) Check(raw json.RawMessage) error {
	_, err := c.parse(raw)
	return err
}

// Grant implements fulfillers.Fulfiller. A URL that has been told all of it
// before is told nothing; one that the benefit names no more is told the end.
// Whom it is about to tell it remembers before: with an error it returns no
// properties, which would take the place of that, unless nobody has heard of it.
func (c *Fulfiller) Grant(ctx context.Context, f grant.Fulfilment) (grant.Properties, error) {
	to, err := c.aimed(f.Target)
	if err != nil {
		return nil, err
	}
	note := noteOf(to, f.Benefit)
	if to.url == nil {
		return c.untold(ctx, f, note)
	}
	now := digest(f)
	m := message{typ: typeGranted, to: to.url, f: f}
	if f.State == grant.Granted && c.knows(f, to) {
		if f.Properties[delivered] == now && !f.Asked {
			return f.Properties, nil
		}
		m.typ = typeUpdated
	}
	if err := c.intend(ctx, f, to); err != nil {
		return nil, err
	}
	answer, err := c.deliver(ctx, m)
	switch {
	case err != nil && unheard(answer):
		return maps.Collect(maps.All(f.Properties)), err // never nil, which is none
	case err != nil:
		return nil, err
	}
	props := withNote(propertiesOf(answer.Body, f.Properties), note)
	props[delivered] = now
	if others := without(mayKnow(f.Properties), to); len(others) > 0 && c.knows(f, to) { // one that takes over speaks for all
		props[unheardOf] = others
	}
	return props, nil
}

// untold is a grant that nobody is told of. Whoever was told of it before is told
// the end. Where the section's URL was taken out, nobody knows any more who that
// was: the grant stays as it is, and its end says so.
func (c *Fulfiller) untold(ctx context.Context, f grant.Fulfilment, note string) (grant.Properties, error) {
	err := c.Revoke(ctx, f)
	if e := fulfillers.Classify(err); e != nil && e.Code == codeNoURL {
		p := withNote(propertiesOf(nil, f.Properties), note)
		for _, ours := range [...]string{delivered, unheardOf} {
			if v, ok := f.Properties[ours]; ok {
				p[ours] = v
			}
		}
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	return withNote(grant.Properties{}, note), nil
}

// Revoke implements fulfillers.Fulfiller. It tells whoever was told of the grant,
// or may have been, whatever the benefit names today. One that does not answer
// keeps nobody else from being told.
func (c *Fulfiller) Revoke(ctx context.Context, f grant.Fulfilment) error {
	all, unknown := c.whom(f)
	var errs []error
	for _, u := range all {
		_, err := c.deliver(ctx, message{typ: typeRevoked, to: u, f: f})
		errs = append(errs, err)
	}
	return errors.Join(append(errs, unknown)...)
}

// Cycle implements fulfillers.Cycler.
func (c *Fulfiller) Cycle(ctx context.Context, f grant.Fulfilment, key string) error {
	to, err := c.aimed(f.Target)
	if err != nil || to.url == nil {
		return err
	}
	_, err = c.deliver(ctx, message{typ: typeCycled, to: to.url, f: f, cycle: key})
	return err
}

// Invites implements fulfillers.Inviter.
func (c *Fulfiller) Invites(raw json.RawMessage) string {
	to, err := c.parse(raw)
	if err != nil || to.url == nil {
		return ""
	}
	return fmt.Sprintf("the server at %s is told as of a real purchase", to.url.Host)
}
