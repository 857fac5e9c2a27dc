package fakediscord

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// Always makes a fault last until it is mended.
const Always = -1

// Fault is something that goes wrong with a request. Those that put another
// answer, or endless waiting, in the place of the true one change nothing; with
// the others what was asked for is done.
type Fault struct {
	name    string
	instead func(now time.Time) answer // given in place of the true answer
	delay   time.Duration
	hang    bool
	send    func(http.ResponseWriter, answer) // in place of answer.write
}

// rule is a fault waiting for its requests.
type rule struct {
	match Match
	fault Fault
	left  int // Always, or how many more requests it hits
}

// Fail makes the next so many requests that match meet a fault; 0 and Always
// mean all of them. Where several wait for a request, the oldest hits. The
// function it returns takes the fault back.
func (s *Server) Fail(m Match, f Fault, times int) (mend func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if times == 0 {
		times = Always
	}
	r := &rule{m, f, times}
	s.faults = append(s.faults, r)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.drop(r)
	}
}

// Mend takes all faults back. Requests that met one are not helped by it.
func (s *Server) Mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

func (s *Server) drop(r *rule) {
	s.faults = slices.DeleteFunc(s.faults, func(other *rule) bool { return other == r })
}

// draw is the fault that hits a call; the zero one is none.
func (s *Server) draw(c *call) Fault {
	for _, r := range s.faults {
		if !r.match.matches(c.method, c.path) {
			continue
		}
		if r.left > 0 {
			r.left--
		}
		if r.left == 0 {
			s.drop(r)
		}
		return r.fault
	}
	return Fault{}
}

// wait is over at once for most; false means that the caller gave up.
func (f Fault) wait(ctx context.Context) bool {
	if f.hang {
		<-ctx.Done()
		return false
	}
	if f.delay == 0 {
		return true
	}
	t := time.NewTimer(f.delay)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (f Fault) deliver(w http.ResponseWriter, a answer) {
	if f.send != nil {
		f.send(w, a)
		return
	}
	a.write(w)
}

// RateLimited is a 429 for the route's limit.
func RateLimited(after time.Duration) Fault {
	return Fault{name: "rate limited", instead: func(now time.Time) answer {
		return tooMany("user", after, limitHeader("fault", 10, 0, now.Add(after), now))
	}}
}

// RateLimitedGlobally is a 429 for the bot's limit, without X-RateLimit-Reset-After.
func RateLimitedGlobally(after time.Duration) Fault {
	return Fault{name: "rate limited globally", instead: func(time.Time) answer { return tooManyGlobally(after) }}
}

// RateLimitedShared is a 429 for a resource that others use too; it is not held
// against the caller, whose own limit is not used up.
func RateLimitedShared(after time.Duration) Fault {
	return Fault{name: "rate limited shared", instead: func(now time.Time) answer {
		return tooMany("shared", after, limitHeader("fault", 10, 9, now.Add(after), now))
	}}
}

// Cloudflare is a 429 that is not JSON; after 0 it has no Retry-After either.
func Cloudflare(after time.Duration) Fault {
	return Fault{name: "cloudflare", instead: func(time.Time) answer { return cloudflare(after) }}
}

// Refuse is any error in Discord's form, such as 503 130000 "API resource is
// currently overloaded. Try again a little later".
func Refuse(status, code int, message string) Fault {
	return always("refused", failed(&Error{Status: status, Code: code, Message: message}))
}

// Unauthorized is the answer to a bad token.
func Unauthorized() Fault { return always("unauthorized", failed(unauthorized)) }

// Status is an error without a code of its own, such as 500, 502 or 503, in JSON.
func Status(status int) Fault { return always("status", failed(statusError(status))) }

// HTML is an error of something between here and Discord.
func HTML(status int) Fault {
	page := "<html>\r\n<head><title>" + statusError(status).Message + "</title></head>\r\n</html>\r\n"
	return always("html", answer{status, http.Header{"Content-Type": {"text/html"}}, page})
}

// NotJSON is a success whose body is no JSON.
func NotJSON() Fault {
	return always("not json", answer{http.StatusOK, http.Header{"Content-Type": {"text/html"}}, "<html>Hello</html>"})
}

func always(name string, a answer) Fault {
	return Fault{name: name, instead: func(time.Time) answer { return a }}
}

// BadHeaders is a true answer whose X-RateLimit headers cannot be read.
func BadHeaders() Fault {
	return Fault{name: "bad headers", send: func(w http.ResponseWriter, a answer) {
		a.header = a.header.Clone()
		if a.header == nil {
			a.header = http.Header{}
		}
		a.header.Set("X-RateLimit-Remaining", "several")
		a.header.Set("X-RateLimit-Reset-After", "soon")
		a.write(w)
	}}
}

// Hang keeps the caller waiting until its context ends; nothing is changed.
func Hang() Fault { return Fault{name: "hang", hang: true} }

// Delay waits first and then does what was asked, unless the caller has gone.
func Delay(d time.Duration) Fault { return Fault{name: "delay", delay: d} }

// HalfBody makes the change and ends the connection in the middle of the body,
// or before the answer where that has none.
func HalfBody() Fault {
	return Fault{name: "half body", send: func(w http.ResponseWriter, a answer) { a.half(w) }}
}

// Lost makes the change and ends the connection without a word. (Go's client
// sends a GET again by itself if the connection was used before.)
func Lost() Fault {
	return Fault{name: "lost", send: func(http.ResponseWriter, answer) { panic(http.ErrAbortHandler) }}
}
