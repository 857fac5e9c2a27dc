package fakegithub

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// Limits are how much one caller may do: a person with all tokens, an App with
// its JWTs, or an installation with all its tokens. Zero means what GitHub
// documents, negative no limit.
type Limits struct {
	Hourly        int // requests an hour; 5,000
	Strangers     int // requests an hour of all who do not say who they are; 60
	Content       int // requests a minute that create content: POST, PUT and PATCH, but not minting tokens; 80
	ContentHourly int // the same an hour; 500
	Points        int // points a minute, where a read costs 1 and a write 5; 900
	Concurrent    int // requests at one time; 100
	Invitations   int // new invitations a repository in 24 hours; 50
	Status        int // what a refusal is: 403 or 429; 403
}

// Violations count the requests that were over a limit. Limits that are only
// injected do not count, but coming back early from them does.
type Violations struct {
	Primary       int
	Content       int
	ContentHourly int
	Points        int
	Concurrent    int
	Invitations   int
	Early         int // sent before the time that a refusal had named was up
}

// Violations returns what has been counted since New.
func (s *Server) Violations() Violations {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.violations
}

func (l Limits) orDocumented() Limits {
	for _, field := range []struct {
		limit      *int
		documented int
	}{
		{&l.Hourly, 5000}, {&l.Strangers, 60}, {&l.Content, 80}, {&l.ContentHourly, 500}, {&l.Points, 900},
		{&l.Concurrent, 100}, {&l.Invitations, 50}, {&l.Status, http.StatusForbidden},
	} {
		switch {
		case *field.limit == 0:
			*field.limit = field.documented
		case *field.limit < 0:
			*field.limit = math.MaxInt32
		}
	}
	return l
}

// span is a limit's window as the time factor has it.
func (s *Server) span(window time.Duration) time.Duration {
	return time.Duration(float64(window) / s.opts.TimeFactor)
}

// charge counts a request, or refuses it. Asking for the limits is free.
func (s *Server) charge(c *call) *answer {
	if c.path == "/rate_limit" {
		return nil
	}
	if c.budget.used >= c.budget.limit {
		s.violations.Primary++
		a := s.primary(c, s.opts.Limits.Status, c.budget.reset)
		return &a
	}
	if wait := s.overSecondary(c, s.now()); wait > 0 {
		a := s.secondary(c, s.opts.Limits.Status, wait, docsSecondary)
		return &a
	}
	c.budget.used++
	return nil
}

// overSecondary counts a request against the windows of the secondary limits,
// or returns how long the caller has to wait.
func (s *Server) overSecondary(c *call, now time.Time) time.Duration {
	b, l, v, minute, hour := c.budget, s.opts.Limits, &s.violations, s.span(time.Minute), s.span(time.Hour)
	if c.crowd > l.Concurrent {
		v.Concurrent++
		return minute
	}
	rules := []struct {
		window      *window
		span        time.Duration
		cost, limit int
		violated    *int
	}{
		{&b.content, minute, c.content(), l.Content, &v.Content},
		{&b.contentHourly, hour, c.content(), l.ContentHourly, &v.ContentHourly},
		{&b.points, minute, c.cost(), l.Points, &v.Points},
	}
	for _, r := range rules {
		if wait := r.window.full(now, r.span, r.cost, r.limit); wait > 0 {
			*r.violated++
			return wait
		}
	}
	for _, r := range rules {
		r.window.add(now, r.cost)
	}
	return 0
}

// content is 1 for a request that counts as creating content. GitHub does not
// list those that do.
func (c *call) content() int {
	switch {
	case c.Method == http.MethodPut, c.Method == http.MethodPatch, c.Method == http.MethodPost && c.by.app == nil:
		return 1
	}
	return 0
}

func (c *call) cost() int {
	switch c.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return 1
	}
	return 5
}

// primary refuses until the window ends.
func (s *Server) primary(c *call, status int, reset time.Time) answer {
	s.tell(c, reset)
	a := refuse(status, "API rate limit exceeded for "+c.by.describe(c.Request)+".")
	return a.documented("overview/rate-limits-for-the-rest-api").
		with("X-RateLimit-Remaining", "0").
		with("X-RateLimit-Used", strconv.Itoa(c.budget.limit)).
		with("X-RateLimit-Reset", strconv.FormatInt(ceiling(reset), 10))
}

// secondary refuses for a while, which it may keep to itself. An empty page
// leaves the documentation out.
func (s *Server) secondary(c *call, status int, wait time.Duration, page string) answer {
	a := refuse(status, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.")
	a.body.(*problem).Docs = page
	if wait <= 0 {
		return a
	}
	s.tell(c, s.now().Add(wait))
	return a.with("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
}
