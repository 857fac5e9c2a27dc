package tasks

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"fulfilld/grant"
	"fulfilld/internal/outbound"
	"fulfilld/internal/secret"
	"fulfilld/internal/testserver"
	"fulfilld/ledger"
)

const mailerSecret = "whsec_bWFpbGVyLXNlY3JldC0wMTIzNDU2Nzg5YWJjZGVmZ2g="

// mailbox is an endpoint's server. Each answer of its list is given once, then it
// takes everything.
type mailbox struct {
	*httptest.Server
	t *testing.T

	mu      sync.Mutex
	answers []http.HandlerFunc
	tries   []string // ids, each time
	taken   []string // subjects, with 2xx
	seqs    []int64
}

func newMailbox(t *testing.T, answers ...http.HandlerFunc) *mailbox {
	m := &mailbox{t: t, answers: answers}
	m.Server = httptest.NewServer(m)
	t.Cleanup(m.Close)
	return m
}

func (m *mailbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	hook, err := standardwebhooks.NewWebhook(mailerSecret)
	if err == nil {
		err = hook.Verify(body, r.Header)
	}
	var e struct {
		Sequence  int64
		Timestamp time.Time
		Data      struct{ ID string }
	}
	if err != nil || json.Unmarshal(body, &e) != nil || e.Timestamp.IsZero() {
		m.t.Errorf("%v: %s", err, body)
	}
	m.mu.Lock()
	m.tries = append(m.tries, r.Header.Get("webhook-id"))
	var answer http.HandlerFunc
	if len(m.answers) > 0 {
		answer, m.answers = m.answers[0], m.answers[1:]
	} else {
		m.taken, m.seqs = append(m.taken, e.Data.ID), append(m.seqs, e.Sequence)
	}
	m.mu.Unlock()
	if answer != nil {
		answer(w, r)
	}
}

func (m *mailbox) got() (tries, taken int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.tries), len(m.taken)
}

func answer(status int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
	}
}

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// post is a deliverer over a real ledger; each benefit that it hears of is to be
// told.
type post struct {
	*testing.T
	ledger *ledger.Ledger
	opts   DeliverOptions
	alarms *board
	log    *lines
	reg    *prometheus.Registry
	n      int
}

func newPost(t *testing.T, url string, to map[string]string) *post {
	t.Helper()
	var names []string
	p := &post{T: t, alarms: &board{now: map[string]string{}, ever: map[string]string{}}, log: &lines{}}
	for name, address := range to {
		names = append(names, name)
		p.opts.Endpoints = append(p.opts.Endpoints, Endpoint{Name: name, URL: address, Secrets: []secret.Text{secret.New(mailerSecret)},
			Client: outbound.New(outbound.Options{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})})
	}
	p.ledger = p.open(url, names)
	p.opts.Outbox, p.opts.Alarms, p.opts.Log = p.ledger, p.alarms, slog.New(slog.NewTextHandler(p.log, nil))
	p.reg = prometheus.NewRegistry()
	p.opts.Metrics = NewDeliverMetrics(p.reg, names)
	return p
}

func (p *post) open(url string, names []string) *ledger.Ledger {
	p.Helper()
	l, err := ledger.Open(p.Context(), url, ledger.Options{Fast: true, Listeners: map[string][]string{grant.TellsBenefitCreated: names}})
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _ = l.Close() })
	return l
}

func file(t *testing.T) string { return "sqlite://" + filepath.Join(t.TempDir(), "ledger.db") }

// start runs a deliverer until the test ends.
func (p *post) start(set ...func(*Deliverer)) *Deliverer {
	d := NewDeliverer(p.opts)
	d.sweep = 20 * time.Millisecond
	for _, f := range set {
		f(d)
	}
	d.Start()
	p.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		d.Shutdown(ctx)
	})
	return d
}

// hear lets the ledger hear of so many benefits.
func (p *post) hear(n int) {
	p.Helper()
	var all []grant.Decoded
	for range n {
		p.n++
		ev := grant.Event{Source: "test", ID: fmt.Sprint("e", p.n), ReceivedAt: time.Now(), OccurredAt: noon, Body: []byte("{}")}
		if _, err := p.ledger.Accept(p.Context(), ev); err != nil {
			p.Fatal(err)
		}
		all = append(all, grant.Decoded{News: grant.News{Benefits: []grant.Benefit{{ID: fmt.Sprintf("b%04d", p.n), Type: "lamp", Version: grant.Version{At: noon}}}}})
	}
	events, err := p.ledger.Unapplied(p.Context(), time.Hour, n)
	if err != nil || len(events) != n {
		p.Fatal(len(events), err)
	}
	for i := range all {
		all[i].Event = events[i]
	}
	if _, err := p.ledger.Apply(p.Context(), all); err != nil {
		p.Fatal(err)
	}
}

func (p *post) await(what string, so func() bool) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-ctx.Done():
			p.Fatalf("not so within %v: %s; log:\n%s", patience, what, p.log.tail())
		case <-tick.C:
		}
	}
}

// now makes everything due that waits for another try.
func (p *post) now() {
	p.Helper()
	if _, err := p.ledger.Redeliver(p.Context(), ""); err != nil {
		p.Fatal(err)
	}
}

