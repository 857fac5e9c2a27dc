package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/ledger"
)

// mood is what a provider answers; the test changes it.
type mood struct{ atomic.Pointer[error] }

func (m *mood) is(err error) { m.Store(&err) }

// asking is a house that asks a provider in a mood.
func asking(err error) (*house, *raised, *mood) {
	h, alarms := newHouse(ailing{})
	m := &mood{}
	m.is(err)
	f := &forge{probe: func(context.Context, string) error { return *m.Load() }}
	h.probes = func(context.Context) []probe { return credentials(forged(f)) }
	return h, alarms, m
}

func TestAProviderThatRefusesRaisesItsAlarmUntilItDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, alarms, provider := asking(fulfillers.Permanent("bad_key", "the App's key is refused; make a new one"))
		go h.keep(t.Context())
		synctest.Wait()
		want := "1 of 1 probes have problems; github_repository, its credentials: the App's key is refused; make a new one"
		if got := alarms.says("provider_refuses"); got != want {
			t.Errorf("at the start: %q", got)
		}
		provider.is(nil)
		time.Sleep(probeEvery)
		synctest.Wait()
		if alarms.stands("provider_refuses") {
			t.Error("it stands still")
		}
	})
}

func TestManyProvidersAreAskedInRounds(t *testing.T) {
	t.Parallel()
	h, alarms := newHouse(ailing{})
	last := "acme/" + strconv.Itoa(2*mostProbes)
	asked := map[string]int{}
	var mu sync.Mutex
	f := &forge{probe: func(_ context.Context, params string) error {
		mu.Lock()
		defer mu.Unlock()
		asked[params]++
		if params == `"`+last+`"` {
			return fulfillers.Permanent("archived", last+" is archived")
		}
		return nil
	}}
	var all []probe
	for i := range 2*mostProbes + 1 {
		all = append(all, probe{"github_repository", fmt.Sprint("benefit ", i), fmt.Appendf(nil, "%q", fmt.Sprint("acme/", i)), f})
	}
	h.probes = func(context.Context) []probe { return all }
	for round := range 6 {
		h.ask(t.Context())
		if stands := alarms.stands("provider_refuses"); stands != (round >= 2) {
			t.Errorf("round %d: the alarm stands: %t", round, stands)
		}
	}
	if len(asked) != len(all) {
		t.Errorf("%d of %d were asked", len(asked), len(all))
	}
	all = all[:len(all)-1] // the benefit is gone
	h.ask(t.Context())
	if alarms.stands("provider_refuses") {
		t.Error("about a benefit that is gone")
	}
}

func TestWhatTimeMendsRaisesNoAlarmAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, alarms, provider := asking(fulfillers.Throttled("github:installation:7", time.Second, errors.New("rate limit")))
		go h.keep(t.Context())
		synctest.Wait()
		if alarms.stands("provider_refuses") {
			t.Error("after one round")
		}
		provider.is(errors.New("502 Bad Gateway"))
		time.Sleep(probeEvery)
		synctest.Wait()
		if !alarms.stands("provider_refuses") {
			t.Error("not after two rounds")
		}
	})
}

func TestAProviderThatWantsALongRestIsNoPassingTrouble(t *testing.T) {
	t.Parallel()
	h, alarms, _ := asking(fulfillers.Throttled("discord:bot", 5*time.Minute, errors.New("the token is refused")))
	h.ask(t.Context())
	if !alarms.stands("provider_refuses") {
		t.Error("no alarm")
	}
}

func TestAProviderThatHangsHoldsUpNoAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d disk
		h, alarms := newHouse(ailing{probe: d.probe})
		f := &forge{probe: func(ctx context.Context, _ string) error { return hangs(ctx) }}
		h.probes = func(context.Context) []probe { return credentials(forged(f)) }
		ctx, cancel := context.WithCancel(t.Context())
		go h.keep(ctx)
		synctest.Wait()
		d.full.Store(true)
		time.Sleep(lookEvery)
		synctest.Wait()
		if !alarms.stands("ledger_down") {
			t.Error("no alarm")
		}
		cancel()
		synctest.Wait()
		if alarms.stands("provider_refuses") {
			t.Error("stopping is a refusal")
		}
	})
}

func TestLanesThatRestAreNamed(t *testing.T) {
	t.Parallel()
	until := time.Now().Add(time.Hour)
	h, alarms := newHouse(ailing{resting: []grant.Lane{
		{Name: "discord:bot", Until: time.Now().Add(time.Second), Why: "everyday"},
		{Name: "github:installation:7", Until: until, Why: "the App is suspended"},
	}})
	h.look(t.Context())
	want := "github:installation:7 rests until " + until.UTC().Format(time.RFC3339) + ": the App is suspended"
	if got := alarms.says("lane_resting"); got != want {
		t.Errorf("%q", got)
	}
	h.ledger = ailing{}
	h.look(t.Context())
	if alarms.stands("lane_resting") {
		t.Error("it stands still")
	}
}

func TestTheLongestRestOfEachProviderIsMeasured(t *testing.T) {
	t.Parallel()
	l, err := ledger.Open(t.Context(), "sqlite://"+t.TempDir()+"/fulfilld.db", ledger.Options{Fast: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for lane, d := range map[string]time.Duration{"github:installation:7": time.Minute, "github:installation:8": time.Hour, "githubs:x": 9 * time.Hour} {
		if err := l.Pause(t.Context(), lane, d, "rate limit"); err != nil {
			t.Fatal(err)
		}
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(newLedgerCollector(l, nil, nil, slog.New(slog.DiscardHandler)))
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range all {
		if family.GetName() == "fulfilld_lane_resting_seconds" {
			for _, m := range family.GetMetric() {
				got[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
			}
		}
	}
	if github := got["github"]; len(got) != len(providers) || got["discord"] != 0 || github < 3500 || github > 3600 {
		t.Errorf("%v", got)
	}
}

func TestWhatWaitsForApprovalIsAnAlarm(t *testing.T) {
	t.Parallel()
	alarms := &raised{codes: map[string]bool{}, texts: map[string]string{}}
	h := &house{ledger: ailing{unapproved: []grant.Lane{{Name: "github:acme/pro", Why: "more than 25 removals from github:acme/pro within 10m0s"}}}, alarms: alarms}
	h.lookAtApprovals(t.Context())
	if got := alarms.says("approval_needed"); !strings.Contains(got, "github:acme/pro") {
		t.Errorf("the alarm says %q", got)
	}
	h.ledger = ailing{}
	h.lookAtApprovals(t.Context())
	if alarms.stands("approval_needed") {
		t.Error("stands when nothing waits")
	}
}

func TestWhatWaitsForAMendIsAnAlarm(t *testing.T) {
	t.Parallel()
	alarms := &raised{codes: map[string]bool{}, texts: map[string]string{}}
	h := &house{ledger: ailing{held: map[string]int64{"no_seat": 3, "missing_rights": 1}}, alarms: alarms}
	h.lookAtGrants(t.Context())
	if got := alarms.says("fulfilments_held"); !strings.Contains(got, "missing_rights (1), no_seat (3)") {
		t.Errorf("the alarm says %q", got)
	}
	h.ledger = ailing{}
	h.lookAtGrants(t.Context())
	if alarms.stands("fulfilments_held") {
		t.Error("stands when nothing waits")
	}
}
