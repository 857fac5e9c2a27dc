package tasks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

const (
	lease       = 15 * time.Second
	renewEvery  = 5 * time.Second
	renewAgain  = time.Second     // after a ledger that did not answer
	leaseMargin = 4 * time.Second // before its lease ends, work is called off
	actWithin   = 2 * time.Minute // a fulfiller that takes longer is told to stop
	recordTime  = 5 * time.Second // what happened is remembered even while stopping
)

// Worker sees one fulfilment through: look, decide, act, record.
type Worker struct {
	ledger   work
	kinds    map[string]fulfillers.Built
	metrics  *Metrics
	settle   time.Duration
	removals grant.Limit
	log      *slog.Logger
	again    func(grant.Due) // something changed meanwhile: it is due at once
}

// Work brings the world to what is owed for one fulfilment. It returns nil when
// there is nothing more to do now, and else an error that carries the delay.
func (w *Worker) Work(ctx context.Context, id string) error {
	if w.kinds[grant.KindOf(id)].Local {
		if done, err := w.through(ctx, id); done || ctx.Err() != nil {
			return err
		}
	}
	f, err := w.ledger.Look(ctx, id, lease)
	if errors.Is(err, grant.ErrNotFound) {
		return nil
	}
	if err != nil {
		w.log.Warn("ledger does not tell what is owed; the queue tries again", slog.String("fulfilment", id), slog.Any("err", err))
		return fmt.Errorf("look at %s: %w", id, err)
	}
	act := decide(f)
	started := time.Now()
	heard, said := fulfillers.WithRemarks(ctx)
	did, err := w.act(heard, act, &f)
	did.took, did.said = time.Since(started), said()
	return w.record(ctx, f, act, did, err)
}

// deed is what came of acting.
type deed struct {
	props grant.Properties
	letGo []grant.Resource
	works bool      // what was granted does, whatever came of letting go
	wait  time.Time // nothing was done: it is to be done then
	took  time.Duration
	said  string // of what succeeded
}

// through sees a fulfilment of a local kind through in one commit. When that
// fails, it is not done: then it is worth the longer way, which records why.
func (w *Worker) through(ctx context.Context, id string) (done bool, err error) {
	var f grant.Held
	var o grant.Outcome
	var cause error
	again, err := w.ledger.Through(ctx, id, func(ctx context.Context, h grant.Held) grant.Outcome {
		act, started := decide(h), time.Now()
		var did deed
		did, cause = w.call(ctx, act, &h)
		did.took = time.Since(started)
		f, o = h, conclude(ctx, h, act, did, cause)
		return o
	})
	switch {
	case errors.Is(err, grant.ErrNotFound):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("see %s through: %w", id, err)
	}
	w.report(f, o, false, cause)
	if again != nil {
		w.again(*again)
	}
	return true, passOn(f, o, cause)
}

// act asks the fulfiller, under a lease that is kept alive and a deadline that
// ends before it.
func (w *Worker) act(ctx context.Context, act grant.Action, f *grant.Held) (deed, error) {
	if act == grant.DoNothing {
		return deed{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, actWithin)
	defer cancel()
	defer w.keep(ctx, cancel, *f)()
	return w.call(fulfillers.WithMemory(ctx, func(ctx context.Context, p grant.Properties) error {
		return busy(w.ledger.Remember(ctx, *f, p))
	}), act, f)
}

func (w *Worker) call(ctx context.Context, act grant.Action, f *grant.Held) (did deed, err error) {
	kind, ok := w.kinds[f.Kind]
	switch {
	case act == grant.DoNothing:
		return did, nil
	case f.Target.Problem != "" && act == grant.DoGrant:
		return did, fulfillers.Permanent("bad_spec", f.Target.Problem)
	case !ok:
		return did, fulfillers.Permanent("unmanaged", fmt.Sprintf("no fulfiller for %s is switched on; add fulfillers.%s to the config", f.Kind, f.Kind))
	}
	defer func() {
		if r := recover(); r != nil {
			w.log.Error("panic in a fulfiller", slog.String("kind", f.Kind), slog.String("action", string(act)), slog.String("stack", string(debug.Stack())))
			err = fulfillers.Transient("panic", fmt.Errorf("%s: panic in %s: %v", f.Kind, act, r))
		}
	}()
	if r, ok := kind.Fulfiller.(fulfillers.Resourceful); ok && act != grant.DoCycle {
		if did.wait, err = w.settles(ctx, *f, act); err != nil || !did.wait.IsZero() {
			return did, err
		}
		return w.access(ctx, r, act, f)
	}
	switch act {
	case grant.DoGrant:
		did.props, err = kind.Grant(ctx, f.Fulfilment)
	case grant.DoCycle:
		err = cycle(ctx, kind.Fulfiller, *f)
	default:
		err = kind.Revoke(ctx, f.Fulfilment)
	}
	return did, err
}

func cycle(ctx context.Context, k fulfillers.Fulfiller, f grant.Held) error {
	c, ok := k.(fulfillers.Cycler)
	if !ok {
		return nil
	}
	return c.Cycle(ctx, f.Fulfilment, f.Cycles[0])
}

// keep renews the lease until the returned function is called. When another
// worker has it, or the ledger has not answered for so long that another might,
// the work is cancelled.
func (w *Worker) keep(ctx context.Context, cancel context.CancelFunc, f grant.Held) (stop func()) {
	ctx, quit := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		until := time.Now().Add(lease - leaseMargin)
		for wait := renewEvery; sleep(ctx, wait); {
			began := time.Now()
			err := w.renew(ctx, f, until)
			switch {
			case err == nil:
				until, wait = began.Add(lease-leaseMargin), renewEvery
			case errors.Is(err, grant.ErrNotFound) || !time.Now().Before(until):
				cancel()
				return
			default:
				wait = min(renewAgain, time.Until(until))
			}
		}
	}()
	return func() { quit(); <-done }
}

