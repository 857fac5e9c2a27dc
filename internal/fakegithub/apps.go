package fakegithub

import (
	"crypto/rsa"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// App is a GitHub App.
type App struct {
	ID       int64 // 0: the next free one
	Slug     string
	ClientID string // as good as the id in a JWT
	Owner    string
	Key      *rsa.PublicKey // that its JWTs are checked with
}

// Installation is an App on an account.
type Installation struct {
	ID           int64 // 0: the next free one
	App          int64
	Account      string            // login of an organisation or person
	Repositories []int64           // nil: all of the account
	Permissions  map[string]string // such as administration: write; metadata: read is always there
}

type app struct {
	App
	owner, bot *account
	created    time.Time
}

type installation struct {
	id          int64
	app         *app
	account     *account
	repos       map[int64]bool // nil: all
	permissions map[string]string
	created     time.Time
	suspended   time.Time // zero: it is not
}

// AddApp registers an App and returns its id.
func (s *Server) AddApp(a App) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.ID = s.identity(a.ID)
	bot := s.register(&account{login: a.Slug + "[bot]", kind: "Bot"})
	s.apps[a.ID] = &app{App: a, owner: s.owner(a.Owner), bot: bot, created: s.now()}
	return a.ID
}

// Install puts an App on an account and returns the installation's id.
func (s *Server) Install(i Installation) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.apps[i.App] == nil {
		panic(fmt.Sprintf("fakegithub: no App %d", i.App))
	}
	done := &installation{id: s.identity(i.ID), app: s.apps[i.App], account: s.owner(i.Account), created: s.now()}
	done.permissions = granted(i.Permissions)
	if i.Repositories != nil {
		done.repos = set(i.Repositories)
	}
	s.installations[done.id] = done
	return done.id
}

// SetPermissions changes what an installation may do, also for tokens that are
// out already. Fewer is what an owner does who distrusts; more is accepting a
// request of the App.
func (s *Server) SetPermissions(id int64, permissions map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.installation(id).permissions = granted(permissions)
}

// SetRepositories changes which repositories an installation reaches. Nil: all
// of the account.
func (s *Server) SetRepositories(id int64, repos []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.installation(id).repos = nil
	if repos != nil {
		s.installation(id).repos = set(repos)
	}
}

// SuspendApp suspends an installation until UnsuspendApp.
func (s *Server) SuspendApp(installation int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.installation(installation).suspended = s.now()
}

// UnsuspendApp undoes SuspendApp.
func (s *Server) UnsuspendApp(installation int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.installation(installation).suspended = time.Time{}
}

// UninstallApp ends an installation; its tokens are no good any more.
func (s *Server) UninstallApp(installation int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.installations, s.installation(installation).id)
}

func granted(permissions map[string]string) map[string]string {
	all := map[string]string{"metadata": "read"}
	maps.Copy(all, permissions)
	return all
}

func set(ids []int64) map[int64]bool {
	in := map[int64]bool{}
	for _, id := range ids {
		in[id] = true
	}
	return in
}

func (s *Server) installation(id int64) *installation {
	if i := s.installations[id]; i != nil {
		return i
	}
	panic(fmt.Sprintf("fakegithub: no installation %d", id))
}

func (s *Server) installationOn(a *app, r *repository) *installation {
	for _, i := range s.installations {
		if i.app == a && i.covers(r) {
			return i
		}
	}
	return nil
}

func (i *installation) covers(r *repository) bool {
	return i.account == r.owner && (i.repos == nil || i.repos[r.id])
}

func (s *Server) getApp(c *call) answer { return found(s.appBody(c.root, c.by.app)) }

func (s *Server) listInstallations(c *call) answer {
	bodies := []any{}
	for _, id := range slices.Sorted(maps.Keys(s.installations)) {
		if i := s.installations[id]; i.app == c.by.app {
			bodies = append(bodies, installationBody(c.root, i))
		}
	}
	return c.paged(bodies)
}

func (s *Server) getInstallation(c *call) answer {
	i := s.ownInstallation(c)
	if i == nil {
		return notFound()
	}
	return found(installationBody(c.root, i))
}

func (s *Server) getRepositoryInstallation(c *call) answer {
	if c.repo == nil {
		return notFound()
	}
	i := s.installationOn(c.by.app, c.repo)
	if i == nil {
		return notFound()
	}
	return found(installationBody(c.root, i))
}

// ownInstallation is the one the path names, if it is the calling App's.
func (s *Server) ownInstallation(c *call) *installation {
	id, _ := strconv.ParseInt(c.args[0], 10, 64)
	if i := s.installations[id]; i != nil && i.app == c.by.app {
		return i
	}
	return nil
}
