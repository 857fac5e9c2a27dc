// Package fakediscord is Discord's REST API in memory, for tests and the demo:
// users, guilds, members, roles and invites that change as they do at Discord,
// with its permissions, rate limits and error codes, and with faults that can be
// asked for. It must not know who calls it.
//
// What Discord publishes is followed; what it does not publish, such as the
// limits of single routes, is assumed, and the comments say so.
package fakediscord

import (
	"cmp"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// DefaultToken is the first bot's token where none is given.
const DefaultToken = "bot-token"

// defaultKeep is enough for any test and some 20 MB in a long benchmark.
const defaultKeep = 100_000

// Options sets up a Server. The zero value is one that works.
type Options struct {
	// Bot is the first bot, whose Token is DefaultToken unless it says else.
	Bot Bot
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Limits are the rate limits; those left at zero get their defaults.
	Limits Limits
	// TimeFactor shortens every window of the limits by this factor, for
	// benchmarks; 0 is 1. The Retry-After header stays in whole seconds, rounded
	// up; retry_after in the body and X-RateLimit-Reset-After are exact.
	TimeFactor float64
	// Keep is how many requests, and how many entries of each audit log, are
	// remembered at least; 0 is 100,000.
	Keep int
}

// Server answers under /api/v9/ and /api/v10/. It is safe for concurrent use.
type Server struct {
	now  func() time.Time
	keep int

	mu       sync.Mutex // guards all below
	lastID   int64
	bots     []*Bot
	users    map[string]*User
	consents map[string]consent // by access token
	guilds   map[string]*guild
	channels map[string]*channel
	invites  map[string]*Invite
	limiter  limiter
	faults   []*rule
	journal  []*Request
}

// New returns a server with one bot that is in no guild yet.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{
		now:      o.Now,
		keep:     cmp.Or(o.Keep, defaultKeep),
		users:    map[string]*User{},
		consents: map[string]consent{},
		guilds:   map[string]*guild{},
		channels: map[string]*channel{},
		invites:  map[string]*Invite{},
		limiter:  newLimiter(o.Limits, o.TimeFactor),
	}
	o.Bot.Token = cmp.Or(o.Bot.Token, DefaultToken)
	s.NewBot(o.Bot)
	return s
}

// ServeHTTP implements http.Handler. Some faults end the connection by a panic
// with http.ErrAbortHandler, so it needs a real server around it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := read(r)
	if err != nil {
		panic(http.ErrAbortHandler) // the client went away in mid-request
	}
	entry, fault := s.arrive(c)
	if !fault.wait(r.Context()) {
		panic(http.ErrAbortHandler)
	}
	fault.deliver(w, s.settle(c, fault, entry))
}

// arrive writes the request down before anything can go wrong with it.
func (s *Server) arrive(c *call) (*Request, Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fault := s.draw(c)
	return s.note(c, fault), fault
}

func (s *Server) settle(c *call, f Fault, entry *Request) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	a := s.decide(c, f, now)
	s.limiter.weigh(a, now)
	entry.Status = a.status
	return a
}

func (s *Server) decide(c *call, f Fault, now time.Time) answer {
	if f.instead != nil {
		return f.instead(now)
	}
	if now.Before(s.limiter.banned) {
		return cloudflare(s.limiter.banned.Sub(now))
	}
	if c.route == nil {
		return failed(notFound)
	}
	if err := s.identify(c); err != nil {
		return failed(err)
	}
	header, refusal := s.limiter.admit(c, now)
	if refusal != nil {
		return *refusal
	}
	a := s.serve(c)
	a.header = header
	return a
}

func (s *Server) serve(c *call) answer {
	if err := c.check(); err != nil {
		return failed(err)
	}
	a, err := c.route.serve(s, c)
	if err != nil {
		return failed(err)
	}
	return a
}

// epoch is the first second of 2015, in Unix milliseconds, from which
// snowflakes count.
const epoch = 1_420_070_400_000

// newID is a snowflake: the time in its upper bits, never the same twice.
func (s *Server) newID() string {
	s.lastID = max(s.lastID+1, (s.now().UnixMilli()-epoch)<<22)
	return strconv.FormatInt(s.lastID, 10)
}
