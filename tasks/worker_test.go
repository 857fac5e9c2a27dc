package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

func TestWorkerGrantsAndRecords(t *testing.T) {
	b := newBench(grant.OwedGranted)
	b.book.held.EventAt = time.Now().Add(-time.Second)
	if err := b.Work(t.Context(), "g1.lamp"); err != nil {
		t.Fatal(err)
	}
	o := b.book.recorded[0]
	if o.State != grant.Granted || o.Properties["lit"] != true || string(o.Applied) != `{"room":1}` || !o.Done || o.Took <= 0 {
		t.Errorf("recorded %+v", o)
	}
	if b.book.deadline <= 0 || b.book.deadline > recordTime {
		t.Errorf("Record may take %v", b.book.deadline)
	}
	if n := series(t, b.reg)["fulfilld_event_to_effect_seconds/grant/lamp"]; n != 1 {
		t.Errorf("measured %v times", n)
	}
	if line := b.attempts(t); len(line) != 1 || line[0]["since_event"].(float64) < 1e9 {
		t.Errorf("logged %v", line)
	}
}

func TestWorkerRevokes(t *testing.T) {
	b := newBench(grant.OwedRevoked)
	if err := b.Work(t.Context(), "g1.lamp"); err != nil {
		t.Fatal(err)
	}
	if o := b.book.recorded[0]; o.State != grant.Revoked || o.Properties != nil || o.Applied != nil {
		t.Errorf("recorded %+v", o)
	}
}

func TestWorkerCyclesInOrder(t *testing.T) {
	b := newBench(grant.OwedGranted)
	b.book.held.State, b.book.held.Seen, b.book.held.Cycles = grant.Granted, true, []string{"09", "10"}
	b.book.again = &grant.Due{ID: "g1.lamp"}
	if err := b.Work(t.Context(), "g1.lamp"); err != nil {
		t.Fatal(err)
	}
	if len(b.lamp.calls) != 1 || b.lamp.calls[0] != "cycle 09" || b.book.recorded[0].CycleDone != "09" {
		t.Errorf("%v, recorded %+v", b.lamp.calls, b.book.recorded)
	}
	if len(b.offers) != 1 {
		t.Error("the next renewal is not offered")
	}
}

func TestWorkerWithNothingToDo(t *testing.T) {
	b := newBench(grant.OwedNone)
	if err := b.Work(t.Context(), "g1.lamp"); err != nil {
		t.Fatal(err)
	}
	if len(b.lamp.calls) != 0 || b.log.Len() != 0 || len(b.book.recorded) != 1 {
		t.Errorf("%v, %q, %+v", b.lamp.calls, b.log, b.book.recorded)
	}
	b.book.lookErr = grant.ErrNotFound
	if err := b.Work(t.Context(), "g1.lamp"); err != nil || len(b.book.recorded) != 1 {
		t.Errorf("what is not due: %v, %+v", err, b.book.recorded)
	}
}

func TestWorkerTellsTheQueueOfTheLedgersTrouble(t *testing.T) {
	disk := errors.New("disk full")
	b := newBench(grant.OwedGranted)
	b.book.recordErr = disk
	if err := b.Work(t.Context(), "g1.lamp"); !errors.Is(err, disk) || errors.Is(err, asynq.SkipRetry) || !strings.Contains(b.log.String(), "not recorded") {
		t.Errorf("%v, logged %q", err, b.log)
	}
	b.log.Reset()
	b.book.lookErr = disk
	if err := b.Work(t.Context(), "g1.lamp"); !errors.Is(err, disk) || errors.Is(err, asynq.SkipRetry) || !strings.Contains(b.log.String(), "disk full") {
		t.Errorf("%v, logged %q", err, b.log)
	}
	if len(b.lamp.calls) != 1 {
		t.Errorf("acted without a lease: %v", b.lamp.calls)
	}
}

func TestWorkerWithRefusedParameters(t *testing.T) {
	b := newBench(grant.OwedGranted)
	b.book.held.Target.Problem = "room: no such room"
	if err := b.Work(t.Context(), "g1.lamp"); !errors.Is(err, asynq.SkipRetry) {
		t.Errorf("the queue is told %v", err)
	}
	b.book.held.Verdict.Desired = grant.OwedRevoked // what was granted before they were refused
	if err := b.Work(t.Context(), "g1.lamp"); err != nil {
		t.Error(err)
	}
	if len(b.lamp.calls) != 1 || b.lamp.calls[0] != "revoke" || b.book.recorded[0].State != grant.Failed || b.book.recorded[0].Code != "bad_spec" {
		t.Errorf("%v, recorded %+v", b.lamp.calls, b.book.recorded)
	}
}

