package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fulfilld/grant"
	"fulfilld/polar"
)

// shelf is a store that remembers, or does as the test says.
type shelf struct {
	mu     sync.Mutex
	bodies map[string]string
	accept func(ctx context.Context) error // before it remembers
}

func (s *shelf) Accept(ctx context.Context, ev grant.Event) (grant.Acceptance, error) {
	if s.accept != nil {
		if err := s.accept(ctx); err != nil {
			return "", err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	had, known := s.bodies[ev.ID]
	switch {
	case !known:
		s.bodies[ev.ID] = string(ev.Body)
		return grant.Accepted, nil
	case had == string(ev.Body):
		return grant.Duplicate, nil
	}
	return grant.Conflict, nil
}

func (s *shelf) holds() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.bodies)
}

// gate is the receiver with everything it needs.
type gate struct {
	http.Handler
	store    *shelf
	reg      *prometheus.Registry
	log      bytes.Buffer
	accepted int
	reused   []string
	mu       sync.Mutex
}

// admit takes the header "stale" for a time long past.
func admit(h http.Header) *Refusal {
	if h.Get("stale") != "" {
		return &Refusal{http.StatusUnauthorized, "too old"}
	}
	return nil
}

// open takes the header "signature: good" for a signature.
func open(body []byte, h http.Header) (grant.Event, *Refusal) {
	if h.Get("signature") != "good" {
		return grant.Event{}, &Refusal{http.StatusUnauthorized, "no signature of ours"}
	}
	var e struct{ Type string }
	if json.Unmarshal(body, &e) != nil || e.Type == "" {
		return grant.Event{}, &Refusal{http.StatusBadRequest, "no event"}
	}
	if e.Type == "teapot" {
		return grant.Event{}, &Refusal{http.StatusTeapot, "short and stout"}
	}
	return grant.Event{Source: "test", ID: h.Get("webhook-id"), Type: e.Type, Body: body}, nil
}

func newGate() *gate {
	g := &gate{store: &shelf{bodies: map[string]string{}}, reg: prometheus.NewRegistry()}
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/test", Webhook(WebhookOptions{
		Store: g.store, Admit: admit, Open: open,
		Accepted: func() { g.mu.Lock(); g.accepted++; g.mu.Unlock() },
		Reused:   func(ev grant.Event) { g.reused = append(g.reused, ev.ID) },
		Metrics:  NewWebhookMetrics(g.reg, []string{"order.paid"}),
		Log:      slog.New(slog.NewTextHandler(&g.log, nil)),
	}))
	g.Handler = mux
	return g
}

const paid = `{"type":"order.paid"}`

func deliver(id, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/webhooks/test", strings.NewReader(body))
	r.Header.Set("signature", "good")
	r.Header.Set("webhook-id", id)
	return r
}

func (g *gate) answer(r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w.Result()
}

func (g *gate) counted(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := g.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			all[strings.Join(labels, "/")] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

func TestWebhookAnswers(t *testing.T) {
	unsigned := deliver("1", paid)
	unsigned.Header.Del("signature")
	form := deliver("2", paid)
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	chunked := deliver("3", paid)
	chunked.ContentLength = -1
	endless := deliver("4", strings.Repeat(" ", maxBody+1))
	endless.ContentLength = -1
	get := deliver("5", paid)
	get.Method = http.MethodGet
	broken := deliver("6", paid)
	broken.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), failing{errors.New("connection reset")}))
	stale := deliver("10", paid)
	stale.Header.Set("stale", "yes")
	stale.Body = io.NopCloser(failing{errors.New("somebody read it")})
	full := `{"type":"order.paid","x":"` + strings.Repeat("x", maxBody-len(`{"type":"order.paid","x":""}`)) + `"}`
	for _, c := range []struct {
		name   string
		r      *http.Request
		status int
		series string
	}{
		{"Signed", deliver("0", paid), 202, "accepted/order.paid"},
		{"UnknownType", deliver("7", `{"type":"brand.new"}`), 202, "accepted/other"},
		{"AnyContentType", form, 202, "accepted/order.paid"},
		{"Chunked", chunked, 202, "accepted/order.paid"},
		{"OneMebibyte", deliver("8", full), 202, "accepted/order.paid"},
		{"NoEnvelope", deliver("9", "[]"), 400, "invalid/other"},
		{"Empty", deliver("9", ""), 400, "invalid/other"},
		{"ConnectionLost", broken, 400, "invalid/other"},
		{"Unsigned", unsigned, 401, "unauthorized/other"},
		{"Stale", stale, 401, "unauthorized/other"},
		{"Get", get, 405, ""},
		{"TooLarge", deliver("9", strings.Repeat(" ", maxBody+1)), 413, "too_large/other"},
		{"TooLargeAndDoesNotSay", endless, 413, "too_large/other"},
		{"OddRefusal", deliver("9", `{"type":"teapot"}`), 418, "invalid/other"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGate()
			before := len(g.counted(t))
			if got := g.answer(c.r); got.StatusCode != c.status {
				t.Errorf("answered %s, want %d", got.Status, c.status)
			}
			if n := g.store.holds(); (n == 1) != (c.status == 202) || g.accepted != n {
				t.Errorf("%d events kept, told of %d", n, g.accepted)
			}
			counted := g.counted(t)
			if c.series != "" && (counted[c.series] != 1 || counted[""] != 1) {
				t.Errorf("%s not counted: %v", c.series, counted)
			}
			if len(counted) != before {
				t.Errorf("%d series, %d at the start: %v", len(counted), before, counted)
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestWebhookTwice(t *testing.T) {
	g := newGate()
	for _, body := range []string{paid, paid, `{"type":"order.paid","other":1}`} {
		if got := g.answer(deliver("1", body)); got.StatusCode != 202 {
			t.Errorf("answered %s", got.Status)
		}
	}
	if g.accepted != 1 || len(g.reused) != 1 || g.reused[0] != "1" {
		t.Errorf("told of %d new ones, reused %v", g.accepted, g.reused)
	}
	for _, result := range []string{"accepted", "duplicate", "conflict"} {
		if got := g.counted(t); got[result+"/order.paid"] != 1 {
			t.Errorf("%s: %v", result, got)
		}
	}
}

func comeBack(t *testing.T, got *http.Response) {
	t.Helper()
	if got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
		t.Errorf("answered %s, Retry-After %q", got.Status, got.Header.Get("Retry-After"))
	}
}

func TestWebhookThatIsNotCommitted(t *testing.T) {
	g := newGate()
	g.store.accept = func(context.Context) error { return errors.New("disk full on /var/lib") }
	got := g.answer(deliver("1", paid))
	comeBack(t, got)
	if text, _ := io.ReadAll(got.Body); strings.Contains(string(text), "disk") {
		t.Errorf("the sender is told %q", text)
	}
	if !strings.Contains(g.log.String(), "disk full") || g.counted(t)["failed/order.paid"] != 1 || g.accepted != 0 {
		t.Errorf("logged %q, counted %v", g.log.String(), g.counted(t))
	}
	g.store.accept = nil
	if got := g.answer(deliver("1", paid)); got.StatusCode != 202 {
		t.Errorf("sent again: %s", got.Status)
	}
}

func TestWebhookThatCommitsTooSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		g.store.accept = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		began := time.Now()
		comeBack(t, g.answer(deliver("1", paid)))
		if took := time.Since(began); took != commitWithin {
			t.Errorf("answered after %v", took)
		}
	})
}

