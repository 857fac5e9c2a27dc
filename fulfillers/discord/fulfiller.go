// Package discord gives roles in Discord guilds: to members at once, and to
// whoever is invited as soon as they have joined.
//
// It speaks REST as a bot and holds no gateway, so it learns that somebody has
// joined or left when it is called again. It does not know what a benefit is,
// who else holds a role (the holds say it), the queue, or the ledger.
package discord

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// Fulfiller gives roles in Discord guilds. It is made by [New].
type Fulfiller struct {
	config  Config
	session *session
	glances glances
}

// New returns a fulfiller for a config that has been checked. What Discord asks
// to rest does so in lanes, for all daemons.
func New(c Config, lanes fulfillers.Lanes) *Fulfiller {
	return &Fulfiller{config: c, session: newSession(c, lanes)}
}

// Provider implements fulfillers.Resourceful.
func (*Fulfiller) Provider() string { return provider }

// Check implements fulfillers.Fulfiller.
func (*Fulfiller) Check(raw json.RawMessage) error {
	_, err := parse(raw)
	return err
}

// Resources implements fulfillers.Resourceful.
func (d *Fulfiller) Resources(f grant.Fulfilment) ([]grant.Resource, error) {
	p, err := d.wanted(f)
	if err != nil {
		return nil, err
	}
	return resourcesOf(p, f.Account.ID), nil
}

// Observe implements fulfillers.Resourceful. Whoever is not in a guild has
// nothing there.
func (d *Fulfiller) Observe(ctx context.Context, f grant.Fulfilment, all []grant.Resource) ([]grant.Access, error) {
	found := make([]grant.Access, len(all))
	holds := make([]grant.Hold, len(all))
	for i, r := range all {
		holds[i].Resource = r
	}
	for _, p := range partiesOf(holds) {
		roles := p.choose(func(grant.Hold) bool { return true })
		e := errand{guild: p.guild, user: p.user, anyway: f.Asked}
		m, err := d.session.member(ctx, e)
		if isGone(err) {
			continue
		}
		if err != nil {
			return nil, d.settle(ctx, e, need{roles: roles}, e.doing("look whether", roles), err)
		}
		d.glances.keep(glanceKey(f.ID, e), m, d.session.now())
		for i, r := range all {
			guild, role := partsOf(r.Name)
			if guild == p.guild && r.Account == p.user && (role == "" || slices.Contains(m.Roles, role)) {
				found[i].Level = 1
			}
		}
	}
	return found, nil
}

// Identify implements fulfillers.Resourceful. Names change hands, so only an id
// is taken. The words are not repeated: they can be an address.
func (d *Fulfiller) Identify(ctx context.Context, words string) (grant.Account, error) {
	words = strings.TrimSpace(words)
	if !isID(words) {
		return grant.Account{}, fulfillers.ActionRequired("no_account", "give the numeric id of the Discord account, not its name: in Discord switch on Settings, Advanced, Developer Mode, then right-click your name and choose Copy User ID")
	}
	e := errand{user: words}
	u, err := d.session.user(ctx, e, words)
	if err != nil {
		return grant.Account{}, d.settle(ctx, e, need{}, "look up user "+words, err)
	}
	if u.ID != words {
		return grant.Account{}, malformed("it is about another user")
	}
	if u.Bot {
		return grant.Account{}, fulfillers.ActionRequired("no_account", "that is the id of a bot; give that of your own Discord account")
	}
	return grant.Account{Provider: provider, ID: u.ID, Name: u.Username}, nil
}

// Invites implements fulfillers.Inviter.
func (d *Fulfiller) Invites(raw json.RawMessage) string {
	p, err := parse(raw)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("a Discord account that is a member of guild %s gets the roles %s at once; any other gets an invitation, which is shown to the customer and not sent by mail", p.Guild, strings.Join(p.Roles, ", "))
}
