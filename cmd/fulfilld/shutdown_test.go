package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"fulfilld/config"
	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/internal/alarm"
	"fulfilld/ledger"
	"fulfilld/polar"
)

const testSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// slow is a fulfiller that takes as long as the test wants.
type slow struct {
	begun   atomic.Bool
	release chan struct{}
	deaf    bool // it does not listen to its context
}

func (s *slow) Check(json.RawMessage) error { return nil }

func (s *slow) Grant(ctx context.Context, _ grant.Fulfilment) (grant.Properties, error) {
	s.begun.Store(true)
	if s.deaf {
		ctx = context.WithoutCancel(ctx)
	}
	select {
	case <-s.release:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *slow) Revoke(context.Context, grant.Fulfilment) error { return nil }

// startWith runs a daemon on a ledger that fulfils license keys in its own way.
func startWith(t *testing.T, path string, s *slow, settings ...string) *daemon {
	t.Helper()
	o := &options{environ: append(settings,
		"FULFILLD_LISTEN=127.0.0.1:0",
		"FULFILLD_ADMIN_LISTEN=127.0.0.1:0",
		"FULFILLD_DATABASE_URL=sqlite://"+path,
		"FULFILLD_WEBHOOKS_POLAR_SECRETS="+testSecret,
	)}
	cfg, _, err := o.load(config.Serve, kinds(nil))
	if err != nil {
		t.Fatal(err)
	}
	built := map[string]fulfillers.Built{"license_keys": {Fulfiller: s, Concurrency: 1}}
	d := &daemon{cfg: cfg, log: slog.New(slog.DiscardHandler), metrics: prometheus.NewRegistry(), failed: make(chan error, 2)}
	d.alarms = alarm.NewBoard(alarm.Options{Registerer: d.metrics, Log: d.log})
	if d.ledger, err = ledger.Open(t.Context(), cfg.Database.URL, ledger.Options{Route: router(cfg, built).Route}); err != nil {
		t.Fatal(err)
	}
	if err := d.startQueue(built); err != nil {
		t.Fatal(err)
	}
	if err := d.listen(); err != nil {
		t.Fatal(err)
	}
	return d
}

// sell has the shop grant a license key, and is answered 202.
func (d *daemon) sell(t *testing.T) {
	t.Helper()
	body, err := polar.Template("benefit_grant.created", "license_keys")
	if err == nil {
		body, err = polar.Personalise(body, polar.Personal{Type: "benefit_grant.created", GrantID: someID, At: time.Now()})
	}
	if err != nil {
		t.Fatal(err)
	}
	status, answer, err := send(t.Context(), "http://"+d.publicAddr.String()+"/webhooks/polar", testSecret, "auto", uuid.NewString(), body)
	if err != nil || status != http.StatusAccepted {
		t.Fatalf("%d %s %v", status, answer, err)
	}
}

// state is what the ledger knows of the grant sold.
func (d *daemon) state(t *testing.T) grant.State {
	t.Helper()
	g, err := d.ledger.Grant(t.Context(), someID)
	if err != nil {
		return ""
	}
	return g.State
}

func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not so: " + what)
		}
	}
}

// halfSent is a delivery whose rest does not come.
func (d *daemon) halfSent(t *testing.T) {
	t.Helper()
	conn, err := net.Dial("tcp", d.publicAddr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	fmt.Fprintf(conn, "POST /webhooks/polar HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"+
		"Webhook-Id: x\r\nWebhook-Signature: v1,x\r\nWebhook-Timestamp: %d\r\n\r\n{", time.Now().Unix())
	time.Sleep(300 * time.Millisecond) // until it is read; nobody tells when
}

// Requests, work and what is to be recorded share one budget: a supervisor's
// patience ends.
func TestShutdownTakesNoLongerThanItsBudget(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fulfilld.db")
	s := &slow{release: make(chan struct{}), deaf: true}
	t.Cleanup(func() { close(s.release) })
	d := startWith(t, path, s, "FULFILLD_SHUTDOWN_TIMEOUT=4s")
	d.sell(t)
	waitFor(t, "it is under way", s.begun.Load)
	d.halfSent(t)
	began := time.Now()
	err := d.shutdown()
	if took := time.Since(began); took > 7*time.Second { // two budgets are eight
		t.Errorf("took %v of 4s", took)
	}
	if err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("the request that was cut off is not told of: %v", err)
	}
}

func TestShutdownLetsASlowWorkerFinish(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fulfilld.db")
	s := &slow{release: make(chan struct{})}
	d := startWith(t, path, s)
	d.sell(t)
	waitFor(t, "it is under way", s.begun.Load)
	time.AfterFunc(300*time.Millisecond, func() { close(s.release) })
	if err := d.shutdown(); err != nil {
		t.Error(err)
	}
	d = startWith(t, path, s)
	defer func() { _ = d.shutdown() }()
	if state := d.state(t); state != grant.Granted {
		t.Errorf("the grant is %q", state)
	}
}

func TestWorkThatIsCalledOffIsDoneAfterTheNextStart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fulfilld.db")
	s := &slow{release: make(chan struct{})}
	d := startWith(t, path, s, "FULFILLD_SHUTDOWN_TIMEOUT=3s")
	d.sell(t)
	waitFor(t, "it is under way", s.begun.Load)
	began := time.Now()
	if err := d.shutdown(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5500*time.Millisecond { // two budgets are six
		t.Errorf("took %v of 3s", took)
	}
	close(s.release)
	d = startWith(t, path, s)
	defer func() { _ = d.shutdown() }()
	waitFor(t, "it is granted", func() bool { return d.state(t) == grant.Granted })
}

func TestReadinessIsOffWhileDraining(t *testing.T) {
	t.Parallel()
	s := &slow{release: make(chan struct{})}
	d := startWith(t, filepath.Join(t.TempDir(), "fulfilld.db"), s)
	d.sell(t)
	waitFor(t, "it is under way", s.begun.Load)
	url := "http://" + d.adminAddr.String()
	if status := statusOf(url + "/readyz"); status != http.StatusOK {
		t.Errorf("/readyz before: %d", status)
	}
	ended := make(chan error, 1)
	go func() { ended <- d.shutdown() }()
	waitFor(t, "/readyz says so", func() bool { return statusOf(url+"/readyz") == http.StatusServiceUnavailable })
	if status := statusOf(url + "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz while draining: %d", status)
	}
	close(s.release)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