func (p *post) counted(endpoint, outcome string) float64 {
	p.Helper()
	families, err := p.reg.Gather()
	if err != nil {
		p.Fatal(err)
	}
	for _, m := range families[0].Metric {
		if m.Label[0].GetValue() == endpoint && m.Label[1].GetValue() == outcome {
			return m.Counter.GetValue()
		}
	}
	p.Fatalf("no series of %s %s", endpoint, outcome)
	return 0
}

func TestEverythingIsDeliveredOnceAndNumbered(t *testing.T) {
	t.Parallel()
	m := newMailbox(t)
	p := newPost(t, file(t), map[string]string{"mailer": m.URL})
	p.hear(50)
	p.start()
	p.await("50 are taken", func() bool { _, taken := m.got(); return taken == 50 })
	p.await("all are recorded", func() bool { return p.counted("mailer", sentDelivered) == 50 })
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := map[string]bool{}
	for i, id := range m.taken {
		seen[id] = true
		if want := fmt.Sprintf("b%04d", m.seqs[i]); id != want { // in the order in which they came to be
			t.Errorf("%s has the number %d", id, m.seqs[i])
		}
	}
	if len(seen) != 50 || len(m.tries) != 50 {
		t.Errorf("%d in %d tries", len(seen), len(m.tries))
	}
}

func TestAnEndpointThatHangsHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	stuck, other := newMailbox(t), newMailbox(t)
	for range 100 {
		stuck.answers = append(stuck.answers, hang)
	}
	p := newPost(t, file(t), map[string]string{"stuck": stuck.URL, "other": other.URL})
	p.hear(20)
	d := p.start()
	p.await("the other has all", func() bool { _, taken := other.got(); return taken == 20 })
	p.await("only so many hang", func() bool { tries, _ := stuck.got(); return tries == deliverAtOnce })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	d.Shutdown(ctx) // they are called off, and go back
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("shutdown took %v", took)
	}
	d.wg.Wait()
	if waiting, failed, err := p.ledger.Undelivered(t.Context()); waiting["stuck"] != 20 || failed != 0 || err != nil {
		t.Error(waiting, failed, err)
	}
	p.start()
	p.await("they are tried again", func() bool { tries, _ := stuck.got(); return tries > deliverAtOnce })
}

func TestWhatFailsIsSentAgainUnderItsID(t *testing.T) {
	t.Parallel()
	half := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "half")
	}
	away := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	redirect := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
	}
	m := newMailbox(t, answer(500), answer(404), half, away, redirect)
	p := newPost(t, file(t), map[string]string{"mailer": m.URL + "/secret-path"})
	p.hear(1)
	p.start()
	for n := 1; n <= 5; n++ {
		p.await("it is tried", func() bool { return p.counted("mailer", sentFailed) == float64(n) })
		all, _, err := p.ledger.Deliveries(t.Context(), grant.DeliveryFilter{}, grant.Page{Number: 1, Limit: 1})
		if err != nil || all[0].Error == "" || strings.Contains(all[0].Error, "secret-path") {
			t.Error(all, err)
		}
		p.now()
	}
	p.await("it is taken", func() bool { return p.counted("mailer", sentDelivered) == 1 })
	for _, id := range m.tries {
		if id != m.tries[0] {
			t.Errorf("ids %v", m.tries)
		}
	}
	if strings.Contains(p.log.String(), "secret-path") {
		t.Error("the log shows the address")
	}
}

