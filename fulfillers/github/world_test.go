package github

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/internal/fakegithub"
	"fulfilld/internal/secret"
)

const (
	octocat = 583231
	pat     = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
	inPro   = "/repos/acme/pro/collaborators/*"
)

var keyOnce = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func keyPEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(keyOnce())}))
}

// clock is real time, and what the test adds to it: an App's JWT tells the real one.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// lanes are fulfillers.Lanes in memory.
type lanes struct {
	mu     sync.Mutex
	now    func() time.Time
	passed map[string][]time.Time
	rests  map[string]time.Time
	urgent int
}

func (l *lanes) Pass(_ context.Context, lane string, limits []grant.Limit, urgent bool) (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	wait := l.rests[lane].Sub(now)
	for _, limit := range limits {
		if all := l.passed[lane]; len(all) >= limit.Calls {
			wait = max(wait, all[len(all)-limit.Calls].Add(limit.Per).Sub(now))
		}
	}
	if wait > 0 {
		return wait, nil
	}
	if len(limits) > 0 {
		l.passed[lane] = append(l.passed[lane], now)
		if urgent {
			l.urgent++
		}
	}
	return 0, nil
}

func (l *lanes) Pause(_ context.Context, lane string, d time.Duration, _ string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rests[lane] = l.now().Add(d)
	return nil
}

func (l *lanes) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.rests)
}

// resting is for how long a lane rests, to the second.
func (l *lanes) resting(lane string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rests[lane].Sub(l.now()).Round(time.Second)
}

// world is a GitHub where alice owns the organisation acme with the private
// repositories acme/pro and acme/extra, our App is installed there, and octocat
// has nothing to do with any of it.
type world struct {
	*fakegithub.Server
	t              *testing.T
	g              *Fulfiller
	clock          *clock
	lanes          *lanes
	url            string
	pro, extra     int64
	alice          int64
	installation   int64
	mu             sync.Mutex
	before, behind func(*http.Request)
	generation     int64
}

type options struct {
	fakegithub.Options
	token bool
	edit  func(*Config)
}

func start(t *testing.T, o options) *world {
	t.Helper()
	w := &world{t: t, clock: new(clock)}
	o.Now = w.clock.Now
	w.Server = fakegithub.New(o.Options)
	w.AddOrg(fakegithub.Org{Login: "acme", Base: fakegithub.None})
	w.alice = w.AddUser(fakegithub.User{Login: "alice"})
	w.AddMember("acme", w.alice, true)
	w.AddUser(fakegithub.User{ID: octocat, Login: "octocat"})
	w.pro = w.AddRepository(fakegithub.Repository{Owner: "acme", Name: "pro"})
	w.extra = w.AddRepository(fakegithub.Repository{Owner: "acme", Name: "extra"})
	app := w.AddApp(fakegithub.App{ID: 4711, Slug: "fulfil", Owner: "acme", Key: &keyOnce().PublicKey})
	w.installation = w.Install(fakegithub.Installation{App: app, Account: "acme", Permissions: map[string]string{"administration": "write", "contents": "write"}})
	w.AddToken(w.alice, pat, time.Time{})
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	w.url = server.URL
	w.lanes = &lanes{now: w.clock.Now, passed: map[string][]time.Time{}, rests: map[string]time.Time{}}
	w.g = w.fulfiller(o)
	return w
}

// fulfiller is a new daemon in the same world.
func (w *world) fulfiller(o options) *Fulfiller {
	w.t.Helper()
	c := defaults()
	c.APIURL, c.timeFactor = w.url, 1000
	if c.AppID, c.PrivateKey = 4711, secret.New(keyPEM()); o.token {
		c.AppID, c.PrivateKey, c.Token = 0, secret.Text{}, secret.New(pat)
	}
	if o.edit != nil {
		o.edit(&c)
	}
	g, err := New(c, w.lanes)
	if err != nil {
		w.t.Fatal(err)
	}
	g.now = w.clock.Now
	w.t.Cleanup(g.http.CloseIdleConnections)
	return g
}

// ServeHTTP lets a test do something before and after each request.
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	before, behind := w.before, w.behind
	w.mu.Unlock()
	if before != nil {
		before(r)
	}
	if behind != nil {
		defer behind(r)
	}
	w.Server.ServeHTTP(rw, r)
}

func (w *world) on(before, behind func(*http.Request)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before, w.behind = before, behind
}

// at does something once, before the first request that matches.
func (w *world) at(method, ending string, do func(*http.Request)) {
	var once sync.Once
	w.on(func(r *http.Request) {
		if r.Method == method && strings.HasSuffix(r.URL.Path, ending) {
			once.Do(func() { do(r) })
		}
	}, nil)
}

