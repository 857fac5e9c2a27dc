package tasks

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// notebook is a ledger of one fulfilment.
type notebook struct {
	accounts   // of kinds that deal with them: a test of such a kind has a real ledger
	held       grant.Held
	lookErr    error
	throughErr error
	renew      func(ctx context.Context) error // nil: always
	renewals   []time.Time
	lostLease  bool // when something is to be remembered
	remembered []grant.Properties

	recorded  []grant.Outcome
	recordErr error
	alive     bool // Record's context had not ended
	deadline  time.Duration
	again     *grant.Due
	lost      bool
}

func (n *notebook) Look(_ context.Context, id string, _ time.Duration) (grant.Held, error) {
	return n.held, n.lookErr
}

func (n *notebook) Renew(ctx context.Context, _ grant.Held, _ time.Duration) error {
	n.renewals = append(n.renewals, time.Now())
	if n.renew == nil {
		return nil
	}
	return n.renew(ctx)
}

func (n *notebook) Remember(_ context.Context, _ grant.Held, p grant.Properties) error {
	if n.lostLease {
		return grant.ErrNotFound
	}
	n.remembered = append(n.remembered, p)
	return nil
}

func (n *notebook) Record(ctx context.Context, _ grant.Held, o grant.Outcome) (*grant.Due, bool, error) {
	n.recorded = append(n.recorded, o)
	n.alive = ctx.Err() == nil
	if at, ok := ctx.Deadline(); ok {
		n.deadline = time.Until(at)
	}
	return n.again, n.lost, n.recordErr
}

func (n *notebook) Through(ctx context.Context, _ string, act func(context.Context, grant.Held) grant.Outcome) (*grant.Due, error) {
	if n.throughErr != nil {
		return nil, n.throughErr
	}
	n.recorded = append(n.recorded, act(ctx, n.held))
	return n.again, nil
}

// lamp is a fulfiller whose acts are told by the test.
type lamp struct {
	act   func(ctx context.Context) error // nil: succeeds
	calls []string
}

func (l *lamp) Check(json.RawMessage) error { return nil }

func (l *lamp) Grant(ctx context.Context, _ grant.Fulfilment) (grant.Properties, error) {
	return grant.Properties{"lit": true}, l.did(ctx, "grant")
}

func (l *lamp) Revoke(ctx context.Context, _ grant.Fulfilment) error { return l.did(ctx, "revoke") }

func (l *lamp) Cycle(ctx context.Context, _ grant.Fulfilment, key string) error {
	return l.did(ctx, "cycle "+key)
}

func (l *lamp) did(ctx context.Context, what string) error {
	l.calls = append(l.calls, what)
	if l.act == nil {
		return nil
	}
	return l.act(ctx)
}

// bench is a worker with all that it needs.
type bench struct {
	*Worker
	book   *notebook
	lamp   *lamp
	log    *bytes.Buffer
	reg    *prometheus.Registry
	offers []grant.Due
}

func newBench(desired grant.Desired) *bench {
	b := &bench{book: &notebook{held: held(grant.Pending)}, lamp: &lamp{}, log: new(bytes.Buffer), reg: prometheus.NewRegistry()}
	b.book.held.Since = time.Now()
	b.book.held.Verdict.Desired = desired
	b.book.held.Target.Params = json.RawMessage(`{"room":1}`)
	b.Worker = NewWorker(Options{
		Ledger:  nopLedger{work: b.book},
		Kinds:   map[string]fulfillers.Built{"lamp": {Fulfiller: b.lamp, Concurrency: 1}},
		Metrics: NewMetrics(b.reg, []string{"lamp"}),
		Log:     slog.New(slog.NewJSONHandler(b.log, nil)),
	}, func(d grant.Due) { b.offers = append(b.offers, d) })
	return b
}

// nopLedger has only the worker's part.
type nopLedger struct {
	events
	work
}

func (nopLedger) Due(context.Context, string, int) ([]grant.Due, error) { return nil, nil }

func (b *bench) attempts(t *testing.T) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(b.log.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		if m["msg"] == "attempt" {
			lines = append(lines, m)
		}
	}
	return lines
}
