package fakegithub_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"fulfilld/internal/fakegithub"
)

// hang sends a request that gets no answer and returns once it has arrived. The
// returned function gives it up.
func (w *world) hang(m fakegithub.Match, path string) (end func()) {
	w.t.Helper()
	w.Inject(fakegithub.Fault{Kind: fakegithub.Hang, Match: m, Times: 1})
	ctx, cancel := context.WithCancel(w.t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := w.try(ctx, secret, "GET", path, "")
		failed <- err
	}()
	for len(w.Requests(m)) == 0 {
		runtime.Gosched()
	}
	return func() {
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			w.t.Errorf("hanging: %v", err)
		}
	}
}

func TestRefusalsLookLikeGitHubs(t *testing.T) {
	t.Parallel()
	const page = `"documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"`
	for name, c := range map[string]struct {
		fault  fakegithub.Fault
		status int
		words  string
		after  string
		rates  string
	}{
		"Primary":       {fakegithub.Fault{Kind: fakegithub.PrimaryLimit}, 403, "API rate limit exceeded", "", "5000 5000 0 core "},
		"Primary429":    {fakegithub.Fault{Kind: fakegithub.PrimaryLimit, Status: 429}, 429, "API rate limit exceeded", "", "5000 5000 0 core "},
		"Secondary":     {fakegithub.Fault{Kind: fakegithub.SecondaryLimit, Wait: time.Minute}, 403, page, "60", "5000 0 5000 core "},
		"Secondary429":  {fakegithub.Fault{Kind: fakegithub.SecondaryLimit, Status: 429}, 429, "secondary rate limit", "", "5000 0 5000 core "},
		"SecondaryBare": {fakegithub.Fault{Kind: fakegithub.SecondaryLimit, NoDocs: true}, 403, `try again.","status":"403"}`, "", "5000 0 5000 core "},
		"Credentials":   {fakegithub.Fault{Kind: fakegithub.BadCredentials}, 401, "Bad credentials", "", "5000 0 5000 core "},
		"Server":        {fakegithub.Fault{Kind: fakegithub.ServerError, Status: 503}, 503, `"message":"Server Error"`, "", "5000 0 5000 core "},
		"HTML":          {fakegithub.Fault{Kind: fakegithub.HTMLError}, 502, "<html>", "", "    "},
		"Custom":        {fakegithub.Fault{Kind: fakegithub.Custom, Status: 451, Body: `{"message":"Repository access blocked"}`}, 451, "access blocked", "", "5000 0 5000 core "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, fakegithub.Options{})
			w.Inject(c.fault)
			got := w.do("PUT", invite, "")
			got.has(t, c.status, c.words)
			if rates(got.header) != c.rates || got.header.Get("Retry-After") != c.after || len(w.Invitations(w.repo)) != 0 {
				t.Errorf("%v; invitations %v", got.header, w.Invitations(w.repo))
			}
			if got := w.Requests(fakegithub.Match{}); got[0].Fault != c.fault.Kind || got[0].Status != c.status {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestAFaultMeetsWhatItMatchesAsOftenAsItSays(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.Inject(fakegithub.Fault{Kind: fakegithub.ServerError, Times: 2, Match: fakegithub.Match{Method: "GET", Path: "/repos/*/*"}})
	lift := w.Inject(fakegithub.Fault{Kind: fakegithub.BadCredentials, Match: fakegithub.Match{Path: "/users/*"}})
	w.do("GET", invite, "").has(t, 404, "")
	w.do("PUT", invite, "").has(t, 201, "")
	for n, status := range []int{500, 500, 200} {
		if got := w.do("GET", app, ""); got.status != status {
			t.Errorf("request %d: %d", n, got.status)
		}
		w.do("GET", "/users/octocat", "").has(t, 401, "")
	}
	lift()
	w.do("GET", "/users/octocat", "").has(t, 200, "")
}

func TestComingBackEarlyFromAnInjectedLimitIsCounted(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.Inject(fakegithub.Fault{Kind: fakegithub.SecondaryLimit, Wait: time.Minute, Times: 1})
	w.Inject(fakegithub.Fault{Kind: fakegithub.PrimaryLimit, Wait: time.Hour, Times: 1, Match: fakegithub.Match{Path: "/users/*"}})
	w.do("GET", app, "").has(t, 403, "secondary")
	w.clock.pass(59 * time.Second)
	w.do("GET", app, "").has(t, 200, "")
	w.clock.pass(time.Second)
	w.do("GET", app, "").has(t, 200, "")
	if got := w.do("GET", "/users/octocat", "").header.Get("x-ratelimit-reset"); got != strconv.FormatInt(w.clock.Now().Add(time.Hour).Unix(), 10) {
		t.Errorf("reset %s", got)
	}
	if got := w.Violations(); got != (fakegithub.Violations{Early: 1}) {
		t.Errorf("%+v", got)
	}
}

func TestWhatHangsIsNeverDone(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	m := fakegithub.Match{Path: "/users/*"}
	w.hang(m, "/users/octocat")()
	if got := w.Requests(m); len(got) != 1 || got[0].Status != 0 || got[0].Fault != fakegithub.Hang {
		t.Errorf("%+v", got)
	}
	w.do("GET", "/users/octocat", "").has(t, 200, "")
}

func TestALostAnswerWasDone(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.Inject(fakegithub.Fault{Kind: fakegithub.LostAnswer, Times: 1})
	if got, err := w.try(t.Context(), secret, "PUT", invite, `{"permission":"pull"}`); err == nil {
		t.Errorf("answered %+v", got)
	}
	if got := w.Invitations(w.repo); len(got) != 1 || got[0].Invitee != octocat {
		t.Errorf("%+v", got)
	}
	if got := w.Requests(fakegithub.Match{}); got[0].Status != 201 {
		t.Errorf("%+v", got)
	}
}

func TestHalfABodyWasDoneToo(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.Inject(fakegithub.Fault{Kind: fakegithub.HalfBody})
	got, err := w.try(t.Context(), secret, "PUT", invite, "")
	if !errors.Is(err, io.ErrUnexpectedEOF) || got.status != 201 || !strings.HasPrefix(got.text, "{") || got.body != nil {
		t.Errorf("%v: %d %s", err, got.status, got.text)
	}
	if _, err := w.try(t.Context(), secret, "DELETE", invite, ""); err == nil {
		t.Error("an answer without a body arrived")
	}
	if got := w.Invitations(w.repo); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestASlowAnswerComes(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	lift := w.Inject(fakegithub.Fault{Kind: fakegithub.Slow, Wait: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := w.try(ctx, secret, "PUT", invite, ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	lift()
	w.Inject(fakegithub.Fault{Kind: fakegithub.Slow, Wait: 20 * time.Millisecond})
	before := time.Now()
	w.do("PUT", invite, "").has(t, 201, "")
	if took := time.Since(before); took < 20*time.Millisecond {
		t.Errorf("took %s", took)
	}
}

func TestARemovalMayShowLate(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.accepted()
	w.Inject(fakegithub.Fault{Kind: fakegithub.LateRemoval, Reads: 3, Match: fakegithub.Match{Method: "DELETE"}})
	w.do("DELETE", invite, "").has(t, 204, "")
	w.do("GET", invite, "").has(t, 204, "")
	w.do("GET", invite+"/permission", "").has(t, 200, `"role_name":"read"`)
	w.do("GET", app+"/collaborators?affiliation=direct", "").has(t, 200, `"octocat"`)
	w.do("GET", app+"/collaborators?affiliation=direct", "").has(t, 200, "[]")
	w.do("GET", invite, "").has(t, 404, "")
	w.do("GET", invite+"/permission", "").has(t, 200, `"permission":"none"`)
}

func TestManyCallersAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	done := make(chan bool)
	for n := range 8 {
		go func() {
			defer func() { done <- true }()
			for range 5 {
				_, _ = w.try(t.Context(), secret, []string{"PUT", "DELETE", "GET"}[n%3], invite, "")
				w.Requests(fakegithub.Match{})
				w.RemoveByHand(w.repo, octocat)
			}
		}()
	}
	for range 8 {
		<-done
	}
	if got := len(w.Requests(fakegithub.Match{})); got != 40 || len(w.Invitations(w.repo)) != 1 {
		t.Errorf("%d requests, invitations %v", got, w.Invitations(w.repo))
	}
}
