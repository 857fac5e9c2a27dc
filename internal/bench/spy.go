package main

import (
	"net/http"
	"sync"
	"time"
)

// spy stands before a fake and notes what it was asked.
type spy struct {
	http.Handler

	mu      sync.Mutex
	calls   int
	invalid int                  // answered 401, 403 or 429
	gave    map[string]time.Time // when each access was first given, by path
	took    map[string]time.Time // the same of taking
	reads   []read
}

// read is a look at somebody.
type read struct {
	at   time.Time
	path string
}

func newSpy(h http.Handler) *spy {
	return &spy{Handler: h, gave: map[string]time.Time{}, took: map[string]time.Time{}}
}

// ServeHTTP implements http.Handler.
func (s *spy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at, seen := time.Now(), &answer{ResponseWriter: w, status: http.StatusOK}
	s.Handler.ServeHTTP(seen, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	switch path := r.URL.Path; {
	case seen.status == http.StatusUnauthorized, seen.status == http.StatusForbidden, seen.status == http.StatusTooManyRequests:
		s.invalid++
	case seen.status >= 300:
	case r.Method == http.MethodPut:
		first(s.gave, path, at)
	case r.Method == http.MethodDelete:
		first(s.took, path, at)
	case r.Method == http.MethodGet:
		s.reads = append(s.reads, read{at, path})
	}
}

func first(of map[string]time.Time, path string, at time.Time) {
	if of[path].IsZero() {
		of[path] = at
	}
}

// answer remembers its status.
type answer struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}
