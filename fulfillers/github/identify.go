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
// never comes into a URL, nor into an error: people write addresses there.
func (g *Fulfiller) Identify(ctx context.Context, words string) (grant.Account, error) {
	words = strings.TrimPrefix(strings.TrimSpace(words), "https://github.com/")
	words = strings.TrimSuffix(strings.TrimPrefix(words, "@"), "/")
	path := "users/" + words
	switch {
	case idForm.MatchString(words):
		path = "user/" + words
	case !loginForm.MatchString(words):
		return grant.Account{}, fulfillers.ActionRequired("bad_account", "github: that is no GitHub user name; write the name as in https://github.com/NAME")
	}
	by, err := g.anyone(ctx)
	if err != nil {
		return grant.Account{}, err
	}
	var u github.User
	_, err = g.call(ctx, by, http.MethodGet, path, nil, &u)
	switch {
	case isMissing(err):
		return grant.Account{}, fulfillers.ActionRequired("no_such_account", fmt.Sprintf("github: GitHub knows no account %s; correct the GitHub user name, or link the account", words))
	case err != nil:
		return grant.Account{}, err
	case u.GetID() <= 0:
		return grant.Account{}, fulfillers.Transient("malformed", errors.New("github: an account without id"))
	case u.GetType() == "Bot" || u.GetType() == "Organization" || !loginForm.MatchString(u.GetLogin()):
		return grant.Account{}, notAPerson()
	}
	return grant.Account{Provider: provider, ID: fmt.Sprint(u.GetID()), Name: u.GetLogin()}, nil
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
