// Package github gives GitHub accounts access to repositories: by invitation,
// as outside collaborators, and takes it back until GitHub shows that it is gone.
//
// It knows GitHub's REST API, its limits and its moods, and converges to what
// each hold is owed. It does not know what else holds a repository, who paid,
// or when it is called again.
package github

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

const provider = "github"

// Fulfiller gives access to repositories. It is made by [New].
type Fulfiller struct {
	config Config
	lanes  fulfillers.Lanes
	base   *url.URL
	http   *http.Client
	key    *rsa.PrivateKey
	app    *caller // the GitHub App itself; nil with a token
	own    *caller // who has the token; nil with an App
	now    func() time.Time
	lag    time.Duration // first pause before reading again what GitHub is slow to show

	mu      sync.Mutex
	callers map[int64]*caller      // by installation
	homes   map[string]int64       // a repository's installation
	bare    map[string]int         // refusals in a row that named no wait, by lane
	sent    map[string][]time.Time // invitations of the last day, by repository
	places  map[string]time.Time   // in the lane for invitations, taken and not yet used
}

// New returns a fulfiller for a config that has been checked.
func New(c Config, lanes fulfillers.Lanes) (*Fulfiller, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	base, _ := c.baseURL()
	g := &Fulfiller{
		config: c, lanes: lanes, base: base, now: time.Now, lag: c.scaled(500 * time.Millisecond),
		http:    newHTTPClient(newGuard(c.Concurrency)),
		callers: map[int64]*caller{}, homes: map[string]int64{}, bare: map[string]int{},
		sent: map[string][]time.Time{}, places: map[string]time.Time{},
	}
	g.authenticate()
	return g, nil
}

// Provider implements fulfillers.Resourceful.
func (*Fulfiller) Provider() string { return provider }

// Check implements fulfillers.Fulfiller. What is allowed depends on who names
// the repositories, and is looked at by Resources.
func (*Fulfiller) Check(raw json.RawMessage) error {
	_, err := parse(raw)
	return err
}

// Resources implements fulfillers.Resourceful: one for each repository.
func (g *Fulfiller) Resources(f grant.Fulfilment) ([]grant.Resource, error) {
	w, err := parse(f.Target.Params)
	if err != nil {
		return nil, fulfillers.Permanent("bad_params", "github: "+err.Error())
	}
	if err := g.permit(f.Target, w); err != nil {
		return nil, err
	}
	if _, err := numeric(f.Account.ID); err != nil {
		return nil, err
	}
	all := make([]grant.Resource, len(w.repositories))
	for i, name := range w.repositories {
		all[i] = grant.Resource{Provider: provider, Name: name, Account: f.Account.ID, Level: w.level}
	}
	return all, nil
}

// permit refuses what others than the operator may not ask for. It never gives
// less than was asked for without a word.
func (g *Fulfiller) permit(t grant.Target, w wish) error {
	if t.Configured() {
		return nil
	}
	for _, name := range w.repositories {
		if !g.config.allows(name) {
			return notAllowed(name)
		}
	}
	if most := levelOf(g.config.MaxPermission); w.level > most {
		return fulfillers.Permanent("permission_too_high", fmt.Sprintf(
			"github: permission %s is above max_permission %s; raise fulfillers.github_repository.max_permission, or name the repository in an entry under benefits",
			permissionOf(w.level), permissionOf(most)))
	}
	return nil
}

func notAllowed(name string) error {
	return fulfillers.Permanent("not_allowed", fmt.Sprintf(
		"github: repository %s matches nothing in allow; add it to fulfillers.github_repository.allow, or name it in an entry under benefits", name))
}

// Invites implements fulfillers.Inviter.
func (*Fulfiller) Invites(raw json.RawMessage) string {
	w, err := parse(raw)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("GitHub invites the customer's account to %s with the permission %s, and sends an e-mail about it",
		strings.Join(w.repositories, ", "), permissionOf(w.level))
}

// sleep returns early, with an error, when ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return fulfillers.Transient("cancelled", fmt.Errorf("github: %w", ctx.Err()))
	}
}
