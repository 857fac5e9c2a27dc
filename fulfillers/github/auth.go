package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"fulfilld/fulfillers"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v62/github"
)

// operatorWait is for what only the operator can mend, who may do so any time.
const operatorWait = 5 * time.Minute

// caller is whom GitHub takes us for: the App itself, one of its installations,
// or the owner of a token.
type caller struct {
	lane   string // what rests when GitHub says so
	http   *http.Client
	secret func(context.Context) (string, error) // what signs a request; nil where http does
	forget func()                                // drops a token that is kept; nil where none is
	turn   *turn                                 // who has it may write
}

// renew drops a token that is kept.
func (c *caller) renew() {
	if c.forget != nil {
		c.forget()
	}
}

func (g *Fulfiller) authenticate() {
	if secret := g.config.Token; !secret.IsZero() {
		g.own = &caller{
			lane: "github:token", http: g.http, turn: newTurn(),
			secret: func(context.Context) (string, error) { return secret.Reveal(), nil },
		}
		return
	}
	g.key, _ = g.config.key()
	signed := ghinstallation.NewAppsTransportFromPrivateKey(g.http.Transport, g.config.AppID, g.key)
	g.app = &caller{lane: fmt.Sprintf("github:app:%d", g.config.AppID), http: newHTTPClient(signed)}
}

// awake says no while a lane rests.
func (g *Fulfiller) awake(ctx context.Context, by *caller) error {
	return fulfillers.Enter(ctx, g.lanes, by.lane, nil, false)
}

// callerFor finds who may act on a repository. known says that GitHub was not
// asked this time.
func (g *Fulfiller) callerFor(ctx context.Context, repository string) (by *caller, known bool, err error) {
	if g.own != nil {
		return g.own, false, g.awake(ctx, g.own)
	}
	g.mu.Lock()
	id, known := g.homes[repository]
	g.mu.Unlock()
	if !known {
		i, err := g.installation(ctx, repository)
		if err != nil {
			return nil, false, err
		}
		id = i.GetID()
	}
	by = g.installed(id)
	return by, known, g.awake(ctx, by)
}

// installation asks which one covers a repository.
func (g *Fulfiller) installation(ctx context.Context, repository string) (*github.Installation, error) {
	if err := g.awake(ctx, g.app); err != nil {
		return nil, err
	}
	var i github.Installation
	_, err := g.call(ctx, g.app, http.MethodGet, "repos/"+repository+"/installation", nil, &i)
	switch {
	case isMissing(err):
		return nil, g.uninstalled(repository, err)
	case err == nil && i.GetID() == 0:
		return nil, fulfillers.Transient("malformed", errors.New("github: an installation without id"))
	case err != nil:
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.homes[repository] = i.GetID()
	return &i, nil
}

// uninstalled is not "gone": the App may have been taken off the repository
// while people still have access to it.
func (g *Fulfiller) uninstalled(repository string, cause error) error {
	return &fulfillers.Error{
		Class: fulfillers.ClassThrottled, Code: "app_not_installed", Lane: inviteLane(repository), Wait: operatorWait, Cause: cause,
		Text: fmt.Sprintf("github: the App is not installed on %s; install it there, or correct the repository's name", repository),
	}
}

func (g *Fulfiller) leaveHome(repository string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.homes, repository)
}

func (g *Fulfiller) installed(id int64) *caller {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.callers[id] == nil {
		g.callers[id] = g.newInstallation(id)
	}
	return g.callers[id]
}

func (g *Fulfiller) newInstallation(id int64) *caller {
	m := &mint{g: g, id: id, busy: make(chan struct{}, 1)}
	m.by = &caller{
		lane: fmt.Sprintf("github:installation:%d", id), http: g.http,
		secret: m.token, forget: m.forget, turn: newTurn(),
	}
	return m.by
}

// mint makes an installation's tokens, which are good for no more than is needed.
type mint struct {
	g     *Fulfiller
	id    int64
	by    *caller
	busy  chan struct{} // guards press; unlike ghinstallation's own mutex, nobody waits for it beyond their deadline
	press *ghinstallation.Transport
	stale atomic.Bool
}

func (m *mint) token(ctx context.Context) (string, error) {
	select {
	case m.busy <- struct{}{}:
	case <-ctx.Done():
		return "", fulfillers.Transient("cancelled", fmt.Errorf("github: %w", ctx.Err()))
	}
	defer func() { <-m.busy }()
	if m.stale.Swap(false) || m.press == nil {
		m.press = m.newPress()
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	token, err := m.press.Token(ctx)
	if err != nil {
		return "", m.refused(ctx, err)
	}
	return token, nil
}

// newPress has an AppsTransport of its own, because ghinstallation writes to it.
func (m *mint) newPress() *ghinstallation.Transport {
	signed := ghinstallation.NewAppsTransportFromPrivateKey(m.g.http.Transport, m.g.config.AppID, m.g.key)
	t := ghinstallation.NewFromAppsTransport(signed, m.id)
	t.BaseURL = m.g.base.String()
	t.InstallationTokenOptions = &github.InstallationTokenOptions{
		Permissions: &github.InstallationPermissions{Administration: github.String("write"), Metadata: github.String("read")},
	}
	return t
}

func (m *mint) forget() { m.stale.Store(true) }

// refused classifies a token that was not made: for an answer, by what GitHub
// said of the App.
func (m *mint) refused(ctx context.Context, err error) error {
	request := fmt.Sprintf("POST app/installations/%d/access_tokens", m.id)
	var e *ghinstallation.HTTPError
	if !errors.As(err, &e) || e.Response == nil {
		return m.g.classify(ctx, m.by, request, nil, "", err)
	}
	defer func() { _ = e.Response.Body.Close() }()
	r := refusalOf(request, e.Response, "")
	switch r.status {
	case http.StatusNotFound:
		m.g.evict(m.id)
		return m.g.rest(ctx, m.by, "app_not_installed", operatorWait, "the App was uninstalled; install it again", r)
	case http.StatusUnprocessableEntity:
		return m.g.rest(ctx, m.by, "missing_rights", operatorWait, "the App needs the repository permission Administration: write; give it, and have the organisation accept it", r)
	}
	return m.g.judge(ctx, m.by, r)
}

// evict forgets where an installation is at home.
func (g *Fulfiller) evict(id int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for repository, home := range g.homes {
		if home == id {
			delete(g.homes, repository)
		}
	}
}
