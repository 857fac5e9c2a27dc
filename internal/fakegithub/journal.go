package fakegithub

import (
	"fmt"
	"path"
	"time"
)

// longestJournal keeps a server that runs for days from growing without end.
const longestJournal = 200_000

// Request is one that was received.
type Request struct {
	At     time.Time
	Method string
	Path   string // as it was sent, escapes included
	Query  string
	By     string // who sent it, such as "installation 42"; never with what
	Fault  Kind   // that happened to it, if any
	Status int    // what it was answered, even if that was lost; 0: not yet, or never
}

// Match picks requests. Empty fields fit all.
type Match struct {
	Method string
	Path   string // a pattern of path.Match, such as /repos/*/*/collaborators/*, for the path with its dots resolved
}

// record is a request in the journal.
type record struct {
	Request
	path   string // with its dots resolved
	number int64
}

// Requests returns those received since New that match, oldest first. After
// very many, the oldest are forgotten.
func (s *Server) Requests(m Match) (list []Request) {
	m.check()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.journal {
		if m.fits(r.Method, r.path) {
			list = append(list, r.Request)
		}
	}
	return list
}

// note enters a request that has arrived.
func (s *Server) note(c *call) *record {
	if len(s.journal) == longestJournal {
		s.journal = append([]*record(nil), s.journal[longestJournal/2:]...)
	}
	s.received++
	r := &record{path: c.path, number: s.received, Request: Request{
		At: s.now(), Method: c.Method, Path: c.URL.EscapedPath(), Query: c.URL.RawQuery, By: c.by.name, Fault: c.fault.Kind,
	}}
	s.journal = append(s.journal, r)
	return r
}

func (m Match) fits(method, p string) bool {
	if m.Method != "" && m.Method != method {
		return false
	}
	fits, _ := path.Match(m.Path, p)
	return fits || m.Path == ""
}

func (m Match) check() {
	if _, err := path.Match(m.Path, ""); err != nil {
		panic(fmt.Sprintf("fakegithub: pattern %q: %v", m.Path, err))
	}
}