func TestWhateverIsNoYesMayNameAWait(t *testing.T) {
	t.Parallel()
	m := newMailbox(t, answer(500, "Retry-After", "7200"), answer(301, "Retry-After", "7200"), answer(404, "Retry-After", "99999999"))
	p := newPost(t, file(t), map[string]string{"mailer": m.URL})
	p.hear(3)
	d := p.start()
	p.await("all have failed", func() bool { return p.counted("mailer", sentFailed) == 3 })
	all, _, err := p.ledger.Deliveries(t.Context(), grant.DeliveryFilter{}, grant.Page{Number: 1, Limit: 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		if wait := time.Until(one.DueAt); wait < 119*time.Minute || wait > longestWait {
			t.Errorf("%s: it is tried again in %v", one.Error, wait)
		}
	}
	if d.lanes[0].rests() {
		t.Error("the endpoint is left alone")
	}
	p.hear(1)
	d.Wake()
	p.await("another is taken", func() bool { return p.counted("mailer", sentDelivered) == 1 })
}

func TestWordOfSomethingNewDoesNotPutOffARetry(t *testing.T) {
	t.Parallel()
	m := newMailbox(t, answer(500))
	p := newPost(t, file(t), map[string]string{"mailer": m.URL})
	p.hear(1)
	d := p.start(func(d *Deliverer) { d.sweep = time.Hour })
	p.await("it has failed", func() bool { return p.counted("mailer", sentFailed) == 1 })
	d.Wake()
	p.await("it is tried again in time", func() bool { return p.counted("mailer", sentDelivered) == 1 })
}

func TestAYesWhileStoppingIsAYes(t *testing.T) {
	t.Parallel()
	streams := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "yes")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	m := newMailbox(t, streams)
	p := newPost(t, file(t), map[string]string{"mailer": m.URL})
	p.hear(1)
	d := p.start()
	p.await("it is under way", func() bool { tries, _ := m.got(); return tries == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	d.Shutdown(ctx)
	d.wg.Wait()
	if waiting, _, err := p.ledger.Undelivered(t.Context()); waiting["mailer"] != 0 || err != nil {
		t.Errorf("%v wait, %v", waiting, err)
	}
}

// forgetful loses what it should record, as a process that is killed does.
type forgetful struct {
	*ledger.Ledger
	lose sync.Once
}

func (f *forgetful) Delivered(ctx context.Context, d grant.Delivery) (err error) {
	lost := false
	f.lose.Do(func() { lost = true })
	if lost {
		return errAway
	}
	return f.Ledger.Delivered(ctx, d)
}

func TestALossBetweenSendAndRecordSendsAgain(t *testing.T) {
	t.Parallel()
	m := newMailbox(t)
	p := newPost(t, file(t), map[string]string{"mailer": m.URL})
	p.opts.Outbox = &forgetful{Ledger: p.ledger}
	p.opts.Outbox = shortLease{p.opts.Outbox}
	p.hear(1)
	p.start()
	p.await("it is recorded", func() bool {
		waiting, _, err := p.ledger.Undelivered(t.Context())
		return err == nil && waiting["mailer"] == 0
	})
	if len(m.tries) < 2 || slices.ContainsFunc(m.tries, func(id string) bool { return id != m.tries[0] }) {
		t.Errorf("sent as %v", m.tries)
	}
}

// shortLease is over at once.
type shortLease struct{ outbox }

func (s shortLease) Claim(ctx context.Context, endpoint string, limit int, _ time.Duration) ([]grant.Delivery, error) {
	return s.outbox.Claim(ctx, endpoint, limit, 200*time.Millisecond)
}

func TestAnEndpointThatAsksForARestHasIt(t *testing.T) {
	t.Parallel()
	m := newMailbox(t, answer(http.StatusTooManyRequests, "Retry-After", "3600"))
	p := newPost(t, file(t), map[string]string{"mailer": m.URL})
	p.hear(1)
	d := p.start()
	p.await("it is asked to wait", func() bool { return p.counted("mailer", sentThrottled) == 1 })
	p.hear(5)
	d.Wake()
	p.await("it rests", func() bool { return d.lanes[0].rests() })
	if tries, _ := m.got(); tries != 1 {
		t.Errorf("called %d times", tries)
	}
	p.now()
	d.Resume()
	p.await("all are taken", func() bool { _, taken := m.got(); return taken == 6 })
}

func TestAnEndpointThatIsGoneIsSwitchedOffUntilAPersonSaysSo(t *testing.T) {
	t.Parallel()
	gone := answer(http.StatusGone)
	m := newMailbox(t, gone, gone, gone, gone)
	p := newPost(t, file(t), map[string]string{"mailer": m.URL})
	p.hear(10)
	d := p.start()
	p.await("the alarm stands", func() bool { return p.alarms.stands("endpoint_gone") })
	p.await("what was under way is back", func() bool { return p.counted("mailer", sentGone) == deliverAtOnce })
	p.hear(1)
	d.Wake()
	if waiting, failed, err := p.ledger.Undelivered(t.Context()); waiting["mailer"] != 11 || failed != 0 || err != nil {
		t.Error(waiting, failed, err)
	}
	d.Resume()
	p.await("all are taken", func() bool { _, taken := m.got(); return taken == 11 })
	if p.alarms.stands("endpoint_gone") {
		t.Error("the alarm stands still")
	}
}

func TestWhatFailsForTooLongIsGivenUpAndKept(t *testing.T) {
	t.Parallel()
	m := newMailbox(t, answer(500), answer(500))
	p := newPost(t, file(t), map[string]string{"mailer": m.URL})
	p.hear(1)
	p.start(func(d *Deliverer) { d.patience = 0 })
	p.await("it is given up", func() bool { return p.counted("mailer", sentGivenUp) == 1 })
	if _, failed, err := p.ledger.Undelivered(t.Context()); failed != 1 || err != nil {
		t.Error(failed, err)
	}
	p.now()
	p.await("it is taken", func() bool { return p.counted("mailer", sentDelivered) == 1 })
}

func TestDaemonsOnOneLedgerDeliverEachOnce(t *testing.T) {
	t.Parallel()
	m := newMailbox(t)
	url := testserver.Postgres(t)
	p := newPost(t, url, map[string]string{"mailer": m.URL})
	p.hear(100)
	p.start()
	other := *p
	other.opts.Outbox = p.open(url, []string{"mailer"})
	other.start()
	p.await("all are taken", func() bool { _, taken := m.got(); return taken >= 100 })
	p.await("all are recorded", func() bool { return p.counted("mailer", sentDelivered) == 100 })
	if tries, _ := m.got(); tries != 100 {
		t.Errorf("%d tries", tries)
	}
}
