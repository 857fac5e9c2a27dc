package discord

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/bwmarrin/discordgo"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// Grant implements fulfillers.Fulfiller. It gives what is missing, and takes
// Discord's word that it is there: reading is limited as tightly as giving, and all
// is looked at again every day. Whoever is not in the guild is invited, and is looked for
// again whenever Grant is called: so is who left and comes back.
func (d *Fulfiller) Grant(ctx context.Context, f grant.Fulfilment) (grant.Properties, error) {
	p, err := d.wanted(f)
	if err != nil {
		return nil, err
	}
	roles, err := rolesOf(f, p)
	if err != nil {
		return nil, err
	}
	e := errand{guild: p.Guild, user: f.Account.ID, reason: reason(f.Grant.ID), anyway: f.Asked}
	if d.config.protects(e.user) {
		err = d.protected(ctx, e, roles)
	} else {
		err = d.give(ctx, e, d.glances.take(glanceKey(f.ID, e), d.session.now()), roles)
	}
	if codeOf(err) == unknownMember {
		return d.absent(ctx, e, f, about(p, f))
	}
	if err != nil {
		return nil, d.settle(ctx, e, need{roles: roles}, e.doing("give", roles), err)
	}
	return d.welcome(ctx, e, f, about(p, f)), nil
}

// wanted reads what the target asks for, and whether it may.
func (d *Fulfiller) wanted(f grant.Fulfilment) (params, error) {
	p, err := parse(f.Target.Params)
	switch {
	case err != nil:
		return p, fulfillers.Permanent("bad_params", "discord: "+err.Error())
	case !f.Target.Configured() && !d.config.allows(p.Guild):
		return p, fulfillers.Permanent("not_allowed", fmt.Sprintf("discord: guild_id: the guild %s is named by the %s and not listed in fulfillers.discord.allow; list it there, or give the benefit an entry in the config", p.Guild, f.Target.Origin))
	case !isID(f.Account.ID):
		return p, fulfillers.ActionRequired("no_account", "link a Discord account: its numeric id is not known")
	}
	return p, nil
}

// rolesOf are the roles to give: those that are held, so that they are on record.
func rolesOf(f grant.Fulfilment, p params) ([]string, error) {
	for _, party := range partiesOf(f.Holds) {
		if party.guild == p.Guild && party.user == f.Account.ID && len(party.wanted()) > 0 {
			return party.wanted(), nil
		}
	}
	return nil, fulfillers.Transient("no_holds", errors.New("discord: no role is on record as held"))
}

// give writes only what differs, from what was seen a moment ago if it was.
func (d *Fulfiller) give(ctx context.Context, e errand, m *discordgo.Member, roles []string) (err error) {
	if m == nil {
		if m, err = d.session.member(ctx, e); err != nil {
			return err
		}
	}
	missing := without(m, roles)
	if len(missing) == 0 {
		return nil
	}
	for _, role := range missing {
		if err := d.session.role(ctx, e, http.MethodPut, role); err != nil {
			return err
		}
	}
	return nil
}

// protected changes nothing, and so can only find that all is there.
func (d *Fulfiller) protected(ctx context.Context, e errand, roles []string) error {
	m, err := d.session.member(ctx, e)
	if err != nil && !isGone(err) {
		return err
	}
	if err == nil && len(without(m, roles)) == 0 {
		return nil
	}
	return fulfillers.Permanent("protected", fmt.Sprintf("discord: user %s is listed in fulfillers.discord.protect and does not have all roles; give them by hand, or take the user off the list", e.user))
}

// welcome ends an invitation that was not needed after all. One that cannot be
// ended for now is ended with the grant.
func (d *Fulfiller) welcome(ctx context.Context, e errand, f grant.Fulfilment, p grant.Properties) grant.Properties {
	if in, ok := invitationIn(f.Properties); ok && d.uninvite(ctx, e, in) != nil {
		in.remember(p)
	}
	return p
}

func (e errand) doing(what string, roles []string) string {
	return fmt.Sprintf("%s user %s in guild %s the roles %s", what, e.user, e.guild, strings.Join(roles, ", "))
}
