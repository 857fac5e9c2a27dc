package tasks

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

var (
	noon    = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	errAway = errors.New("502 Bad Gateway")
)

// held is a fulfilment with 2 failed attempts behind it.
func held(state grant.State) grant.Held {
	return grant.Held{Fulfilment: grant.Fulfilment{ID: "g1.lamp", Kind: "lamp", State: state, Attempts: 2, Since: noon.Add(-time.Minute)}}
}

// after is a wait that is drawn from a range.
type after struct{ from, to time.Duration }

func exactly(d time.Duration) after { return after{d, d} }

var never = after{-1, -1}

func (a after) holds(due time.Time) bool {
	if a == never {
		return due.IsZero()
	}
	return !due.Before(noon.Add(a.from)) && !due.After(noon.Add(a.to))
}

var third = after{8 * time.Second * 4 / 5, 8 * time.Second * 6 / 5}

func TestOutcomeOfAFailure(t *testing.T) {
	hour, poll5 := exactly(time.Hour), exactly(5*time.Minute)
	throttled := fulfillers.Throttled("lane", 42*time.Second, errAway)
	action := fulfillers.ActionRequired("no_account", "name a GitHub account")
	permanent := fulfillers.Permanent("bad_spec", "no such repository")
	for _, c := range []struct {
		name     string
		err      error
		class    string
		counted  bool
		state    map[grant.Action]grant.State // revoke: always revoking
		due      after
		revoking after
	}{
		{"unknown", errAway, "transient", true, nil, third, third},
		{"transient", fulfillers.Transient("bad_gateway", errAway), "transient", true, nil, third, third},
		{"wrapped", fmt.Errorf("in between: %w", fulfillers.Transient("", errAway)), "transient", true, nil, third, third},
		{"transient, told how long", &fulfillers.Error{Class: fulfillers.ClassTransient, Wait: time.Minute}, "transient", true, nil, exactly(time.Minute), exactly(time.Minute)},
		{"a class that does not exist", &fulfillers.Error{Class: "odd", Text: "odd"}, "transient", true, nil, third, third},
		{"no class", &fulfillers.Error{Text: "odd"}, "transient", true, nil, third, third},
		{"all is well, it says", &fulfillers.Error{Class: fulfillers.ClassNone}, "transient", true, nil, third, third},
		{"throttled", throttled, "throttled", false, nil, exactly(42 * time.Second), exactly(42 * time.Second)},
		{"throttled for no time", fulfillers.Throttled("lane", 0, errAway), "throttled", false, nil, exactly(firstBackoff), exactly(firstBackoff)},
		{"throttled for ever", fulfillers.Throttled("lane", 1<<62, errAway), "throttled", false, nil, exactly(longestWait), exactly(longestWait)},
		{"action required", action, "action_required", true, map[grant.Action]grant.State{grant.DoGrant: grant.Waiting, grant.DoCycle: grant.Waiting}, poll5, hour},
		{"permanent", permanent, "permanent", true, map[grant.Action]grant.State{grant.DoGrant: grant.Failed, grant.DoCycle: grant.Failed}, never, hour},
	} {
		for _, act := range actions {
			for _, state := range grant.States {
				t.Run(fmt.Sprintf("%s/%s/%s", c.name, act, state), func(t *testing.T) {
					o := outcome(held(state), act, c.err, false, noon)
					want, due := grant.Pending, c.due
					if state == grant.Granted {
						want = grant.Granted // what was there is there still
					}
					if s, ok := c.state[act]; ok {
						want = s
					}
					if act == grant.DoRevoke {
						want, due = grant.Revoking, c.revoking
					}
					if o.State != want || o.Class != c.class || o.Done || o.Text == "" && c.class != "transient" {
						t.Errorf("state %s, class %s, done %v, %q; want state %s, class %s", o.State, o.Class, o.Done, o.Text, want, c.class)
					}
					if !due.holds(o.DueAt) {
						t.Errorf("due after %v, want between %v and %v", o.DueAt.Sub(noon), due.from, due.to)
					}
					if counted := o.Attempts == 3; counted != c.counted || !o.Since.Equal(noon.Add(-time.Minute)) {
						t.Errorf("%d attempts since %v", o.Attempts, o.Since)
					}
				})
			}
		}
	}
}

