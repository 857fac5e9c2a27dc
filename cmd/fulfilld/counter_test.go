package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"fulfilld/config"
	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/handlers"
	"fulfilld/internal/alarm"
	"fulfilld/internal/testserver"
	"fulfilld/ledger"
	"fulfilld/polar"
	"fulfilld/tasks"
)

const payloadSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// counter is the daemon's receiver, ledger, relay and worker, without a queue:
// nothing happens before the test says so.
type counter struct {
	t        *testing.T
	kinds    []string
	ledger   *ledger.Ledger
	receiver http.Handler
	relay    *tasks.Relay
	worker   *tasks.Worker
}

// onEachLedger runs a test on both engines.
func onEachLedger(t *testing.T, test func(t *testing.T, c *counter), settings ...string) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, newCounter(t, "sqlite://"+filepath.Join(t.TempDir(), "fulfilld.db"), settings...))
	})
	t.Run("Postgres", func(t *testing.T) {
		t.Parallel()
		test(t, newCounter(t, testserver.Postgres(t), settings...))
	})
}

func newCounter(t *testing.T, url string, settings ...string) *counter {
	t.Helper()
	o := &options{environ: append(settings, "FULFILLD_DATABASE_URL="+url, "FULFILLD_WEBHOOKS_POLAR_SECRETS="+payloadSecret)}
	cfg, _, err := o.load(config.Serve, kinds(nil))
	if err != nil {
		t.Fatal(err)
	}
	var route fulfillers.Router
	l, err := ledger.Open(t.Context(), url, ledger.Options{Fast: true, Route: func(b grant.Benefit) grant.Route { return route.Route(b) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	built := buildKinds(cfg, kinds(l))
	route = router(cfg, built)
	log, metrics := slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	alarms := alarm.NewBoard(alarm.Options{Registerer: metrics, Log: log})
	t.Cleanup(alarms.Close)
	work := tasks.Options{Ledger: l, Decode: polar.Decode, Kinds: built, Metrics: tasks.NewMetrics(metrics, slices.Sorted(maps.Keys(built))), Alarms: alarms, Log: log}
	c := &counter{t: t, kinds: slices.Sorted(maps.Keys(built)), ledger: l, relay: tasks.NewRelay(work, func([]grant.Due) {}), worker: tasks.NewWorker(work, func(grant.Due) {})}
	d := &daemon{cfg: cfg, log: log, metrics: metrics, alarms: alarms, health: &handlers.Health{}, ledger: l, route: route, queue: &tasks.Queue{Relay: c.relay}}
	if c.receiver, err = d.publicHandler(); err != nil {
		t.Fatal(err)
	}
	return c
}

// send delivers a signed body, which must be accepted, and returns its webhook-id.
func (c *counter) send(body []byte) (id string) {
	c.t.Helper()
	id = uuid.NewString()
	r := httptest.NewRequestWithContext(c.t.Context(), http.MethodPost, "/webhooks/polar", bytes.NewReader(body))
	signed, err := polar.Sign(payloadSecret, "auto", id, time.Now(), body)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header = signed
	w := httptest.NewRecorder()
	c.receiver.ServeHTTP(w, r)
	if w.Code != http.StatusAccepted {
		answer, _ := io.ReadAll(w.Result().Body)
		c.t.Fatalf("%.80s: answered %d %s", body, w.Code, answer)
	}
	return id
}

// apply has the relay apply all that was accepted.
func (c *counter) apply() {
	c.t.Helper()
	for n := 1; n > 0; {
		var err error
		if n, err = c.relay.Step(c.t.Context(), 0); err != nil {
			c.t.Fatal(err)
		}
	}
}

// work has the worker see to all that is due.
func (c *counter) work() {
	c.t.Helper()
	for range 10 {
		var due []grant.Due
		for _, kind := range c.kinds {
			some, err := c.ledger.Due(c.t.Context(), kind, 100)
			if err != nil {
				c.t.Fatal(err)
			}
			due = append(due, some...)
		}
		if len(due) == 0 {
			return
		}
		for _, d := range due {
			if err := c.worker.Work(c.t.Context(), d.ID); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	c.t.Fatal("there is always something due")
}

// ended checks that an event was applied, or ignored for a reason.
func (c *counter) ended(name, id string, want grant.EventState) {
	c.t.Helper()
	ev, err := c.ledger.Event(c.t.Context(), id)
	if err != nil {
		c.t.Fatal(err)
	}
	if ev.State != want || (ev.Error != "") != (want == grant.EventIgnored) {
		c.t.Errorf("%s: %s because %q, want %s", name, ev.State, ev.Error, want)
	}
}

// sent delivers a body and has it applied.
func (c *counter) sent(body []byte) (id string) {
	c.t.Helper()
	id = c.send(body)
	c.apply()
	return id
}

// key is how the example's key stands: none, active or inactive.
func (c *counter) key() (state, text string) {
	c.t.Helper()
	k, err := c.ledger.LicenseKeyOf(c.t.Context(), grant.FulfilmentID(exampleGrant, "license_keys"))
	switch {
	case errors.Is(err, grant.ErrNotFound):
		return "none", ""
	case err != nil:
		c.t.Fatal(err)
	case k.Active:
		return "active", k.Key
	}
	return "inactive", k.Key
}

// because is why the example's key is owed or not.
func (c *counter) because() string {
	c.t.Helper()
	v, err := c.ledger.Grant(c.t.Context(), exampleGrant)
	if err != nil || len(v.Fulfilments) != 1 {
		c.t.Fatal(v, err)
	}
	return v.Fulfilments[0].Because
}