// owed is a fulfilment of octocat's, in a generation of its own.
func (w *world) owed(params string) grant.Fulfilment {
	w.t.Helper()
	w.generation++
	f := grant.Fulfilment{
		ID: "g1.github_repository", Kind: "github_repository", Generation: w.generation,
		Customer: grant.Customer{ID: "c1", Email: "octo@cat.example"},
		Account:  grant.Account{Provider: provider, ID: strconv.Itoa(octocat)},
		Target:   grant.Target{Kind: "github_repository", Params: json.RawMessage(params), Origin: "config", Managed: true},
	}
	all, err := w.g.Resources(f)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range all {
		f.Holds = append(f.Holds, grant.Hold{Resource: r, Origin: grant.FromUs, Since: f.Generation})
	}
	return f
}

const pullPro = `{"repositories":["acme/pro"]}`

// again is the fulfilment as the ledger hands it over after a Grant.
func again(f grant.Fulfilment, p grant.Properties) grant.Fulfilment {
	text, _ := json.Marshal(p)
	f.Properties = nil
	_ = json.Unmarshal(text, &f.Properties)
	f.Asked = false
	return f
}

// let is the fulfilment as it is revoked.
func let(f grant.Fulfilment) grant.Fulfilment {
	f.Generation++
	f.Holds = append([]grant.Hold(nil), f.Holds...)
	for i := range f.Holds {
		f.Holds[i].Level = 0
	}
	return f
}

// wants runs a Grant that has to end so. An empty code is success.
func (w *world) wants(f grant.Fulfilment, class fulfillers.Class, code string, words ...string) grant.Fulfilment {
	w.t.Helper()
	p, err := w.g.Grant(w.t.Context(), f)
	w.is(err, class, code, words...)
	return again(f, p)
}

func (w *world) granted(f grant.Fulfilment) grant.Fulfilment {
	w.t.Helper()
	return w.wants(f, fulfillers.ClassNone, "")
}

func (w *world) invited(f grant.Fulfilment) grant.Fulfilment {
	w.t.Helper()
	return w.wants(f, fulfillers.ClassActionRequired, "invited")
}

func (w *world) revoked(f grant.Fulfilment) {
	w.t.Helper()
	w.is(w.g.Revoke(w.t.Context(), let(f)), fulfillers.ClassNone, "")
}

func (w *world) is(err error, class fulfillers.Class, code string, words ...string) {
	w.t.Helper()
	e := fulfillers.Classify(err)
	switch {
	case e == nil && class == fulfillers.ClassNone:
		return
	case e == nil || class == fulfillers.ClassNone || e.Class != class || e.Code != code:
		w.t.Fatalf("error %+v (%v), want %s %s", e, err, class, code)
	}
	for _, word := range words {
		if !strings.Contains(e.Error(), word) {
			w.t.Errorf("error %q does not say %q", e, word)
		}
	}
}

// refusal is the error of a Grant that has to fail so.
func (w *world) refusal(f grant.Fulfilment, class fulfillers.Class, code string) *fulfillers.Error {
	w.t.Helper()
	_, err := w.g.Grant(w.t.Context(), f)
	w.is(err, class, code)
	return fulfillers.Classify(err)
}

// accept takes the only invitation there is.
func (w *world) accept(repo int64) {
	w.t.Helper()
	if err := w.Accept(w.only(repo).ID); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) only(repo int64) fakegithub.Invitation {
	w.t.Helper()
	all := w.Invitations(repo)
	if len(all) != 1 {
		w.t.Fatalf("%d invitations, want 1: %+v", len(all), all)
	}
	return all[0]
}

func (w *world) role(repo int64, want fakegithub.Role) {
	w.t.Helper()
	if got, _ := w.Collaborator(repo, octocat); got != want {
		w.t.Errorf("role %q, want %q", got, want)
	}
}

// count is how many requests were received.
func (w *world) count(method, path string) int {
	return len(w.Requests(fakegithub.Match{Method: method, Path: path}))
}

// writes is how many requests changed something, or tried to.
func (w *world) writes() (n int) {
	for _, r := range w.Requests(fakegithub.Match{}) {
		if r.Method != http.MethodGet && r.Method != http.MethodPost {
			n++
		}
	}
	return n
}

// first is the first repository in the properties.
func first(t *testing.T, f grant.Fulfilment) map[string]any {
	t.Helper()
	all, _ := f.Properties["repositories"].([]any)
	if len(all) == 0 {
		t.Fatalf("no repository in %v", f.Properties)
	}
	return all[0].(map[string]any)
}
