package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"fulfilld/fulfillers"

	"github.com/google/go-github/v62/github"
)

// repository is one that was found, and by whom.
type repository struct {
	g     *Fulfiller
	by    *caller
	asked string // as holds name it, lower case
	name  string // as it is called today
	github.Repository
}

// open finds a repository by the name that holds have for it; GitHub redirects
// from former names.
func (g *Fulfiller) open(ctx context.Context, asked string) (*repository, error) {
	if !isRepository(asked) {
		return nil, fulfillers.Permanent("bad_repository", fmt.Sprintf("github: %q is no repository", asked))
	}
	r, known, err := g.find(ctx, asked)
	if known && isMissing(err) { // it may have moved to where another installation is
		g.leaveHome(asked)
		r, _, err = g.find(ctx, asked)
	}
	if isMissing(err) {
		return nil, permanent("repository_not_found", fmt.Sprintf(
			"%s is not there for us: it was deleted or moved, its name is wrong, or the App or token may not see it; correct the name or give access", asked), err)
	}
	return r, err
}

func (g *Fulfiller) find(ctx context.Context, asked string) (r *repository, known bool, err error) {
	r = &repository{g: g, asked: asked}
	if r.by, known, err = g.callerFor(ctx, asked); err != nil {
		return nil, known, err
	}
	if _, err := g.call(ctx, r.by, http.MethodGet, "repos/"+asked, nil, &r.Repository); err != nil {
		return nil, known, err
	}
	if r.name = r.GetFullName(); r.GetID() == 0 || !isRepository(r.name) {
		return nil, known, fulfillers.Transient("malformed", fmt.Errorf("github: GET repos/%s: the answer is no repository", asked))
	}
	return r, known, nil
}

// path is an endpoint of the repository.
func (r *repository) path(format string, parts ...any) string {
	return "repos/" + r.name + fmt.Sprintf(format, parts...)
}

// writable refuses what would fail anyway.
func (r *repository) writable() error {
	if r.GetArchived() {
		return permanent("archived", r.asked+" is archived and takes no changes; unarchive it", nil)
	}
	return nil
}

// errGone says that an account is no more, or that GitHub hides it.
var errGone = errors.New("github: the account is deleted or suspended")

// user is an account today.
type user struct {
	id    int64
	login string
}

// user finds what an account is called today. An account keeps its number, and
// may leave its login to a stranger.
func (g *Fulfiller) user(ctx context.Context, by *caller, id int64) (user, error) {
	var u github.User
	_, err := g.call(ctx, by, http.MethodGet, fmt.Sprintf("user/%d", id), nil, &u)
	switch {
	case isMissing(err):
		return user{}, errGone
	case err != nil:
		return user{}, err
	case u.GetID() != id:
		return user{}, fulfillers.Transient("malformed", fmt.Errorf("github: GET user/%d: the answer is another account", id))
	case u.GetType() == "Bot" || u.GetType() == "Organization" || !loginForm.MatchString(u.GetLogin()):
		return user{}, notAPerson()
	}
	return user{id, u.GetLogin()}, nil
}

func notAPerson() error {
	return fulfillers.ActionRequired("not_a_person", "github: the account is not a person's; link the GitHub account of a person")
}

func accountGone() error {
	return fulfillers.ActionRequired("account_gone", "github: the linked GitHub account is deleted or suspended; link another one")
}

// access is what an account may do in a repository.
type access struct {
	level  int  // however it came about
	direct bool // the repository itself gives it, at least in part
}

// access reads it. What everybody may do in a public repository does not count.
func (r *repository) access(ctx context.Context, u user) (a access, err error) {
	var p struct {
		Permission string       `json:"permission"`
		User       *github.User `json:"user"`
	}
	_, err = r.g.call(ctx, r.by, http.MethodGet, r.path("/collaborators/%s/permission", u.login), nil, &p)
	switch {
	case err != nil:
		return a, err
	case p.Permission == "" || p.User == nil:
		return a, fulfillers.Transient("malformed", fmt.Errorf("github: the permission of %s in %s cannot be read", u.login, r.name))
	case p.User.GetID() != u.id:
		return a, fulfillers.Transient("login_moved", fmt.Errorf("github: %s is not account %d any more", u.login, u.id))
	}
	a.level = max(levelIn(p.User.Permissions), levelOfRole(p.Permission))
	if a.level == 0 {
		return a, nil
	}
	if a.direct, err = r.direct(ctx, u.id); err == nil && !a.direct && a.level == 1 && !r.GetPrivate() {
		a.level = 0
	}
	return a, err
}

// direct says whether the repository itself gives an account access, and not
// a team, the organisation, or ownership alone.
func (r *repository) direct(ctx context.Context, id int64) (found bool, err error) {
	err = pages(ctx, r.g, r.by, r.path("/collaborators?affiliation=direct"), func(all []github.User) bool {
		for _, u := range all {
			found = found || u.GetID() == id
		}
		return found
	})
	return found, err
}
