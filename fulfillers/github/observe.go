package github

import (
	"context"
	"errors"

	"fulfilld/grant"
)

const rereads = 3 // of what GitHub is slow to show: after 0.5, 1 and 2 s

// Observe implements fulfillers.Resourceful. A level is what the account may do
// however that came about: by a team, the base role of its organisation, or as
// an owner too, which is elsewhere. Whoever had it before us keeps it, and of what
// came otherwise only what the repository itself gives is ever taken away. Where
// the fulfilment lets go of the same repository under another name, what is there
// now is its own doing, and what was there before it is known.
func (g *Fulfiller) Observe(ctx context.Context, f grant.Fulfilment, all []grant.Resource) ([]grant.Access, error) {
	found := make([]grant.Access, len(all))
	n := g.leads()
	for i, r := range all {
		a, err := g.observe(ctx, n, f.Holds, r)
		if err != nil {
			return nil, err
		}
		found[i] = a
	}
	return found, nil
}

func (g *Fulfiller) observe(ctx context.Context, n leads, holds []grant.Hold, resource grant.Resource) (a grant.Access, err error) {
	id, err := numeric(resource.Account)
	if err != nil {
		return a, err
	}
	r, err := g.open(ctx, resource.Name)
	if err != nil {
		return a, err
	}
	old, err := n.twins(ctx, r, holds, func(h grant.Hold) bool {
		return h.Account == resource.Account && h.Level == 0 && h.Origin != ""
	})
	if err != nil || len(old) > 0 {
		return mostBefore(old), err
	}
	return r.found(ctx, id)
}

func mostBefore(all []grant.Hold) (a grant.Access) {
	for _, h := range all {
		if h.Before > a.Level {
			a = grant.Access{Level: h.Before, Elsewhere: h.Origin == grant.FromElsewhere}
		}
	}
	return a
}

// found is what an account has or is invited to.
func (r *repository) found(ctx context.Context, id int64) (a grant.Access, err error) {
	u, err := r.g.user(ctx, r.by, id)
	if errors.Is(err, errGone) {
		return a, accountGone()
	}
	if err != nil {
		return a, err
	}
	mine, _, err := r.invitations(ctx, id)
	if err != nil {
		return a, err
	}
	have, err := r.access(ctx, u)
	a = grant.Access{Level: have.level, Elsewhere: have.level > 0 && !have.direct}
	for _, i := range mine {
		if !i.over(r.g.now()) {
			a = grant.Access{Level: max(a.Level, i.level())}
		}
	}
	return a, err
}

// until reads an account's access until it is as it should be, for a few times:
// GitHub may take a moment to show what was done. It returns what it saw last.
func (r *repository) until(ctx context.Context, u user, good func(access) bool) (access, error) {
	for n := 0; ; n++ {
		a, err := r.access(ctx, u)
		if err != nil || good(a) || n == rereads {
			return a, err
		}
		if err := sleep(ctx, r.g.lag<<n); err != nil {
			return a, err
		}
	}
}