func TestOutcomeOfASuccess(t *testing.T) {
	again := noon.Add(24 * time.Hour)
	for _, c := range []struct {
		act    grant.Action
		state  grant.State
		cycles []string
		want   grant.Outcome
	}{
		{grant.DoGrant, grant.Pending, nil, grant.Outcome{State: grant.Granted, DueAt: again}},
		{grant.DoGrant, grant.Failed, []string{"a"}, grant.Outcome{State: grant.Granted, DueAt: noon}},
		{grant.DoRevoke, grant.Revoking, nil, grant.Outcome{State: grant.Revoked, DueAt: again}},
		{grant.DoRevoke, grant.Granted, []string{"a"}, grant.Outcome{State: grant.Revoked, DueAt: again}},
		{grant.DoCycle, grant.Granted, []string{"a"}, grant.Outcome{State: grant.Granted, DueAt: again, CycleDone: "a"}},
		{grant.DoCycle, grant.Granted, []string{"a", "b"}, grant.Outcome{State: grant.Granted, DueAt: noon, CycleDone: "a"}},
		{grant.DoNothing, grant.Granted, nil, grant.Outcome{State: grant.Granted, DueAt: again}},
		{grant.DoNothing, grant.Revoked, []string{"a"}, grant.Outcome{State: grant.Revoked, DueAt: again}},
	} {
		for _, stopping := range []bool{false, true} { // what was done was done
			f := held(c.state)
			f.Cycles, f.Verdict.Again = c.cycles, again
			c.want.Action, c.want.Done = c.act, true
			if diff := cmp.Diff(c.want, outcome(f, c.act, nil, stopping, noon)); diff != "" {
				t.Errorf("%s of %s with %d renewals, stopping %v (-want +got):\n%s", c.act, c.state, len(c.cycles), stopping, diff)
			}
		}
	}
}

func TestShutdownIsNotAnAttempt(t *testing.T) {
	for _, act := range actions {
		for _, state := range grant.States {
			for _, err := range []error{context.Canceled, fulfillers.Permanent("x", "x"), fulfillers.Throttled("l", time.Hour, errAway)} {
				o := outcome(held(state), act, err, true, noon)
				if o.Attempts != 2 || o.State != state || !o.DueAt.Equal(noon) || o.Done || o.Code != "interrupted" {
					t.Errorf("%s of %s after %v: %+v", act, state, err, o)
				}
			}
		}
	}
}

func TestThrottledIsNotAnAttempt(t *testing.T) {
	f := grant.Held{Fulfilment: grant.Fulfilment{State: grant.Pending}}
	for range 100 {
		o := outcome(f, grant.DoGrant, fulfillers.Throttled("lane", time.Minute, errAway), false, noon)
		f.Attempts, f.Since, f.State = o.Attempts, o.Since, o.State
	}
	if f.Attempts != 0 || !f.Since.IsZero() {
		t.Errorf("%d attempts since %v", f.Attempts, f.Since)
	}
}

func TestGivingUpAfterTwentyDays(t *testing.T) {
	f := held(grant.Pending)
	f.Since = noon.Add(-giveUpAfter)
	if o := outcome(f, grant.DoGrant, errAway, false, noon); o.State != grant.Pending || o.DueAt.IsZero() {
		t.Errorf("gave up early: %+v", o)
	}
	f.Since = noon.Add(-giveUpAfter - 1)
	if o := outcome(f, grant.DoGrant, errAway, false, noon); o.State != grant.Failed || !o.DueAt.IsZero() {
		t.Errorf("never gives up: %+v", o)
	}
}

