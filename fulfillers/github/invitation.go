package github

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"fulfilld/fulfillers"

	"github.com/google/go-github/v62/github"
)

const (
	day            = 24 * time.Hour
	invitationLife = 7 * day // https://github.blog/changelog/2020-02-05-repository-invitations-expire
)

// invitation is one that is neither accepted nor withdrawn; it stays listed
// when it has expired, which v62 does not tell.
type invitation struct {
	github.RepositoryInvitation
	Expired bool `json:"expired"`
}

func (i invitation) level() int { return levelOfRole(i.GetPermissions()) }

func (i invitation) over(now time.Time) bool {
	return i.Expired || !i.GetCreatedAt().IsZero() && !now.Before(i.GetCreatedAt().Add(invitationLife))
}

// invitations reads those of an account. recent is how many of any account's were
// sent within a day and are still open.
func (r *repository) invitations(ctx context.Context, id int64) (mine []invitation, recent int, err error) {
	since := r.g.now().Add(-day)
	err = pages(ctx, r.g, r.by, r.path("/invitations"), func(all []invitation) bool {
		for _, i := range all {
			if i.GetInvitee().GetID() == id {
				mine = append(mine, i)
			}
			if i.GetCreatedAt().After(since) {
				recent++
			}
		}
		return false
	})
	return mine, recent, err
}

// put gives an account a role: an invitation, or nil when GitHub needed none.
// The permission is always said, for GitHub takes push where nothing is.
func (r *repository) put(ctx context.Context, u user, level int) (*invitation, error) {
	var i invitation
	a, err := r.g.call(ctx, r.by, http.MethodPut, r.path("/collaborators/%s", u.login),
		github.RepositoryAddCollaboratorOptions{Permission: permissionOf(level)}, &i)
	switch {
	case err != nil:
		return nil, err
	case a.status == http.StatusNoContent:
		return nil, nil
	case i.GetID() == 0:
		return nil, fulfillers.Transient("malformed", fmt.Errorf("github: the invitation of %s to %s cannot be read", u.login, r.name))
	}
	return &i, nil
}

// patch changes what a pending invitation is to; it keeps its life.
func (r *repository) patch(ctx context.Context, i *invitation, level int) error {
	body := map[string]string{"permissions": roleOf(level)}
	var back invitation
	if _, err := r.g.call(ctx, r.by, http.MethodPatch, r.path("/invitations/%d", i.GetID()), body, &back); err != nil {
		return err
	}
	if back.level() != level {
		return permanent("wrong_permission", fmt.Sprintf("GitHub did not change invitation %d in %s to %s; change it by hand", i.GetID(), r.name, roleOf(level)), nil)
	}
	return nil
}

// withdraw deletes an invitation; one that is gone is withdrawn.
func (r *repository) withdraw(ctx context.Context, i *invitation) error {
	_, err := r.g.call(ctx, r.by, http.MethodDelete, r.path("/invitations/%d", i.GetID()), nil, nil)
	if isMissing(err) {
		return nil
	}
	return err
}

// remove takes an account out of the repository itself. It also deletes the
// person's private fork, so it is never a step on the way to something else.
func (r *repository) remove(ctx context.Context, u user) error {
	_, err := r.g.call(ctx, r.by, http.MethodDelete, r.path("/collaborators/%s", u.login), nil, nil)
	return err
}
