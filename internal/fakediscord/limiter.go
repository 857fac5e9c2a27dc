package fakediscord

import (
	"net/http"
	"strings"
	"time"
)

// limiter counts; the server's lock guards it.
type limiter struct {
	limits     Limits
	meters     map[string]*meter
	invalid    meter
	banned     time.Time // until then nothing is answered
	violations int
	invalids   int
}

// meter is the window that runs, and how much of it is used.
type meter struct {
	used int
	ends time.Time
}

func newLimiter(l Limits, factor float64) limiter {
	return limiter{limits: l.withDefaults().faster(factor), meters: map[string]*meter{}}
}

func (m *meter) take(w Window, now time.Time) bool {
	if !now.Before(m.ends) {
		m.used, m.ends = 0, now.Add(w.Per)
	}
	if w.Requests >= 0 && m.used >= w.Requests {
		return false
	}
	m.used++
	return true
}

func (l *limiter) meter(key ...string) *meter {
	k := strings.Join(key, " ")
	if l.meters[k] == nil {
		l.meters[k] = &meter{}
	}
	return l.meters[k]
}

// admit counts a request against the bot's limit and its route's. It returns the
// headers of the answer, or the answer if there is no more to allow.
func (l *limiter) admit(c *call, now time.Time) (http.Header, *answer) {
	global := l.meter("global", c.botID())
	if !global.take(l.limits.Global, now) {
		return nil, l.violated(tooManyGlobally(global.ends.Sub(now)))
	}
	w, name := l.limits.of(c.route.bucket), c.bucket()
	m := l.meter(c.botID(), name, c.param["guild_id"], c.param["channel_id"])
	taken := m.take(w, now)
	header := m.header(w, name, now)
	if !taken {
		return nil, l.violated(tooMany("user", m.ends.Sub(now), header))
	}
	return header, nil
}

func (l *limiter) violated(a answer) *answer {
	l.violations++
	return &a
}

// bucket names the limit of a route. Giving and taking a role share one.
func (c *call) bucket() string {
	if c.route.bucket == roleBucket {
		return string(roleBucket)
	}
	return c.method + " " + string(c.route.bucket)
}

// weigh counts the answers that Discord holds against the caller. More than
// allowed get the caller banned.
func (l *limiter) weigh(a answer, now time.Time) {
	held := a.status == http.StatusUnauthorized || a.status == http.StatusForbidden || a.status == http.StatusTooManyRequests
	if !held || a.header.Get("X-RateLimit-Scope") == "shared" || now.Before(l.banned) {
		return
	}
	l.invalids++
	if !l.invalid.take(l.limits.Invalid, now) {
		l.banned, l.invalid = now.Add(l.limits.Ban), meter{}
	}
}

// Violations is how many requests were made beyond a limit. Those that met a
// fault are not among them.
func (s *Server) Violations() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limiter.violations
}

// InvalidRequests is how many answers so far were 401, 403 or 429: faults
// included, shared limits and what a ban refused excluded.
func (s *Server) InvalidRequests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limiter.invalids
}
