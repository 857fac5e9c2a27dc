// Package custom tells the merchant's own server, by a signed webhook, what each
// customer is owed, and when that ends.
//
// It decides what is told, to whom and once. It does not know what the merchant
// makes of it, the queue, or the ledger.
package custom

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

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

// codeNoURL is the code of an end that nobody can be told.
const codeNoURL = "no_url"

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
// With an error it returns no properties: they would take the place of those that
// say who was told.
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
	answer, err := c.deliver(ctx, m)
	if err != nil {
		return nil, err
	}
	props := withNote(propertiesOf(answer, f.Properties), note)
	props[delivered] = now
	return props, nil
}

// untold is a grant that nobody is told of. Whoever was told of it before is told
// the end. Where the section's URL was taken out, nobody knows any more who that
// was: the grant stays as it is, and its end says so.
func (c *Fulfiller) untold(ctx context.Context, f grant.Fulfilment, note string) (grant.Properties, error) {
	err := c.Revoke(ctx, f)
	if e := fulfillers.Classify(err); e != nil && e.Code == codeNoURL {
		p := withNote(propertiesOf(nil, f.Properties), note)
		p[delivered] = f.Properties[delivered]
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	return withNote(grant.Properties{}, note), nil
}

// knows reports whether a URL is the one that has been told of a grant.
func (c *Fulfiller) knows(f grant.Fulfilment, to aim) bool {
	before, err := c.parse(f.Applied)
	return err == nil && f.Properties[delivered] != nil && before.url != nil && before.url.String() == to.url.String()
}

// Revoke implements fulfillers.Fulfiller. It tells whoever was told of the grant,
// or may have been, whatever the benefit names today.
func (c *Fulfiller) Revoke(ctx context.Context, f grant.Fulfilment) error {
	to, err := c.told(f)
	if err != nil {
		return err
	}
	for _, u := range []*url.URL{to, c.mayKnow(f, to)} {
		if u == nil {
			continue
		}
		if _, err := c.deliver(ctx, message{typ: typeRevoked, to: u, f: f}); err != nil {
			return err
		}
	}
	return nil
}

// mayKnow is where the benefit leads today, if that is another URL than the one
// that was told: it may have been told without our hearing of it.
func (c *Fulfiller) mayKnow(f grant.Fulfilment, told *url.URL) *url.URL {
	to, err := c.aimed(f.Target)
	if err != nil || to.url == nil || told == nil || to.url.String() == told.String() {
		return nil
	}
	return to.url
}

// told is the URL that was told of a grant. Where none is recorded, it is the one
// that may have been; nil when there is none.
func (c *Fulfiller) told(f grant.Fulfilment) (*url.URL, error) {
	if f.Properties[delivered] == nil {
		to, _ := c.aimed(f.Target) // what is refused was never called
		return to.url, nil
	}
	to, err := c.aimed(grant.Target{Params: f.Applied, Origin: "config"}) // it was allowed then
	if err == nil && to.url == nil {
		err = fulfillers.Permanent(codeNoURL, "custom: the URL that was told of the grant is not in the config any more, so nobody can be told that it has ended; write fulfillers.custom.url")
	}
	return to.url, err
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
