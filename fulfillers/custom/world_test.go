package custom

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"fulfilld/grant"
	"fulfilld/internal/secret"
)

var (
	oldSecret = secret.New("whsec_" + strings.Repeat("b2xk", 8))
	newSecret = secret.New("whsec_" + strings.Repeat("bmV3", 8))
)

// told is one delivery as the merchant's server reads it.
type told struct {
	ID       string
	Type     string
	Sequence int64
	Data     struct {
		ID         string
		IsGranted  bool `json:"is_granted"`
		IsRevoked  bool `json:"is_revoked"`
		Customer   struct{ Email string }
		Benefit    struct{ Properties struct{ Note string } }
		Properties map[string]any
	}
}

// receiver is a merchant's server: it verifies with the reference library, counts
// one id once, and keeps who has what.
type receiver struct {
	*httptest.Server
	t       *testing.T
	secrets []secret.Text // any of which it knows

	mu     sync.Mutex
	seen   map[string]bool
	all    []told
	has    map[string]bool
	answer http.HandlerFunc // nil: 204
	before bool             // answer comes instead of taking it in
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t, secrets: []secret.Text{oldSecret}, seen: map[string]bool{}, has: map[string]bool{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	answer, instead := r.answer, r.before
	if !instead {
		r.take(req, body)
	}
	r.mu.Unlock()
	if answer != nil {
		answer(w, req)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (r *receiver) take(req *http.Request, body []byte) {
	for _, s := range r.secrets {
		w, err := standardwebhooks.NewWebhook(s.Reveal())
		if err == nil {
			err = w.Verify(body, req.Header)
		}
		if err != nil {
			r.t.Errorf("not verified: %v", err)
		}
	}
	var m told
	if err := json.Unmarshal(body, &m); err != nil {
		r.t.Errorf("%v: %s", err, body)
	}
	m.ID = req.Header.Get("webhook-id")
	r.all = append(r.all, m)
	if r.seen[m.ID] {
		return
	}
	r.seen[m.ID] = true
	if m.Type != typeCycled {
		r.has[m.Data.ID] = m.Data.IsGranted
	}
}

// answers makes the server answer so; instead says that it takes nothing in.
func (r *receiver) answers(instead bool, h http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer, r.before = h, instead
}

func (r *receiver) count() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, has := range r.has {
		if has {
			n++
		}
	}
	return n
}

// deliveries are all of them, and how they read in short.
func (r *receiver) deliveries() ([]told, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var types []string
	for _, m := range r.all {
		types = append(types, m.Type)
	}
	return append([]told(nil), r.all...), strings.Join(types, " ")
}

// lanes rest for as long as nobody wakes them.
type lanes struct {
	mu   sync.Mutex
	wait map[string]time.Duration
}

func (l *lanes) Pass(_ context.Context, lane string, _ []grant.Limit, _ bool) (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wait[lane], nil
}

func (l *lanes) Pause(_ context.Context, lane string, d time.Duration, _ string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wait[lane] = d
	return nil
}

func (l *lanes) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.wait)
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// world is a fulfiller, a receiver, and a grant as the worker hands it over.
type world struct {
	*receiver
	c     *Fulfiller
	lanes *lanes
	f     grant.Fulfilment
}

func newWorld(t *testing.T, set ...func(*Config)) *world {
	w := &world{receiver: newReceiver(t), lanes: &lanes{wait: map[string]time.Duration{}}}
	config := Config{Concurrency: 1, Secrets: []secret.Text{oldSecret}, AllowPrivate: loopback}
	for _, f := range set {
		f(&config)
	}
	w.c = New(config, w.lanes)
	t.Cleanup(w.c.client.Close)
	w.f = sample(fmt.Sprintf(`{"url":%q}`, w.URL+"/hooks/path-that-nobody-may-see"))
	return w
}

func sample(params string) grant.Fulfilment {
	return grant.Fulfilment{
		ID: "g1.custom", Kind: "custom",
		Grant:    grant.Grant{ID: "g1", BenefitID: "b1", CustomerID: "c1", OrderID: "o1", GrantedAt: time.Date(2026, 1, 31, 9, 12, 44, 0, time.UTC)},
		Benefit:  grant.Benefit{ID: "b1", Type: "custom", Description: "Onboarding call", Properties: json.RawMessage(`{"note":"Book it"}`)},
		Customer: grant.Customer{ID: "c1", Email: "ada@example.com", Body: json.RawMessage(`{"id":"c1","email":"ada@example.com"}`)},
		Target:   grant.Target{Kind: "custom", Params: json.RawMessage(params), Managed: true, Origin: "config"},
	}
}

// grants asks for a grant in a generation of its own, and remembers it as the
// worker does.
func (w *world) grants() {
	w.t.Helper()
	w.f.Generation++
	p, err := w.c.Grant(w.t.Context(), w.f)
	if err != nil {
		w.t.Fatal(err)
	}
	w.f.State, w.f.Properties, w.f.Applied, w.f.Asked = grant.Granted, p, w.f.Target.Params, false
}

func (w *world) revokes() {
	w.t.Helper()
	w.f.Generation++
	if err := w.c.Revoke(w.t.Context(), w.f); err != nil {
		w.t.Fatal(err)
	}
	w.f.State = grant.Revoked
}

func (w *world) wantTold(types string) []told {
	w.t.Helper()
	all, got := w.deliveries()
	if got != types {
		w.t.Fatalf("told %q, want %q", got, types)
	}
	return all
}
