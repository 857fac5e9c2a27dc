// Package fakegithub is a GitHub in memory: the part of its REST API that gives
// people access to repositories and takes it away, with GitHub's bodies, errors,
// limits and moods. Programs talk to it by HTTP; people act by method calls such
// as Accept, RenameAccount and Archive. It knows nothing of the programs that
// call it, and no secret it was given leaves it again.
package fakegithub

import (
	"io"
	"net/http"
	"path"
	"sync"
	"time"
)

const largestBody = 1 << 20

// Options are what a Server is told at its start. The zero value is GitHub as it
// is documented.
type Options struct {
	Now        func() time.Time // nil: time.Now
	PublicURL  string           // where the API is reached, for URLs in bodies and redirects; empty: as each request addressed it
	TimeFactor float64          // windows of limits are that many times shorter; 0: 1. What is not a limit keeps its time
	Limits     Limits

	// RemovalCancelsInvitations makes DELETE of a collaborator also cancel the
	// invitations addressed to that person. GitHub promises it only for those the
	// person has sent.
	RemovalCancelsInvitations bool
}

// Server is the fake. Mount it where api.github.com would be. It is safe for
// concurrent use. Its methods panic when they name something that is not there:
// that is a mistake in the test.
type Server struct {
	opts  Options
	roads []road

	mu            sync.Mutex
	lastID        int64
	accounts      map[int64]*account
	logins        map[string]int64 // by folded login
	repos         map[int64]*repository
	names         map[string]int64 // by folded full name
	moved         map[string]int64 // former full names
	deleted       []string
	apps          map[int64]*app
	installations map[int64]*installation
	tokens        map[string]*token
	budgets       map[string]*budget
	violations    Violations
	faults        []*fault
	journal       []*record
	received      int64
}

// New returns a GitHub on which nobody has an account yet.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.TimeFactor == 0 {
		o.TimeFactor = 1
	}
	o.Limits = o.Limits.orDocumented()
	return &Server{
		opts: o, roads: roads(), lastID: 1000,
		accounts: map[int64]*account{}, logins: map[string]int64{},
		repos: map[int64]*repository{}, names: map[string]int64{}, moved: map[string]int64{},
		apps: map[int64]*app{}, installations: map[int64]*installation{}, tokens: map[string]*token{},
		budgets: map[string]*budget{},
	}
}

// call is one request on its way through the server.
type call struct {
	*http.Request
	path    string // with its dots resolved, as the least careful proxy would
	body    []byte
	root    string // of the API's URLs
	by      caller
	refusal *answer // of credentials that are no good
	budget  *budget
	fault   Fault
	entry   *record
	crowd   int         // requests of the caller that were under way, this one included
	repo    *repository // that the path names, if any
	args    []string    // what stands for the road's stars
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := s.receive(r)
	defer s.leave(c)
	if !c.hold() {
		panic(http.ErrAbortHandler)
	}
	c.send(w, s.answer(c))
}

// receive reads the body to its end, else the server would not notice that a
// caller hangs up, and notes who calls. A body that breaks off counts as far as
// it came.
func (s *Server) receive(r *http.Request) *call {
	body, _ := io.ReadAll(io.LimitReader(r.Body, largestBody))
	c := &call{Request: r, path: path.Clean("/" + r.URL.Path), body: body, root: s.root(r)}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.by, c.refusal = s.identify(r.Header.Get("Authorization"))
	c.fault = s.draw(c)
	c.entry = s.note(c)
	c.budget = s.budget(c.by)
	c.budget.inFlight++
	c.crowd = c.budget.inFlight
	return c
}

func (s *Server) leave(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.budget.inFlight--
}

// answer decides and does everything at once, so that no two requests see each
// other half done.
func (s *Server) answer(c *call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.decide(c)
	a.header = s.headers(c, a)
	c.entry.Status = a.status
	return a
}

func (s *Server) decide(c *call) answer {
	if c.early() && c.path != "/rate_limit" {
		s.violations.Early++
	}
	if a := s.fail(c); a != nil {
		return *a
	}
	if a := s.charge(c); a != nil {
		return *a
	}
	if c.refusal != nil {
		return *c.refusal
	}
	return s.route(c)
}

func (s *Server) root(r *http.Request) string {
	switch {
	case s.opts.PublicURL != "":
		return s.opts.PublicURL
	case r.TLS != nil:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func (s *Server) now() time.Time { return s.opts.Now() }

// identity returns the id that was asked for, or the next free one.
func (s *Server) identity(wanted int64) int64 {
	if wanted == 0 {
		wanted = s.lastID + 1
	}
	s.lastID = max(s.lastID, wanted)
	return wanted
}
