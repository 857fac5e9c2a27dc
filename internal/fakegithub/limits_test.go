package fakegithub_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"fulfilld/internal/fakegithub"
)

// rates returns the rate limit headers in one line.
func rates(h http.Header) string {
	line := ""
	for _, name := range []string{"limit", "used", "remaining", "resource"} {
		line += h.Get("x-ratelimit-"+name) + " "
	}
	return line
}

func TestEveryAnswerTellsWhatIsLeft(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	reset := strconv.FormatInt(w.clock.Now().Add(time.Hour).Unix(), 10)
	for n, path := range []string{app, "/nothing", invite} {
		h := w.do("GET", path, "").header
		want := "5000 " + strconv.Itoa(n+1) + " " + strconv.Itoa(4999-n) + " core "
		if rates(h) != want || h.Get("x-ratelimit-reset") != reset {
			t.Errorf("%s: %s, reset %s", path, rates(h), h.Get("x-ratelimit-reset"))
		}
	}
	w.do("GET", "/rate_limit", "").has(t, 200, `"remaining":4997`)
	if got := rates(w.as("", "GET", "/users/octocat", "").header); got != "60 1 59 core " {
		t.Errorf("a stranger: %s", got)
	}
}

func TestThePrimaryLimitLastsUntilItsReset(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{Limits: fakegithub.Limits{Hourly: 2, Status: 429}, TimeFactor: 60})
	w.do("GET", app, "").has(t, 200, "")
	w.do("GET", app, "").has(t, 200, "")
	got := w.do("GET", app, "")
	got.has(t, 429, "API rate limit exceeded for user ID")
	if want := strconv.FormatInt(w.clock.Now().Add(time.Minute).Unix(), 10); rates(got.header) != "2 2 0 core " || got.header.Get("x-ratelimit-reset") != want {
		t.Errorf("%s, reset %s, want %s", rates(got.header), got.header.Get("x-ratelimit-reset"), want)
	}
	w.do("GET", app, "").has(t, 429, "")
	w.do("GET", "/rate_limit", "").has(t, 200, `"remaining":0`)
	w.clock.pass(time.Minute)
	w.do("GET", app, "").has(t, 200, "")
	if got := w.Violations(); got != (fakegithub.Violations{Primary: 2, Early: 1}) {
		t.Errorf("%+v", got)
	}
}

func TestSecondaryLimitsSayHowLongToWait(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limits fakegithub.Limits
		wait   time.Duration
		want   fakegithub.Violations
	}{
		"Content":       {fakegithub.Limits{Content: 2}, 59 * time.Second, fakegithub.Violations{Content: 1, Early: 1}},
		"ContentHourly": {fakegithub.Limits{ContentHourly: 2}, 3599 * time.Second, fakegithub.Violations{ContentHourly: 1, Early: 1}},
		"Points":        {fakegithub.Limits{Points: 11}, 59 * time.Second, fakegithub.Violations{Points: 1, Early: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, fakegithub.Options{Limits: c.limits})
			w.do("PUT", invite, "").has(t, 201, "")
			w.clock.pass(time.Second)
			w.do("PUT", invite, "").has(t, 201, "")
			got := w.do("PUT", invite, "")
			got.has(t, 403, "secondary rate limit")
			if after := got.header.Get("Retry-After"); after != strconv.Itoa(int(c.wait.Seconds())) {
				t.Errorf("Retry-After %s", after)
			}
			w.do("GET", app, "").has(t, 200, "")
			w.clock.pass(c.wait)
			w.do("PUT", invite, "").has(t, 201, "")
			if got := w.Violations(); got != c.want {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestTooManyAtOnceAreRefused(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{Limits: fakegithub.Limits{Concurrent: 1}})
	end := w.hang(fakegithub.Match{Path: "/users/*"}, "/users/octocat")
	w.do("GET", app, "").has(t, 403, "secondary rate limit")
	w.as("", "GET", "/orgs/acme", "").has(t, 200, "")
	end()
	if got := w.Violations(); got.Concurrent != 1 {
		t.Errorf("%+v", got)
	}
}

func TestCallersDoNotShareLimits(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{Limits: fakegithub.Limits{Hourly: 1}})
	w.AddToken(w.alice, "ghp_second", time.Time{})
	w.AddToken(octocat, "ghp_octocat", time.Time{})
	w.do("GET", app, "").has(t, 200, "")
	w.as("ghp_second", "GET", app, "").has(t, 403, "API rate limit exceeded")
	w.as("ghp_octocat", "GET", app, "").has(t, 404, "Not Found")
}
