package discord

import (
	"context"
	"fmt"
	"net/http"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// Revoke implements fulfillers.Fulfiller. It works from the holds and the
// properties alone, and tries every guild even when one refuses.
func (d *Fulfiller) Revoke(ctx context.Context, f grant.Fulfilment) error {
	var first error
	for _, p := range partiesOf(f.Holds) {
		if err := d.leave(ctx, f, p); first == nil {
			first = err
		}
	}
	return first
}

// leave takes what nobody owes the account any more. Roles go before the
// membership: a kick can be refused where a role can be taken.
func (d *Fulfiller) leave(ctx context.Context, f grant.Fulfilment, p *party) error {
	if d.config.protects(p.user) {
		return nil
	}
	e := errand{guild: p.guild, user: p.user, reason: reason(f.Grant.ID), urgent: true, anyway: f.Asked}
	n := need{roles: p.unowed()}
	doing := e.doing("take from", n.roles)
	err := d.take(ctx, e, n.roles)
	if err == nil && isToBeKicked(f, p) {
		n = need{kick: true}
		err = d.kick(ctx, e)
	}
	if in, ok := invitationIn(f.Properties); err == nil && ok && in.guild == p.guild && p.leaves() {
		err = d.uninvite(ctx, e, in)
	}
	return d.settle(ctx, e, n, doing, err)
}

// isToBeKicked: the grant asked for it, the member was not there before, and
// nothing else holds the membership.
func isToBeKicked(f grant.Fulfilment, p *party) bool {
	return p.leaves() && isUnowed(p.member) && p.member.Origin == grant.FromUs && kicks(f.Properties, p.guild)
}

// take believes what it reads back: a refusal does not matter when the role is
// not there anyway, and a success is none while it is.
func (d *Fulfiller) take(ctx context.Context, e errand, roles []string) error {
	if len(roles) == 0 {
		return nil
	}
	d.session.expect(e, membersLimit)
	var refused error
	for _, role := range roles {
		err := d.session.role(ctx, e, http.MethodDelete, role)
		switch code := codeOf(err); {
		case isGone(err):
			return nil
		case code == missingPermissions || code == twoFactorRequired:
			refused = err
		case err != nil && code != unknownRole:
			return err
		}
	}
	m, err := d.session.member(ctx, e)
	switch {
	case isGone(err):
		return nil
	case err != nil:
		return err
	case len(without(m, roles)) == len(roles):
		return nil
	case refused != nil:
		return refused
	}
	return fulfillers.Transient("still_there", fmt.Errorf("discord: %s: still there afterwards", e.doing("take from", roles)))
}

// kick believes what it reads back, too: who was kicked by hand is gone.
func (d *Fulfiller) kick(ctx context.Context, e errand) error {
	refused := d.session.kick(ctx, e)
	err := refused
	if code := codeOf(refused); refused == nil || code == missingPermissions || code == twoFactorRequired {
		_, err = d.session.member(ctx, e)
	}
	switch {
	case isGone(err):
		return nil
	case err != nil:
		return err
	case refused != nil:
		return refused
	}
	return fulfillers.Transient("still_there", fmt.Errorf("discord: kick user %s from guild %s: still there afterwards", e.user, e.guild))
}
