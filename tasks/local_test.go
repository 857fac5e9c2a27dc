package tasks

import (
	"context"
	"errors"
	"testing"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// newLocalBench is a bench whose lamp is lit within the ledger.
func newLocalBench(desired grant.Desired) *bench {
	b := newBench(desired)
	b.Worker.kinds["lamp"] = fulfillers.Built{Fulfiller: b.lamp, Concurrency: 1, Local: true}
	b.book.lookErr = errors.New("it was looked at") // the longer way
	return b
}

func TestLocalKindIsSeenThroughInOneCommit(t *testing.T) {
	b := newLocalBench(grant.OwedGranted)
	b.book.again = &grant.Due{ID: "g1.lamp"}
	if err := b.Work(t.Context(), "g1.lamp"); err != nil {
		t.Fatal(err)
	}
	if len(b.book.recorded) != 1 || len(b.lamp.calls) != 1 || len(b.attempts(t)) != 1 || len(b.offers) != 1 {
		t.Fatalf("recorded %v, called %v, offered %v, told %v", b.book.recorded, b.lamp.calls, b.offers, b.attempts(t))
	}
	if o := b.book.recorded[0]; o.State != grant.Granted || !o.Done || o.Properties["lit"] != true || string(o.Applied) != `{"room":1}` {
		t.Errorf("recorded %+v", o)
	}
}

func TestLocalKindThatFailsIsRecorded(t *testing.T) {
	b := newLocalBench(grant.OwedRevoked)
	b.lamp.act = func(context.Context) error { return fulfillers.Transient("dark", errors.New("no light")) }
	var l *later
	if err := b.Work(t.Context(), "g1.lamp"); !errors.As(err, &l) {
		t.Errorf("the queue hears %v", err)
	}
	if o := b.book.recorded; len(o) != 1 || o[0].Code != "dark" || o[0].State != grant.Revoking || !o[0].DueAt.After(time.Now()) {
		t.Errorf("recorded %+v", o)
	}
}

func TestLocalKindWithNothingToDo(t *testing.T) {
	b := newLocalBench(grant.OwedGranted)
	b.book.throughErr = grant.ErrNotFound
	if err := b.Work(t.Context(), "g1.lamp"); err != nil || len(b.lamp.calls) > 0 {
		t.Error(err, b.lamp.calls)
	}
}

func TestLocalKindGoesTheLongerWayWhenTheCommitFails(t *testing.T) {
	b := newLocalBench(grant.OwedGranted)
	b.book.throughErr, b.book.lookErr = errors.New("constraint"), nil
	if err := b.Work(t.Context(), "g1.lamp"); err != nil {
		t.Fatal(err)
	}
	if len(b.book.recorded) != 1 || len(b.book.renewals) > 0 || b.book.recorded[0].State != grant.Granted {
		t.Errorf("recorded %+v", b.book.recorded)
	}
	b.book.recorded = nil
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := b.Work(ctx, "g1.lamp"); err == nil || len(b.book.recorded) > 0 {
		t.Errorf("while stopping: %v, recorded %v", err, b.book.recorded)
	}
}
