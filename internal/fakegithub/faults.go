package fakegithub

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// Kind is a way in which GitHub has a bad day.
type Kind string

const (
	PrimaryLimit   Kind = "primary limit"   // refused with Status until Wait has passed; Wait 0: to the end of the hour
	SecondaryLimit Kind = "secondary limit" // refused with Status for Wait, which Retry-After tells; Wait 0: it does not
	BadCredentials Kind = "bad credentials" // 401 whatever the token
	ServerError    Kind = "server error"    // JSON with Status
	HTMLError      Kind = "html error"      // a page for people with Status, without any of GitHub's headers
	Custom         Kind = "custom"          // Body, JSON, with Status
	Hang           Kind = "hang"            // no answer until the caller gives up; nothing is done
	Slow           Kind = "slow"            // waits, then is done and answered
	HalfBody       Kind = "half body"       // done, but the connection ends in the middle of the body, or before an answer without one
	LostAnswer     Kind = "lost answer"     // done, but the connection ends before the answer
	LateRemoval    Kind = "late removal"    // done, but the next Reads reads still find the removed collaborator
)

// Fault is a bad day for some requests.
type Fault struct {
	Kind   Kind
	Match  Match
	Times  int           // how many requests it meets; 0: all until it is lifted
	Status int           // 0: 403 for limits, 500 for ServerError, 502 for HTMLError, 403 for Custom
	Wait   time.Duration // see the kinds
	NoDocs bool          // SecondaryLimit without the URL of its documentation
	Reads  int           // of LateRemoval
	Body   string        // of Custom
}

// fault is one that has been injected.
type fault struct {
	Fault
	spent int
}

// Inject makes a fault happen to requests from now on. Of several that match a
// request, the one injected first happens. The returned function lifts it.
func (s *Server) Inject(f Fault) (lift func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Match.check()
	injected := &fault{Fault: f}
	s.faults = append(s.faults, injected)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.faults = slices.DeleteFunc(s.faults, func(other *fault) bool { return other == injected })
	}
}

// draw returns the fault that happens to a request, and spends it.
func (s *Server) draw(c *call) Fault {
	for _, f := range s.faults {
		if !f.Match.fits(c.Method, c.path) || f.Times > 0 && f.spent == f.Times {
			continue
		}
		f.spent++
		return f.Fault
	}
	return Fault{}
}

// hold keeps a request waiting as its fault wants. It is false when the caller
// has gone in the meantime.
func (c *call) hold() bool {
	switch c.fault.Kind {
	case Hang:
		<-c.Context().Done()
		return false
	case Slow:
		t := time.NewTimer(c.fault.Wait)
		defer t.Stop()
		select {
		case <-t.C:
		case <-c.Context().Done():
			return false
		}
	}
	return true
}

// fail returns the answer of a fault that keeps the request from being done.
func (s *Server) fail(c *call) *answer {
	f := c.fault
	var a answer
	switch f.Kind {
	case PrimaryLimit:
		a = s.primary(c, f.status(http.StatusForbidden), s.resetAfter(c, f.Wait))
	case SecondaryLimit:
		a = s.secondary(c, f.status(http.StatusForbidden), f.Wait, f.page())
	case BadCredentials:
		a = badCredentials()
	case ServerError:
		a = refuse(f.status(http.StatusInternalServerError), "Server Error")
	case HTMLError:
		a = answer{status: f.status(http.StatusBadGateway), body: "<html><body><h1>Unicorn! · GitHub</h1></body></html>"}
	case Custom:
		a = answer{status: f.status(http.StatusForbidden), body: json.RawMessage(f.Body)}
	default:
		return nil
	}
	return &a
}

func (s *Server) resetAfter(c *call, wait time.Duration) time.Time {
	if wait == 0 {
		return c.budget.reset
	}
	return s.now().Add(wait)
}

func (f Fault) status(usual int) int {
	if f.Status == 0 {
		return usual
	}
	return f.Status
}

func (f Fault) page() string {
	if f.NoDocs {
		return ""
	}
	return docsSecondary
}