func TestWorkerWithoutAFulfiller(t *testing.T) {
	for desired, want := range map[grant.Desired]grant.State{grant.OwedGranted: grant.Failed, grant.OwedRevoked: grant.Revoking} {
		b := newBench(desired)
		b.book.held.Kind = "sauna"
		err := b.Work(t.Context(), "g1.sauna")
		if err == nil || errors.Is(err, asynq.SkipRetry) != (want == grant.Failed) || b.book.recorded[0].State != want {
			t.Errorf("%s: %v, recorded %+v", desired, err, b.book.recorded)
		}
	}
}

func TestPanicIsTransient(t *testing.T) {
	for _, desired := range []grant.Desired{grant.OwedGranted, grant.OwedRevoked} {
		b := newBench(desired)
		b.lamp.act = func(context.Context) error { panic("bulb") }
		err := b.Work(t.Context(), "g1.lamp")
		o := b.book.recorded[0]
		if err == nil || o.Class != "transient" || o.Code != "panic" || o.Attempts != 3 || o.DueAt.IsZero() {
			t.Errorf("%v, recorded %+v", err, o)
		}
		if !strings.Contains(b.log.String(), "worker_test.go") {
			t.Error("nothing says where it was")
		}
	}
}

func TestOneLineForEachAttempt(t *testing.T) {
	b := newBench(grant.OwedGranted)
	h := &b.book.held
	h.Customer = grant.Customer{ID: "cus_1", Email: "ada@example.com", Name: "Ada Lovelace", Body: json.RawMessage(`{"email":"ada@example.com"}`)}
	h.Properties = grant.Properties{"key": "POLAR-KEY-1"}
	h.Grant = grant.Grant{ID: "g1", Properties: json.RawMessage(`{"license_key":"POLAR-KEY-1"}`)}
	h.Target.Params, h.Token = json.RawMessage(`{"token":"hunter2"}`), "lease-token"
	b.lamp.act = func(context.Context) error { return fulfillers.Transient("bad_gateway", errAway) }
	if err := b.Work(t.Context(), "g1.lamp"); err == nil {
		t.Fatal("no error")
	}
	lines := b.attempts(t)
	if len(lines) != 1 || strings.Count(b.log.String(), "\n") != 1 {
		t.Fatalf("logged %s", b.log)
	}
	for name, want := range map[string]any{
		"level": "WARN", "grant": "g1", "kind": "lamp", "action": "grant", "attempt": 3., "class": "transient", "state": "pending",
		"code": "bad_gateway", "err": "502 Bad Gateway",
	} {
		if lines[0][name] != want {
			t.Errorf("%s is %v, want %v", name, lines[0][name], want)
		}
	}
	for _, secret := range []string{"ada", "Ada", "POLAR-KEY", "hunter2", "lease-token"} {
		if strings.Contains(b.log.String(), secret) {
			t.Errorf("the line holds %q: %s", secret, b.log)
		}
	}
}

func TestMetricsAreAClosedSet(t *testing.T) {
	b := newBench(grant.OwedGranted)
	before := len(series(t, b.reg))
	for _, err := range []error{
		nil, errAway, fulfillers.Permanent("x", "x"), fulfillers.ActionRequired("x", "x"), fulfillers.Throttled("l", 0, errAway),
		&fulfillers.Error{Class: "odd"}, &fulfillers.Error{},
	} {
		b.lamp.act = func(context.Context) error { return err }
		_ = b.Work(t.Context(), "g1.lamp")
	}
	if got := len(series(t, b.reg)); got != before {
		t.Errorf("%d series, %d at the start", got, before)
	}
}

func TestLeaseIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(grant.OwedGranted)
		began := time.Now()
		b.lamp.act = func(context.Context) error { time.Sleep(28 * time.Second); return nil }
		if err := b.Work(t.Context(), "g1.lamp"); err != nil {
			t.Fatal(err)
		}
		if len(b.book.renewals) != 5 || b.book.renewals[0].Sub(began) != renewEvery {
			t.Errorf("renewed at %v", b.book.renewals)
		}
		if b.book.recorded[0].Took != 28*time.Second {
			t.Errorf("took %v", b.book.recorded[0].Took)
		}
	})
}

// untilCalledOff returns when its context ends.
func untilCalledOff(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestLostLeaseCallsTheWorkOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(grant.OwedGranted)
		began := time.Now()
		b.book.renew = func(context.Context) error { return grant.ErrNotFound }
		b.book.lost = true
		b.lamp.act = untilCalledOff
		err := b.Work(t.Context(), "g1.lamp")
		if took := time.Since(began); took != renewEvery || err == nil {
			t.Errorf("called off after %v: %v", took, err)
		}
		if n := series(t, b.reg)["fulfilld_leases_lost_total/lamp"]; n != 1 {
			t.Errorf("%v leases lost", n)
		}
		if line := b.attempts(t); len(line) != 1 || line[0]["lease_lost"] != true {
			t.Errorf("logged %v", line)
		}
	})
}

