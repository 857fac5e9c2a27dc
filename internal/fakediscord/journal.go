package fakediscord

import (
	"slices"
	"strings"
	"time"
)

// Request is one that came in, without its token and body.
type Request struct {
	Method string
	Path   string // without /api/v9, unless the version is not one of ours
	Status int    // of the answer decided on, delivered or not; 0 while there is none
	At     time.Time
	Reason string // for the audit log, decoded
	Fault  string // the name of the fault it met
	Routed bool   // false: Discord has no such route, or this server has not
}

// Match chooses requests. A "*" in Path stands for one segment; what is empty
// matches everything: Match{Method: "PUT", Path: "/guilds/*/members/*"}.
type Match struct {
	Method, Path string
}

// Requests are those that came in, oldest first.
func (s *Server) Requests() []Request {
	return s.requests(func(*Request) bool { return true })
}

// Unrouted are the requests for which there is no route: a client that makes any
// has a path wrong.
func (s *Server) Unrouted() []Request {
	return s.requests(func(r *Request) bool { return !r.Routed })
}

// Count is how many requests match.
func (s *Server) Count(m Match) int {
	return len(s.requests(func(r *Request) bool { return m.matches(r.Method, r.Path) }))
}

func (s *Server) requests(wanted func(*Request) bool) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Request
	for _, r := range s.journal {
		if wanted(r) {
			out = append(out, *r)
		}
	}
	return out
}

func (s *Server) note(c *call, f Fault) *Request {
	r := &Request{Method: c.method, Path: c.path, At: s.now(), Reason: c.reason, Fault: f.name, Routed: c.route != nil}
	s.journal = keepLast(append(s.journal, r), s.keep)
	return r
}

// keepLast drops the older half of a list that is twice too long.
func keepLast[T any](list []T, n int) []T {
	if len(list) < 2*n {
		return list
	}
	return slices.Clone(list[len(list)-n:])
}

func (m Match) matches(method, path string) bool {
	return (m.Method == "" || m.Method == method) && (m.Path == "" || samePath(m.Path, path))
}

func samePath(pattern, path string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	return slices.EqualFunc(want, got, func(w, g string) bool { return w == g || w == "*" && g != "" })
}