func TestRevocationsNeverEnd(t *testing.T) {
	f := held(grant.Revoking)
	f.Since, f.Attempts = noon.AddDate(-10, 0, 0), 1<<40
	for _, err := range []error{
		errAway, fulfillers.Permanent("gone", "gone"), fulfillers.ActionRequired("x", "x"),
		fulfillers.Throttled("l", 1<<62, errAway), &fulfillers.Error{Class: fulfillers.ClassTransient, Wait: 1 << 62},
	} {
		o := outcome(f, grant.DoRevoke, err, false, noon)
		if o.State != grant.Revoking || !(after{1, longestWait}).holds(o.DueAt) {
			t.Errorf("after %v: %s, due %v", err, o.State, o.DueAt)
		}
		if back := passOn(f, o, err); errors.Is(back, asynq.SkipRetry) {
			t.Errorf("after %v the queue is told to stop", err)
		}
	}
}

// A grant that cannot be mended still ends when its time is over.
func TestFailureIsJudgedAgainWhenItsTimeComes(t *testing.T) {
	f := held(grant.Granted)
	f.Verdict.Again = noon.Add(time.Second)
	for _, err := range []error{
		errAway, fulfillers.Permanent("bad_spec", "x"), fulfillers.ActionRequired("x", "x"), fulfillers.Throttled("l", time.Hour, errAway),
	} {
		o := outcome(f, grant.DoGrant, err, false, noon)
		if !o.DueAt.Equal(f.Verdict.Again) {
			t.Errorf("after %v: due %v, want when the verdict may change", err, o.DueAt.Sub(noon))
		}
		if skip := errors.Is(passOn(f, o, err), asynq.SkipRetry); skip != (o.State == grant.Failed) {
			t.Errorf("after %v, %s: archived %v", err, o.State, skip)
		}
	}
}

func TestBackoffGrowsToAnHour(t *testing.T) {
	for attempts := 1; attempts < 100; attempts++ {
		base := maxBackoff
		if attempts < 12 {
			base = min(maxBackoff, firstBackoff<<(attempts-1))
		}
		for range 50 {
			if d := backoff(attempts); d < base*4/5 || d > base*6/5 {
				t.Fatalf("attempt %d waits %v, want about %v", attempts, d, base)
			}
		}
	}
}

func TestPollSlowsDown(t *testing.T) {
	for waiting, want := range map[time.Duration]time.Duration{
		0: 5 * time.Minute, 59 * time.Minute: 5 * time.Minute, time.Hour: time.Hour, 167 * time.Hour: time.Hour,
		168 * time.Hour: 24 * time.Hour, 10000 * time.Hour: 24 * time.Hour,
	} {
		if got := poll(waiting); got != want {
			t.Errorf("after waiting %v: %v, want %v", waiting, got, want)
		}
	}
}

func TestPassOn(t *testing.T) {
	f := held(grant.Pending)
	if err := passOn(f, grant.Outcome{Done: true}, nil); err != nil {
		t.Errorf("nothing went wrong, and the queue is told %v", err)
	}
	settles := passOn(f, grant.Outcome{Action: grant.DoNothing, DueAt: time.Now().Add(30 * time.Second)}, nil)
	if d := retryDelay(0, settles, nil); d < 30*time.Second || d > 31*time.Second || isFailure(settles) {
		t.Errorf("one that settles waits %v, a failure: %v", d, isFailure(settles))
	}
	o := grant.Outcome{Action: grant.DoGrant, DueAt: time.Now().Add(time.Minute), Class: "transient"}
	err := passOn(f, o, errAway)
	if d := retryDelay(0, err, nil); d < 60*time.Second || d > 61*time.Second {
		t.Errorf("delay %v, want what the ledger says and the second that asynq may cut off", d)
	}
	if !isFailure(err) || !errors.Is(err, errAway) || err.Error() != "grant g1.lamp: 502 Bad Gateway" {
		t.Errorf("%v, a failure: %v", err, isFailure(err))
	}
	o.Class = "throttled"
	if isFailure(passOn(f, o, errAway)) {
		t.Error("throttled counts as a failure")
	}
	o.DueAt = time.Now().Add(-time.Hour)
	if d := retryDelay(0, passOn(f, o, errAway), nil); d != time.Second {
		t.Errorf("overdue waits %v", d)
	}
	if err := passOn(f, grant.Outcome{}, errAway); !errors.Is(err, asynq.SkipRetry) || !errors.Is(err, errAway) || !isFailure(err) {
		t.Errorf("without a next step: %v", err)
	}
}

