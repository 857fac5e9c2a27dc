package fakegithub

import (
	"net/http"
	"strconv"
	"time"
)

// budget is what one caller has used.
type budget struct {
	limit, used   int
	reset         time.Time
	content       window
	contentHourly window
	points        window
	inFlight      int
	until         time.Time // a refusal said: not before
	refused       int64     // number of the last request before that refusal was sent
}

func (b *budget) left() int { return max(b.limit-b.used, 0) }

func (s *Server) budget(by caller) *budget {
	b := s.budgets[by.name]
	if b == nil {
		b = &budget{limit: s.opts.Limits.Hourly}
		if by.app == nil && by.token == nil {
			b.limit = s.opts.Limits.Strangers
		}
		s.budgets[by.name] = b
	}
	if now := s.now(); !now.Before(b.reset) {
		b.used, b.reset = 0, now.Add(s.span(time.Hour))
	}
	return b
}

// tell notes until when the caller has been asked to wait.
func (s *Server) tell(c *call, until time.Time) {
	c.budget.until, c.budget.refused = until, s.received
}

// early says whether a request comes although the caller knew better. Those that
// were on their way already do not count.
func (c *call) early() bool {
	return c.entry.number > c.budget.refused && c.entry.At.Before(c.budget.until)
}

// describe names the caller as GitHub's messages about limits do.
func (by caller) describe(r *http.Request) string {
	switch {
	case by.installation != nil:
		return "installation ID " + strconv.FormatInt(by.installation.id, 10)
	case by.user != nil:
		return "user ID " + strconv.FormatInt(by.user.id, 10)
	case by.app != nil:
		return "app ID " + strconv.FormatInt(by.app.ID, 10)
	}
	return r.RemoteAddr
}

func (s *Server) getRateLimit(c *call) answer {
	b := c.budget
	core := object{
		"limit": b.limit, "used": b.used, "remaining": b.left(), "reset": ceiling(b.reset),
	}
	search := object{"limit": 30, "used": 0, "remaining": 30, "reset": ceiling(b.reset)}
	return found(object{"resources": object{"core": core, "search": search}, "rate": core})
}
