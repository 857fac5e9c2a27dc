package fakegithub_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"fulfilld/internal/fakegithub"
)

const (
	secret  = "ghp_alice"
	octocat = 583231
	app     = "/repos/acme/app"
	invite  = app + "/collaborators/octocat"
)

// clock is a time that passes when the test says so.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is a GitHub where alice owns the organisation acme with the private
// repository acme/app, and octocat has nothing to do with either.
type world struct {
	*fakegithub.Server
	t      *testing.T
	clock  *clock
	client *http.Client
	url    string
	repo   int64
	alice  int64
}

func start(t *testing.T, o fakegithub.Options) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}}
	o.Now = w.clock.Now
	w.Server = fakegithub.New(o)
	w.AddOrg(fakegithub.Org{Login: "acme", Base: fakegithub.None})
	w.alice = w.AddUser(fakegithub.User{Login: "alice"})
	w.AddMember("acme", w.alice, true)
	w.AddToken(w.alice, secret, time.Time{})
	w.AddUser(fakegithub.User{ID: octocat, Login: "octocat"})
	w.repo = w.AddRepository(fakegithub.Repository{Owner: "acme", Name: "app"})
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	w.url, w.client = server.URL, server.Client()
	return w
}

type reply struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

func (r reply) has(t *testing.T, status int, words string) {
	t.Helper()
	if r.status != status || !strings.Contains(r.text, words) {
		t.Errorf("%d %s; want %d with %q", r.status, r.text, status, words)
	}
}

func (w *world) request(ctx context.Context, method, path, body string) *http.Request {
	r, err := http.NewRequestWithContext(ctx, method, w.url+path, bytes.NewBufferString(body))
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// try sends a request as the token's holder and follows no redirect.
func (w *world) try(ctx context.Context, token, method, path, body string) (reply, error) {
	r := w.request(ctx, method, path, body)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	client := *w.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	got, err := client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = got.Body.Close() }()
	text, err := io.ReadAll(got.Body)
	answer := reply{status: got.StatusCode, header: got.Header, text: string(text)}
	_ = json.Unmarshal(text, &answer.body)
	return answer, err
}

func (w *world) as(token, method, path, body string) reply {
	w.t.Helper()
	got, err := w.try(w.t.Context(), token, method, path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// do sends a request as alice.
func (w *world) do(method, path, body string) reply {
	w.t.Helper()
	return w.as(secret, method, path, body)
}

// invited invites octocat and returns the invitation's id.
func (w *world) invited() int64 {
	w.t.Helper()
	w.do("PUT", invite, `{"permission":"pull"}`).has(w.t, 201, `"octocat"`)
	list := w.Invitations(w.repo)
	return list[len(list)-1].ID
}

func (w *world) accepted() {
	w.t.Helper()
	if err := w.Accept(w.invited()); err != nil {
		w.t.Fatal(err)
	}
}