func TestWhatWaitsLongIsTheLedgersToRemember(t *testing.T) {
	q := &Queue{}
	f := held(grant.Pending)
	for wait, stays := range map[time.Duration]bool{
		-time.Minute: true, time.Second: true, keptFor: true, keptFor + time.Second: false, longestWait: false,
	} {
		for _, class := range []string{"transient", "throttled", "action_required"} {
			err := passOn(f, grant.Outcome{Action: grant.DoGrant, DueAt: time.Now().Add(wait), Class: class}, errAway)
			if got := q.kept(err, false); (got != nil) != stays {
				t.Errorf("%s, due in %v: the queue is told %v", class, wait, got)
			}
			if got := q.kept(err, true); got != nil {
				t.Errorf("%s, due in %v, without room: the queue is told %v", class, wait, got)
			}
		}
	}
	for _, err := range []error{nil, errAway, passOn(f, grant.Outcome{Action: grant.DoGrant, State: grant.Failed}, errAway)} {
		if got := q.kept(err, true); got != err { //nolint:errorlint // the very same
			t.Errorf("%v became %v", err, got)
		}
	}
}

func TestARevocationsTurnIsKeptByATimerAndNotByTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &Queue{Dispatcher: &Dispatcher{wake: make(chan struct{}, 1), room: maxQueued, queues: map[string]*known{"lamp": {}}}}
		f := held(grant.Revoking)
		f.Generation, f.Starts = 3, 7
		for name, c := range map[string]struct {
			class   string
			cause   error
			crowded bool
			offered int
			retried bool
		}{
			"waits to settle":    {"", nil, false, 1, false},
			"waits for a place":  {"throttled", errAway, false, 1, false},
			"was refused":        {"transient", errAway, false, 0, true},
			"finds no room":      {"throttled", errAway, true, 0, false},
			"no room to be told": {"transient", errAway, true, 0, false},
		} {
			o := grant.Outcome{Action: grant.DoRevoke, State: grant.Revoking, DueAt: time.Now().Add(30 * time.Second), Class: c.class}
			if got := q.kept(passOn(f, o, c.cause), c.crowded); (got != nil) != c.retried {
				t.Errorf("%s: the queue is told %v", name, got)
			}
			time.Sleep(30*time.Second + time.Second/2)
			synctest.Wait()
			if n := len(q.Dispatcher.take("lamp")); n != 0 {
				t.Errorf("%s: %d offered too early", name, n)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			got := q.Dispatcher.take("lamp")
			if len(got) != c.offered || c.offered > 0 && got[0] != (grant.Due{ID: f.ID, Kind: "lamp", Generation: 3, Starts: 7, Revoke: true}) {
				t.Errorf("%s: %+v is offered, want %d", name, got, c.offered)
			}
		}
	})
}

func TestRetryDelayOfTheQueuesOwnErrors(t *testing.T) {
	if d := retryDelay(5, fmt.Errorf("x: %w", asynq.ErrLeaseExpired), nil); d != 0 {
		t.Errorf("an expired lease waits %v", d)
	}
	if d := retryDelay(5, errAway, nil); d != firstBackoff || !isFailure(errAway) {
		t.Errorf("an unknown error waits %v", d)
	}
}
