package fakegithub

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	tokenLife = time.Hour
	suspended = "This installation has been suspended"
)

// token is what a caller proves itself with: a person's own, or one minted for
// an installation, which may reach less than the installation does.
type token struct {
	user         *account
	installation *installation
	repos        map[int64]bool    // nil: all of the installation
	permissions  map[string]string // of the installation, when it was minted
	expires      time.Time         // zero: never
}

// AddToken gives a person a personal access token with all rights of the
// person. A zero time means that it never expires.
func (s *Server) AddToken(user int64, secret string, expires time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[secret] = &token{user: s.account(user), expires: expires}
}

// RevokeToken makes a token of any kind no good.
func (s *Server) RevokeToken(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, secret)
}

// identify finds out who calls. The refusal is kept for later, because bad
// credentials count against a limit too.
func (s *Server) identify(authorization string) (caller, *answer) {
	stranger := caller{name: "nobody"}
	if authorization == "" {
		return stranger, nil
	}
	scheme, secret, _ := strings.Cut(authorization, " ")
	bearer := strings.EqualFold(scheme, "bearer")
	if bearer && strings.Count(secret, ".") == 2 {
		a, refusal := s.verify(secret)
		if refusal != nil {
			return stranger, refusal
		}
		return caller{name: fmt.Sprintf("app %d", a.ID), app: a}, nil
	}
	t := s.tokens[secret]
	if t == nil || !bearer && !strings.EqualFold(scheme, "token") || !s.holds(t) {
		refusal := badCredentials()
		return stranger, &refusal
	}
	return t.caller()
}

// holds says whether a token is still good for anything.
func (s *Server) holds(t *token) bool {
	switch {
	case !t.expires.IsZero() && !s.now().Before(t.expires):
		return false
	case t.user != nil:
		return !t.user.gone && !t.user.hidden
	}
	return s.installations[t.installation.id] == t.installation
}

func (t *token) caller() (caller, *answer) {
	if t.user != nil {
		return caller{name: fmt.Sprintf("user %d", t.user.id), user: t.user, token: t}, nil
	}
	c := caller{name: fmt.Sprintf("installation %d", t.installation.id), installation: t.installation, token: t}
	if t.installation.suspended.IsZero() {
		return c, nil
	}
	refusal := forbidden(suspended)
	return c, &refusal
}

func (t *token) covers(r *repository) bool {
	return t.installation != nil && t.installation.covers(r) && (t.repos == nil || t.repos[r.id])
}

// may says whether a token of an installation has the permission for a need.
func (t *token) may(n need) bool {
	switch n {
	case adminWrite:
		return t.level("administration") == "write"
	case adminRead:
		return t.level("administration") != ""
	}
	return true
}

// level is what is left of a permission, which the owner may have reduced since
// the token was minted.
func (t *token) level(permission string) string {
	now, then := t.installation.permissions[permission], t.permissions[permission]
	if includes(now, then) {
		return then
	}
	return now
}

func includes(granted, asked string) bool {
	levels := map[string]int{"": 0, "read": 1, "write": 2, "admin": 3}
	level, known := levels[asked]
	return known && levels[granted] >= level
}

// wish is what an App asks a new token to be good for.
type wish struct {
	Repositories  []string          `json:"repositories"`
	RepositoryIDs []int64           `json:"repository_ids"`
	Permissions   map[string]string `json:"permissions"`
}

func (s *Server) createToken(c *call) answer {
	i := s.ownInstallation(c)
	switch {
	case i == nil:
		return notFound()
	case !i.suspended.IsZero():
		return forbidden(suspended)
	}
	var w wish
	if len(c.body) > 0 {
		if a := c.read(&w); a != nil {
			return *a
		}
	}
	return s.mint(c, i, w)
}

func (s *Server) mint(c *call, i *installation, w wish) answer {
	t := &token{installation: i, permissions: i.permissions, repos: i.repos, expires: s.now().Add(tokenLife)}
	for permission, level := range w.Permissions {
		if level == "" || !includes(i.permissions[permission], level) {
			return refuse(http.StatusUnprocessableEntity, "The permissions requested are not granted to this installation.")
		}
	}
	if len(w.Permissions) > 0 {
		t.permissions = granted(w.Permissions)
	}
	if len(w.Repositories)+len(w.RepositoryIDs) > 0 {
		var ok bool
		if t.repos, ok = s.reach(i, w); !ok {
			return refuse(http.StatusUnprocessableEntity, "There is at least one repository that does not exist or is not accessible to the parent installation.")
		}
	}
	secret := "ghs_" + rand.Text() + rand.Text()[:10]
	s.tokens[secret] = t
	return answer{status: http.StatusCreated, body: s.tokenBody(c, t, secret)}
}

// reach turns names and ids into repositories, all of which the installation
// has to cover.
func (s *Server) reach(i *installation, w wish) (map[int64]bool, bool) {
	repos := set(w.RepositoryIDs)
	for _, name := range w.Repositories {
		repos[s.names[fold(i.account.login+"/"+name)]] = true
	}
	for id := range repos {
		if r := s.repos[id]; r == nil || !i.covers(r) {
			return nil, false
		}
	}
	return repos, true
}
