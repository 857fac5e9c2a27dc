package github

import (
	"context"
	"errors"

	"fulfilld/grant"
)

const rereads = 3 // of what GitHub is slow to show: after 0.5, 1 and 2 s

// Observe implements fulfillers.Resourceful. A level is what the account may do
// however that came about: by a team, the base role of its organisation, or as
// an owner too. Whoever had it before us keeps it, and of what came otherwise
// only what the repository itself gives is ever taken away. Where the fulfilment
// lets go of the same repository under another name, what is there now is its
// own doing, and what was there before it is known.
func (g *Fulfiller) Observe(ctx context.Context, f grant.Fulfilment, all []grant.Resource) ([]int, error) {
	levels := make([]int, len(all))
	n := g.leads()
	for i, r := range all {
		level, err := g.observe(ctx, n, f.Holds, r)
		if err != nil {
			return nil, err
		}
		levels[i] = level
	}
	return levels, nil
}

func (g *Fulfiller) observe(ctx context.Context, n leads, holds []grant.Hold, resource grant.Resource) (int, error) {
	id, err := numeric(resource.Account)
	if err != nil {
		return 0, err
	}
	r, err := g.open(ctx, resource.Name)
	if err != nil {
		return 0, err
	}
	old, err := n.twins(ctx, r, holds, func(h grant.Hold) bool {
		return h.Account == resource.Account && h.Level == 0 && h.Origin != ""
	})
	if err != nil || len(old) > 0 {
		return mostBefore(old), err
	}
	return r.levelOf(ctx, id)
}

func mostBefore(all []grant.Hold) (level int) {
	for _, h := range all {
		if h.Origin == grant.FromBefore {
			level = max(level, h.Before)
		}
	}
	return level
}

// levelOf is what an account has or is invited to.
func (r *repository) levelOf(ctx context.Context, id int64) (int, error) {
	u, err := r.g.user(ctx, r.by, id)
	if errors.Is(err, errGone) {
		return 0, accountGone()
	}
	if err != nil {
		return 0, err
	}
	mine, _, err := r.invitations(ctx, id)
	if err != nil {
		return 0, err
	}
	have, err := r.access(ctx, u)
	for _, i := range mine {
		if !i.over(r.g.now()) {
			have.level = max(have.level, i.level())
		}
	}
	return have.level, err
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
