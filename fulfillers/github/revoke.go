package github

import (
	"context"
	"errors"
	"fmt"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// Revoke implements fulfillers.Fulfiller. It works from the holds alone. Access
// that a team, a base role or ownership gives stays: it is not ours, and nil
// means that nothing of ours is left. What is wanted is left alone.
func (g *Fulfiller) Revoke(ctx context.Context, f grant.Fulfilment) error {
	var errs []error
	n, m := g.leads(), recall(f)
	for _, h := range f.Holds {
		if h.Level > 0 || h.Owed() == 0 && h.Origin == grant.FromBefore {
			continue
		}
		errs = append(errs, g.letGo(ctx, n, h, f.Holds, m.given(h)))
	}
	return worst(errs)
}

// letGo brings one account in one repository down to what it is still owed.
func (g *Fulfiller) letGo(ctx context.Context, n leads, h grant.Hold, all []grant.Hold, given *given) error {
	id, err := numeric(h.Account)
	if err != nil || g.config.protects(id, "") {
		return err
	}
	r, err := g.open(ctx, h.Name)
	if err != nil {
		return err
	}
	twins, err := n.twins(ctx, r, all, func(o grant.Hold) bool { return o.Account == h.Account && o.Owed() > 0 })
	if err != nil {
		return err
	}
	for _, o := range twins {
		if o.Level > 0 { // Grant has just seen to it
			return nil
		}
		h.Others = max(h.Others, o.Owed())
	}
	return r.bringDown(ctx, id, h.Owed(), given)
}

// bringDown leaves an account no more than it is owed.
func (r *repository) bringDown(ctx context.Context, id int64, owed int, given *given) error {
	u, err := r.g.user(ctx, r.by, id)
	gone := errors.Is(err, errGone)
	switch {
	case err != nil && !gone:
		return err
	case r.g.config.protects(id, u.login):
		return nil
	case owed > 0 && gone:
		return nil
	case owed > 0:
		return r.lower(ctx, u, owed, given)
	}
	// Invitations first: one that is accepted in between is then seen as access.
	if _, err := r.uninvite(ctx, id); err != nil || gone {
		return err
	}
	return r.expel(ctx, u)
}

// uninvite deletes every invitation of an account, also those that have expired.
func (r *repository) uninvite(ctx context.Context, id int64) (found bool, err error) {
	mine, _, err := r.invitations(ctx, id)
	if err != nil {
		return false, err
	}
	for _, i := range mine {
		if err := r.write(ctx, true, func() error { return r.withdraw(ctx, &i) }); err != nil {
			return true, err
		}
	}
	return len(mine) > 0, nil
}

// expel removes a collaborator, and believes it when GitHub shows it.
func (r *repository) expel(ctx context.Context, u user) error {
	have, err := r.access(ctx, u)
	if err != nil {
		return err
	}
	if have.direct {
		if err := r.write(ctx, true, func() error { return r.remove(ctx, u) }); err != nil {
			return r.gone(ctx, u, err)
		}
		have, err = r.until(ctx, u, func(a access) bool { return !a.direct })
		if err != nil {
			return r.gone(ctx, u, err)
		}
	}
	left, err := r.uninvite(ctx, u.id)
	switch {
	case err != nil:
		return err
	case have.direct || left:
		return fulfillers.Transient("still_there", fmt.Errorf("github: %s still shows %s", r.name, u.login))
	case have.level > 0:
		fulfillers.Remark(ctx, fmt.Sprintf("github: %s still has %s on %s, by a team, a base role or ownership, or because everybody has: that is not ours to take",
			u.login, permissionOf(have.level), r.name))
	}
	return nil
}

// gone takes an account that was deleted meanwhile for revoked.
func (r *repository) gone(ctx context.Context, u user, cause error) error {
	if !isMissing(cause) {
		return cause
	}
	if _, err := r.g.user(ctx, r.by, u.id); errors.Is(err, errGone) {
		return nil
	}
	return cause
}

// lower takes the difference away from an account that keeps something. It
// invites nobody, and gives nobody more than they have. Whom others have made an
// administrator, as far as is known, stays one.
func (r *repository) lower(ctx context.Context, u user, owed int, of *given) error {
	mine, _, err := r.invitations(ctx, u.id)
	if err != nil {
		return err
	}
	for _, i := range mine {
		if i.level() > owed {
			if err := r.write(ctx, true, func() error { return r.patch(ctx, &i, owed) }); err != nil && !isMissing(err) {
				return err
			}
		}
	}
	have, err := r.access(ctx, u)
	if err != nil || !have.direct || have.level <= owed || have.level == admin && of != nil && !of.admin() {
		return err
	}
	t := &task{Fulfiller: r.g, repo: r, user: u, note: &note{}, given: &given{}}
	if err := r.write(ctx, true, func() error { return t.put(ctx, have.level, owed) }); err != nil {
		return err
	}
	return t.settled(ctx, owed)
}