func TestHangingUpDoesNotCancelTheCommit(t *testing.T) {
	g := newGate()
	ctx, hangUp := context.WithCancel(t.Context())
	g.store.accept = func(ctx context.Context) error { hangUp(); return ctx.Err() }
	if got := g.answer(deliver("1", paid).WithContext(ctx)); got.StatusCode != 202 || g.store.holds() != 1 {
		t.Errorf("answered %s, %d kept", got.Status, g.store.holds())
	}
}

func TestOverTheWire(t *testing.T) {
	g := newGate()
	url := "http://" + g.serve(t, 10*time.Second) + "/webhooks/test"
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(paid))
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("signature", "good")
			r.Header.Set("webhook-id", fmt.Sprint(i%25))
			got, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			if _ = got.Body.Close(); got.StatusCode != 202 {
				t.Errorf("answered %s", got.Status)
			}
		})
	}
	all.Wait()
	if g.store.holds() != 25 || g.accepted != 25 {
		t.Errorf("%d kept, told of %d", g.store.holds(), g.accepted)
	}
}

func BenchmarkWebhook(b *testing.B) {
	g := newGate()
	g.store.accept = func(context.Context) error { return nil }
	body := []byte(paid)
	b.ReportAllocs()
	r := deliver("1", paid)
	for b.Loop() {
		r.Body = io.NopCloser(bytes.NewReader(body))
		g.answer(r)
	}
}

func TestEverySeriesExistsFromTheStart(t *testing.T) {
	got := newGate().counted(t)
	for _, result := range []string{"accepted", "duplicate", "conflict", "failed"} {
		for _, typ := range []string{"order.paid", "other"} {
			if v, ok := got[result+"/"+typ]; !ok || v != 0 {
				t.Errorf("%s/%s: %v, there %v", result, typ, v, ok)
			}
		}
	}
	for _, result := range []string{"busy", "invalid", "unauthorized", "timeout", "too_large"} {
		if _, ok := got[result+"/other"]; !ok {
			t.Errorf("no %s/other", result)
		}
	}
}

func TestWebhookWithPolarsSignature(t *testing.T) {
	const secret = "whsec_aGVsbG8sIHdvcmxkLCBoZWxsbywgd29ybGQ="
	verifier, err := polar.NewVerifier([]string{secret}, 5*time.Minute, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	store := &shelf{bodies: map[string]string{}}
	h := Webhook(WebhookOptions{
		Store: store, Admit: admit, Accepted: func() {}, Reused: func(grant.Event) {},
		Metrics: NewWebhookMetrics(prometheus.NewRegistry(), polar.EventTypes), Log: slog.New(slog.DiscardHandler),
		Open: func(body []byte, h http.Header) (grant.Event, *Refusal) {
			d, err := verifier.Verify(body, h)
			if err != nil {
				return grant.Event{}, &Refusal{http.StatusUnauthorized, err.Error()}
			}
			typ, at, _ := polar.EventType(body)
			return grant.Event{ID: d.ID, Type: typ, OccurredAt: at, Body: body}, nil
		},
	})
	body := []byte(`{"type":"order.paid","timestamp":"2026-10-01T12:00:00Z","data":{}}`)
	for _, scheme := range []string{"legacy", "standard"} {
		for _, age := range []time.Duration{0, -10 * time.Minute, 10 * time.Minute} {
			headers, err := polar.Sign(secret, scheme, scheme, time.Now().Add(-age), body)
			if err != nil {
				t.Fatal(err)
			}
			for _, sent := range [][]byte{body, bytes.Replace(body, []byte("paid"), []byte("void"), 1)} {
				r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(sent))
				r.Header = headers
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if genuine := age == 0 && bytes.Equal(sent, body); (w.Code == 202) != genuine || !genuine && w.Code != 401 {
					t.Errorf("%s, %v old, %s: %d", scheme, age, sent, w.Code)
				}
			}
		}
	}
	if store.holds() != 2 {
		t.Errorf("%d events kept", store.holds())
	}
}
