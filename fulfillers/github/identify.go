package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"fulfilld/fulfillers"
	"fulfilld/grant"

	"github.com/google/go-github/v62/github"
)

// Identify implements fulfillers.Resourceful. What is not a login or a number
// never comes into a URL, nor into an error: people write addresses there. A login
// may be all digits, so digits that name one account and number another are asked
// about: who says them cannot be seen here, and the other is a stranger.
func (g *Fulfiller) Identify(ctx context.Context, words string) (grant.Account, error) {
	words = strings.TrimSpace(words)
	name := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(words, "https://github.com/"), "@"), "/")
	if !loginForm.MatchString(name) {
		return grant.Account{}, fulfillers.ActionRequired("bad_account", "github: that is no GitHub user name; write the name as in https://github.com/NAME")
	}
	by, err := g.anyone(ctx)
	if err != nil {
		return grant.Account{}, err
	}
	named, err := g.person(ctx, by, "users/", name)
	unnamed := isNobody(err)
	if name != words || !idForm.MatchString(name) || err != nil && !unnamed {
		return named, err
	}
	numbered, err := g.person(ctx, by, "user/", name)
	switch {
	case unnamed || err != nil && !isNobody(err):
		return numbered, err
	case err == nil && named.ID != numbered.ID:
		return grant.Account{}, fulfillers.ActionRequired("ambiguous_account", fmt.Sprintf(
			"github: %s may be the account of that name, whose number is %s, or %s, whose number it is; write https://github.com/%[1]s or https://github.com/%[3]s, or link github:%[2]s or github:%[3]s",
			name, named.ID, numbered.Name))
	}
	return named, nil
}

// person looks a person's account up.
func (g *Fulfiller) person(ctx context.Context, by *caller, path, name string) (grant.Account, error) {
	var u github.User
	_, err := g.call(ctx, by, http.MethodGet, path+name, nil, &u)
	switch {
	case isMissing(err):
		return grant.Account{}, fulfillers.ActionRequired("no_such_account", fmt.Sprintf("github: GitHub knows no account %s; correct the GitHub user name, or link the account", name))
	case err != nil:
		return grant.Account{}, err
	case u.GetID() <= 0:
		return grant.Account{}, fulfillers.Transient("malformed", errors.New("github: an account without id"))
	case u.GetType() == "Bot" || u.GetType() == "Organization" || !loginForm.MatchString(u.GetLogin()):
		return grant.Account{}, notAPerson()
	}
	return grant.Account{Provider: provider, ID: fmt.Sprint(u.GetID()), Name: u.GetLogin()}, nil
}

func isNobody(err error) bool {
	e := fulfillers.Classify(err)
	return e != nil && e.Class == fulfillers.ClassActionRequired
}

// anyone is a caller who may look an account up, of whichever installation.
func (g *Fulfiller) anyone(ctx context.Context) (*caller, error) {
	if g.own != nil {
		return g.own, g.awake(ctx, g.own)
	}
	if err := g.awake(ctx, g.app); err != nil {
		return nil, err
	}
	var by *caller
	err := pages(ctx, g, g.app, "app/installations", func(all []github.Installation) bool {
		for _, i := range all {
			if by == nil && i.GetID() > 0 && i.SuspendedAt == nil {
				by = g.installed(i.GetID())
			}
		}
		return by != nil
	})
	switch {
	case err != nil:
		return nil, err
	case by == nil:
		return nil, hold("app_not_installed", g.app.lane, operatorWait, "the App is installed nowhere; install it where the repositories are", nil)
	}
	return by, g.awake(ctx, by)
}
