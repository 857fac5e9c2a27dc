package discord

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/internal/fakediscord"
)

// trips is a transport that is a function.
type trips func(*http.Request) (*http.Response, error)

func (f trips) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// response is an answer with these headers, in pairs.
func response(status int, body string, header ...string) *http.Response {
	r := httptest.NewRecorder()
	for i := 0; i < len(header); i += 2 {
		r.Header().Set(header[i], header[i+1])
	}
	r.WriteHeader(status)
	_, _ = io.WriteString(r, body)
	return r.Result()
}

func TestGuardTamesTooManyRequests(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body string
		header     []string
		wait       time.Duration
		whole      bool
	}{
		{"JSON", `{"retry_after":1.2345,"global":false}`, []string{"Retry-After", "2"}, 1235 * time.Millisecond, false},
		{"Global", `{"retry_after":0.3,"global":true}`, nil, 300 * time.Millisecond, true},
		{"GlobalByHeader", `{"retry_after":7}`, []string{"X-RateLimit-Global", "true"}, 7 * time.Second, true},
		{"WithoutAWait", `{}`, []string{"Retry-After", "30"}, 30 * time.Second, false},
		{"WithoutAnyWait", `{"retry_after":-1}`, nil, time.Second, false},
		{"TooLong", `{"retry_after":1e300}`, nil, 24 * time.Hour, false},
		{"Cloudflare", "error code: 1015", []string{"Retry-After", "3"}, 10 * time.Minute, true},
		{"CloudflareForLong", "<html>", []string{"Retry-After", "1800"}, 30 * time.Minute, true},
		{"Empty", "", nil, 10 * time.Minute, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var seen trip
			res, err := tame(response(429, c.body, c.header...), &seen)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if seen.wait != c.wait || seen.whole != c.whole {
				t.Errorf("waits %v, whole %v; want %v, %v", seen.wait, seen.whole, c.wait, c.whole)
			}
			var said struct {
				RetryAfter float64 `json:"retry_after"`
			}
			if err := json.NewDecoder(res.Body).Decode(&said); err != nil || said.RetryAfter != c.wait.Seconds() {
				t.Errorf("the library reads %v, %v", said, err)
			}
		})
	}
}

func TestGuardKeepsHeadersFromTheLibrary(t *testing.T) {
	t.Parallel()
	var seen trip
	res, _ := tame(response(200, "", "X-RateLimit-Limit", "10", "X-RateLimit-Remaining", "3", "X-RateLimit-Reset-After", "2.5", "X-RateLimit-Bucket", "abc"), &seen)
	defer res.Body.Close()
	for name := range res.Header {
		if strings.HasPrefix(name, "X-Ratelimit") {
			t.Errorf("%s reaches the library", name)
		}
	}
	if want := (limits{10, 3, 2500 * time.Millisecond}); seen.limits != want {
		t.Errorf("read %+v, want %+v", seen.limits, want)
	}
}

func TestGuardRefusesAddressesThatLeadElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, e := range []errand{{guild: w.guild}, {user: w.ada}, {guild: "..", user: w.ada}, {guild: w.guild, user: "."}, {guild: w.guild, user: "1/../2"}} {
		err := w.d.session.kick(t.Context(), e)
		want(t, err, fulfillers.ClassTransient, "network", "empty part")
	}
	if n := len(w.Requests()); n != 0 {
		t.Errorf("%d calls went out", n)
	}
}

func TestNoRedirectIsFollowed(t *testing.T) {
	t.Parallel()
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the stranger was called") }))
	defer stranger.Close()
	w := newWorld(t)
	w.d.session.api.Client.Transport.(*guard).next = trips(func(*http.Request) (*http.Response, error) {
		return response(307, "", "Location", stranger.URL), nil
	})
	_, err := w.d.Grant(t.Context(), w.owed(w.ada, w.params(w.role)))
	want(t, err, fulfillers.ClassTransient, "refused", "307")
}

func TestAPanicOfTheLibraryIsAnError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.d.session.api.Client.Transport.(*guard).next = trips(func(*http.Request) (*http.Response, error) { panic("oops") })
	_, err := w.d.Grant(t.Context(), w.owed(w.ada, w.params(w.role)))
	want(t, err, fulfillers.ClassTransient, "network", "panicked")
}

func TestOddAnswersOfTheProviderAreTransient(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]fakediscord.Fault{
		"500": fakediscord.Status(500), "502": fakediscord.Status(502), "HTML502": fakediscord.HTML(502), "HTML500": fakediscord.HTML(500),
		"Overloaded": fakediscord.Refuse(503, 130000, "API resource is currently overloaded."),
		"NotJSON":    fakediscord.NotJSON(), "HalfBody": fakediscord.HalfBody(), "UnknownCode": fakediscord.Refuse(400, 99999, "What?"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Fail(fakediscord.Match{}, fault, fakediscord.Always)
			_, err := w.d.Grant(t.Context(), w.owed(w.ada, w.params(w.role)))
			if e := fulfillers.Classify(err); e.Class != fulfillers.ClassTransient {
				t.Errorf("Grant: %s", describe(e))
			}
			err = w.d.Revoke(t.Context(), ended(t, w.owed(w.ada, w.params(w.role))))
			if e := fulfillers.Classify(err); e == nil || e.Class != fulfillers.ClassTransient {
				t.Errorf("Revoke: %s", describe(e))
			}
		})
	}
}

func TestHeadersThatCannotBeReadDoNotMatter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Fail(fakediscord.Match{}, fakediscord.BadHeaders(), fakediscord.Always)
	w.revoke(w.grant(w.owed(w.ada, w.params(w.role))))
}

func TestACallThatHangsHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grant(w.owed(w.ada, w.params(w.vip)))
	w.Fail(giveRole, fakediscord.Hang(), 1)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	done := make(chan error)
	go func() {
		_, err := w.d.Grant(ctx, w.owed(w.ada, w.params(w.role)))
		done <- err
	}()
	for w.Count(giveRole) < 2 {
		time.Sleep(time.Millisecond)
	}
	w.join(w.grace)
	w.grant(w.owed(w.grace, w.params(w.role)))
	if ctx.Err() != nil {
		t.Error("the second call waited for the first")
	}
	if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want that of the deadline", err)
	}
}