// A hiccup of the ledger is no reason to drop a provider call half-way, but
// before the lease can be another's the call is over.
func TestWhatAFulfillerRemembersIsStoredAtOnce(t *testing.T) {
	for _, lost := range []bool{false, true} {
		b := newBench(grant.OwedGranted)
		b.book.lostLease = lost
		b.lamp.act = func(ctx context.Context) error {
			err := fulfillers.Remember(ctx, grant.Properties{"lit": "soon"})
			if lost != (err != nil) || !lost && len(b.book.remembered) != 1 {
				t.Errorf("lease lost %v: %v, remembered %v", lost, err, b.book.remembered)
			}
			return err
		}
		err := b.Work(t.Context(), "g1.lamp")
		if o := b.book.recorded[0]; lost != (err != nil) || lost && (o.Class != "throttled" || o.Attempts != b.book.held.Attempts) {
			t.Errorf("lease lost %v: %v, recorded %+v", lost, err, o)
		}
	}
}

func TestLedgerThatDoesNotRenew(t *testing.T) {
	away := errors.New("database is locked")
	for name, renew := range map[string]func(ctx context.Context) error{
		"Refuses": func(context.Context) error { return away },
		"Hangs":   untilCalledOff,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(grant.OwedGranted)
				began := time.Now()
				b.book.renew, b.lamp.act = renew, untilCalledOff
				_ = b.Work(t.Context(), "g1.lamp")
				if took := time.Since(began); took <= renewEvery || took >= lease-time.Second {
					t.Errorf("called off after %v; the lease ends after %v", took, lease)
				}
			})
		})
	}
	t.Run("Recovers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(grant.OwedGranted)
			b.book.renew = func(context.Context) error {
				if len(b.book.renewals)%3 == 0 {
					return nil
				}
				return away
			}
			b.lamp.act = func(ctx context.Context) error {
				select {
				case <-ctx.Done():
				case <-time.After(time.Minute):
				}
				return ctx.Err()
			}
			if err := b.Work(t.Context(), "g1.lamp"); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestWorkThatTakesTooLongIsCalledOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(grant.OwedRevoked)
		began := time.Now()
		b.lamp.act = untilCalledOff
		if err := b.Work(t.Context(), "g1.lamp"); err == nil {
			t.Error("no error")
		}
		if took, o := time.Since(began), b.book.recorded[0]; took != actWithin || o.Attempts != 3 || o.Code == "interrupted" {
			t.Errorf("after %v: %+v", took, o)
		}
	})
}

func TestRecordOutlivesCancellation(t *testing.T) {
	for name, act := range map[string]func(context.Context) error{
		"Done":        nil,
		"Interrupted": func(context.Context) error { return context.Canceled },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(grant.OwedGranted)
			ctx, cancel := context.WithCancel(t.Context())
			b.lamp.act = func(context.Context) error {
				cancel()
				if act != nil {
					return act(ctx)
				}
				return nil
			}
			_ = b.Work(ctx, "g1.lamp")
			o := b.book.recorded[0]
			if !b.book.alive || b.book.deadline <= 0 || b.book.deadline > recordTime {
				t.Errorf("recorded with a context that ends in %v", b.book.deadline)
			}
			if act == nil && (!o.Done || o.State != grant.Granted) || act != nil && (o.Attempts != 2 || o.Code != "interrupted") {
				t.Errorf("recorded %+v", o)
			}
		})
	}
}

func TestDecoderThatPanicsFailsOneEvent(t *testing.T) {
	r := &Relay{log: slog.New(slog.NewTextHandler(io.Discard, nil)), decode: func(ev grant.Event) (grant.News, error) {
		if ev.ID == "bad" {
			panic("index out of range")
		}
		return grant.News{Ignored: "fine"}, nil
	}}
	got := r.read([]grant.Event{{ID: "a"}, {ID: "bad"}, {ID: "b"}})
	if got[0].Err != nil || got[1].Err == nil || got[2].Err != nil || got[2].News.Ignored != "fine" {
		t.Errorf("%+v", got)
	}
}

// series reads every series: a counter's or gauge's value, a histogram's count.
func series(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += "/" + l.GetValue()
			}
			all[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

func registryOf(c prometheus.Collector) *prometheus.Registry {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
	return r
}
