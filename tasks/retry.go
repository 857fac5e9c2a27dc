package tasks

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hibiken/asynq"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

const (
	firstBackoff = 2 * time.Second
	maxBackoff   = time.Hour
	giveUpAfter  = 20 * 24 * time.Hour // of failing in a row: then a person must look
	longestWait  = 24 * time.Hour      // no provider that asks for more is believed
	keptFor      = time.Minute         // what waits longer is the ledger's alone to remember
)

// outcome is the one place where an error's class becomes a next step. While
// something is owed to be gone, no class ends the work.
func outcome(f grant.Held, act grant.Action, err error, stopping bool, now time.Time) grant.Outcome {
	o := grant.Outcome{Action: act, State: f.State, Attempts: f.Attempts, Since: f.Since, DueAt: f.Verdict.Again}
	switch {
	case err == nil:
		return succeeded(f, o, now)
	case stopping: // we interrupted it: not an attempt
		o.Class, o.Code, o.Text, o.DueAt = string(fulfillers.ClassTransient), "interrupted", "stopped before it was through", now
		return o
	}
	e := fulfillers.Classify(err)
	o.Class, o.Code, o.Text = string(classOf(e)), e.Code, e.Error()
	if act == grant.DoRevoke {
		o.State = grant.Revoking
	} else if f.State != grant.Granted {
		o.State = grant.Pending
	}
	return failed(o, e, act, now)
}

func succeeded(f grant.Held, o grant.Outcome, now time.Time) grant.Outcome {
	o.Attempts, o.Since, o.Done = 0, time.Time{}, true
	left := f.Cycles
	switch o.Action {
	case grant.DoGrant:
		o.State = grant.Granted
	case grant.DoRevoke:
		o.State, left = grant.Revoked, nil
	case grant.DoCycle:
		o.CycleDone, left = f.Cycles[0], f.Cycles[1:]
	default:
		left = nil
	}
	if len(left) > 0 {
		o.DueAt = now
	}
	return o
}

// classOf takes a class that does not exist, or that says all is well, for transient.
func classOf(e *fulfillers.Error) fulfillers.Class {
	switch e.Class {
	case fulfillers.ClassThrottled, fulfillers.ClassActionRequired, fulfillers.ClassPermanent:
		return e.Class
	}
	return fulfillers.ClassTransient
}

// failed sets the next step. Whatever the class, what is owed is judged again
// when time alone may change it.
func failed(o grant.Outcome, e *fulfillers.Error, act grant.Action, now time.Time) grant.Outcome {
	judge := o.DueAt
	o = tryAgain(o, e, act, now)
	if o.DueAt.IsZero() || !judge.IsZero() && judge.Before(o.DueAt) {
		o.DueAt = judge
	}
	return o
}

func tryAgain(o grant.Outcome, e *fulfillers.Error, act grant.Action, now time.Time) grant.Outcome {
	class, wait := classOf(e), min(e.Wait, longestWait)
	if class == fulfillers.ClassThrottled {
		o.DueAt = now.Add(max(wait, firstBackoff)) // a wait of nothing would spin
		return o
	}
	o.Attempts++
	if o.Since.IsZero() {
		o.Since = now
	}
	switch {
	case act == grant.DoRevoke && class != fulfillers.ClassTransient:
		o.DueAt = now.Add(maxBackoff)
	case class == fulfillers.ClassActionRequired:
		o.State, o.DueAt = grant.Waiting, now.Add(poll(now.Sub(o.Since)))
	case class == fulfillers.ClassPermanent || (act != grant.DoRevoke && now.Sub(o.Since) > giveUpAfter):
		o.State, o.DueAt = grant.Failed, time.Time{}
	default:
		o.DueAt = now.Add(max(wait, backoff(o.Attempts)))
	}
	return o
}

// backoff doubles from firstBackoff up to maxBackoff, give or take a fifth.
func backoff(attempts int) time.Duration {
	d := maxBackoff
	if attempts < 12 {
		d = min(d, firstBackoff<<(attempts-1))
	}
	return d*4/5 + rand.N(d*2/5)
}

// poll is how often to look whether a customer has acted.
func poll(waiting time.Duration) time.Duration {
	switch {
	case waiting < time.Hour:
		return 5 * time.Minute
	case waiting < 7*24*time.Hour:
		return time.Hour
	}
	return 24 * time.Hour
}

// later is a failure for the queue's eyes: the delay is what the ledger says.
type later struct {
	delay     time.Duration
	throttled bool
	err       error
	revoke    *grant.Due // what is to be taken away, when nothing but time is missing
}

func (l *later) Error() string { return l.err.Error() }
func (l *later) Unwrap() error { return l.err }

var errSettling = errors.New("it waits to settle")

// passOn tells the queue; the ledger's copy is the one that counts.
func passOn(f grant.Held, o grant.Outcome, cause error) error {
	throttled := o.Class == string(fulfillers.ClassThrottled)
	switch {
	case cause == nil && o.Done:
		return nil
	case cause == nil:
		cause, throttled = errSettling, true
	default:
		cause = fmt.Errorf("%s %s: %w", o.Action, f.ID, cause)
		if o.DueAt.IsZero() || o.State == grant.Failed {
			return errors.Join(cause, asynq.SkipRetry)
		}
	}
	l := &later{delay: time.Until(o.DueAt), throttled: throttled, err: cause}
	if throttled && o.State == grant.Revoking {
		l.revoke = &grant.Due{ID: f.ID, Kind: f.Kind, Generation: f.Generation, Starts: f.Starts, Revoke: true}
	}
	return l
}

// kept is what the queue makes of a failure: its dashboard shows under Retry
// what is tried again soon, and under Archived what is not. What waits longer,
// or finds the room for retries taken, ends its task: the ledger knows when it
// is due, and the sweep queues it again. So does, with a timer, what is to be taken
// away and waits for its turn: the queue would put it behind everything else.
func (q *Queue) kept(err error, crowded bool) error {
	var l *later
	if !errors.As(err, &l) {
		return err
	}
	soon := !crowded && l.delay <= keptFor
	if soon && l.revoke != nil {
		time.AfterFunc(punctual(l.delay), func() { q.Dispatcher.Offer([]grant.Due{*l.revoke}) })
	}
	if !soon || l.revoke != nil {
		return nil
	}
	return err
}

// punctual is a little later than a delay, by other clocks than the ledger's: a
// task that comes too early finds nothing due.
func punctual(delay time.Duration) time.Duration { return max(0, delay) + time.Second }

// retryDelay is how long the queue waits before it runs a failed task again.
func retryDelay(_ int, err error, _ *asynq.Task) time.Duration {
	var l *later
	switch {
	case errors.As(err, &l):
		return punctual(l.delay) // asynq cuts off the fraction
	case errors.Is(err, asynq.ErrLeaseExpired):
		return 0
	}
	return firstBackoff
}

func isFailure(err error) bool {
	var l *later
	return !errors.As(err, &l) || !l.throttled
}