func (w *Worker) renew(ctx context.Context, f grant.Held, until time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	return w.ledger.Renew(ctx, f, lease)
}

// sleep reports whether d passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// record writes down what was seen and passes the outcome on. Its context
// outlives shutdown: what happened must be remembered.
func (w *Worker) record(ctx context.Context, f grant.Held, act grant.Action, did deed, cause error) error {
	o := conclude(ctx, f, act, did, cause)
	if w.outside(f.Kind) {
		o.DueAt = lookAgain(o, time.Now())
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	again, lost, err := w.ledger.Record(ctx, f, o)
	w.report(f, o, lost, cause)
	if err != nil {
		w.log.Error("attempt not recorded; it is made again when its lease is over", slog.String("fulfilment", f.ID), slog.Any("err", err))
		return fmt.Errorf("record %s: %w", f.ID, err)
	}
	if again != nil {
		w.again(*again)
	}
	return passOn(f, o, cause)
}

func conclude(ctx context.Context, f grant.Held, act grant.Action, did deed, cause error) grant.Outcome {
	if !did.wait.IsZero() {
		return grant.Outcome{Action: grant.DoNothing, State: f.State, Attempts: f.Attempts, Since: f.Since, DueAt: did.wait}
	}
	o := outcome(f, act, cause, ctx.Err() != nil, time.Now())
	o.Took = did.took
	if act == grant.DoGrant {
		o.Properties = did.props // beside an error, too: they take the place of those before
	}
	if cause == nil || act == grant.DoGrant {
		o.LetGo = did.letGo
	}
	if did.works {
		o.State, o.Worked = grant.Granted, true
	}
	if cause == nil && act == grant.DoGrant {
		o.Applied = f.Target.Params
	}
	if cause == nil {
		o.Text = did.said
	}
	return o
}

// report is the attempt's one log line, its metrics, and its alarm.
func (w *Worker) report(f grant.Held, o grant.Outcome, lost bool, cause error) {
	if o.Action == grant.DoNothing {
		return
	}
	effect := w.metrics.attempt(f, o, lost)
	level, attrs := slog.LevelInfo, []slog.Attr{
		slog.String("grant", f.Grant.ID), slog.String("kind", f.Kind), slog.String("action", string(o.Action)),
		slog.Int("attempt", o.Attempts), slog.String("class", class(o)), slog.String("state", string(o.State)), slog.Duration("took", o.Took),
	}
	if effect > 0 {
		attrs = append(attrs, slog.Duration("since_event", effect))
	}
	if lost {
		attrs = append(attrs, slog.Bool("lease_lost", true))
	}
	if cause == nil && o.Text != "" {
		attrs = append(attrs, slog.String("remark", o.Text))
	}
	if cause != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("code", o.Code), slog.Time("due_at", o.DueAt), slog.Any("err", cause))
	}
	w.log.LogAttrs(context.Background(), level, "attempt", attrs...)
}
