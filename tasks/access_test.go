package tasks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/ledger"
	"fulfilld/tasks"
)

func TestAccessIsAUnion(t *testing.T) {
	s := newSchool(t)
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	s.sell("h", "ada", rooms{[]string{"lab", "hall"}, 2})
	s.link("ada", "7")
	s.until(map[string]int{"7 lab": 2, "7 hall": 2})
	s.end("h", "ada")
	s.until(map[string]int{"7 lab": 1})
	s.state("h", grant.Revoked)
	s.end("g", "ada")
	s.until(map[string]int{})
	s.state("g", grant.Revoked)
}

func TestARemarkOnASuccessIsInTheJournal(t *testing.T) {
	s := newSchool(t)
	s.remark = "the back door is not ours"
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	s.link("ada", "7")
	s.until(map[string]int{"7 lab": 1})
	s.end("g", "ada")
	s.state("g", grant.Revoked)
	g, err := s.ledger.Grant(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	f := g.Fulfilments[0]
	if last := f.Journal[len(f.Journal)-1]; last.Trouble != (grant.Trouble{Text: s.remark}) || f.LastError != (grant.Trouble{}) {
		t.Errorf("journal %+v, last error %+v", last, f.LastError)
	}
}

func TestTwoCustomersWithOneAccount(t *testing.T) {
	s := newSchool(t)
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	s.sell("h", "bob", rooms{[]string{"lab"}, 1})
	s.link("ada", "7")
	s.link("bob", "7")
	s.state("g", grant.Granted)
	s.state("h", grant.Granted)
	s.end("g", "ada")
	s.state("g", grant.Revoked)
	s.until(map[string]int{"7 lab": 1})
	if want := []string{"7 lab: 1"}; !slices.Equal(s.history, want) {
		t.Errorf("changes %q, want %q", s.history, want)
	}
}

func TestAChangeOfPlanIsNoBlink(t *testing.T) {
	for name, ago := range map[string]time.Duration{"AtOnce": 0, "AfterAnOutage": 10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			s := newSchool(t)
			s.sell("g", "ada", rooms{[]string{"lab"}, 1})
			s.link("ada", "7")
			s.until(map[string]int{"7 lab": 1})
			s.sentAgo = ago
			s.end("g", "ada")
			s.work()
			s.sell("h", "ada", rooms{[]string{"lab"}, 1})
			s.state("h", grant.Granted)
			s.state("g", grant.Revoked)
			if want := []string{"7 lab: 1"}; !slices.Equal(s.history, want) {
				t.Errorf("changes %q, want %q", s.history, want)
			}
		})
	}
}

func TestAChangeOfPlanThatIsNotAppliedYetIsNoBlink(t *testing.T) {
	s := newSchool(t)
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	s.link("ada", "7")
	s.until(map[string]int{"7 lab": 1})
	s.end("g", "ada")
	s.params["bh"] = rooms{[]string{"lab"}, 1}
	s.accept()
	time.Sleep(settling)
	s.work()
	if len(s.open()) == 0 {
		t.Error("taken away while what is accepted is not applied")
	}
	s.apply(s.sale("h", "ada"))
	s.state("h", grant.Granted)
	s.until(map[string]int{"7 lab": 1})
	if want := []string{"7 lab: 1"}; !slices.Equal(s.history, want) {
		t.Errorf("changes %q, want %q", s.history, want)
	}
}

func TestADeletedCustomersAccessDoesNotWait(t *testing.T) {
	s := newSchool(t)
	s.worker = tasks.NewWorker(tasks.Options{
		Ledger: s.ledger, Kinds: map[string]fulfillers.Built{"campus": {Fulfiller: s.campus, Concurrency: 1}},
		Metrics: tasks.NewMetrics(prometheus.NewRegistry(), []string{"campus"}), Settle: time.Hour, Log: slog.New(slog.DiscardHandler),
	}, func(grant.Due) {})
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	s.link("ada", "7")
	s.until(map[string]int{"7 lab": 1})
	s.end("g", "ada")
	s.work()
	if len(s.open()) == 0 {
		t.Error("taken away before it has settled")
	}
	s.hear(grant.News{Customers: []grant.Customer{{ID: "ada", DeletedAt: time.Now(), Version: now()}}})
	s.until(map[string]int{})
}

func TestWhatWasThereBeforeStays(t *testing.T) {
	s := newSchool(t)
	s.doors["7 lab"] = 1
	s.sell("g", "ada", rooms{[]string{"lab"}, 2})
	s.link("ada", "7")
	s.until(map[string]int{"7 lab": 2})
	s.end("g", "ada")
	s.until(map[string]int{"7 lab": 1})
	s.state("g", grant.Revoked)
}

func TestWhatWasGivenBesideATeamGoesWithTheLastGrant(t *testing.T) {
	for _, first := range []string{"g", "h"} {
		t.Run(first, func(t *testing.T) {
			s := newSchool(t)
			s.teams = map[string]int{"7 lab": 1}
			s.sell("g", "ada", rooms{[]string{"lab"}, 3})
			s.link("ada", "7")
			s.until(map[string]int{"7 lab": 3})
			s.sell("h", "ada", rooms{[]string{"lab"}, 2})
			s.state("h", grant.Granted)
			last := map[string]string{"g": "h", "h": "g"}[first]
			s.end(first, "ada")
			s.state(first, grant.Revoked)
			s.until(map[string]int{"7 lab": s.params["b"+last].Level})
			s.end(last, "ada")
			s.state(last, grant.Revoked)
			if len(s.open()) > 0 {
				t.Errorf("revoked, and still there: %v", s.open())
			}
		})
	}
}

func TestWhatThePlatformGaveGoesWithTheGrant(t *testing.T) {
	s := newSchool(t)
	s.doors["7 lab"] = 1
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	g := s.grant("g", "ada", grant.SaysGranted)
	g.Properties = json.RawMessage(`{"account_id":"7","granted_account_id":"7"}`)
	s.hear(grant.News{Grants: []grant.Grant{g}})
	s.link("ada", "7")
	s.state("g", grant.Granted)
	s.end("g", "ada")
	s.until(map[string]int{})
}

func TestOldAccessGoesAfterTheNewWorks(t *testing.T) {
	s := newSchool(t)
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	s.link("ada", "7")
	s.until(map[string]int{"7 lab": 1})

	s.refuse = fulfillers.ActionRequired("invited", "accept the invitation")
	s.link("ada", "8")
	s.state("g", grant.Waiting)
	if diff := cmp.Diff(map[string]int{"7 lab": 1}, s.open()); diff != "" {
		t.Errorf("while the new account is invited: %s", diff)
	}
	s.refuse = nil
	if _, err := s.ledger.Retry(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	s.until(map[string]int{"8 lab": 1})
	if want := []string{"7 lab: 1", "8 lab: 1", "7 lab: 0"}; !slices.Equal(s.history, want) {
		t.Errorf("changes %q, want %q", s.history, want)
	}

	s.params["bg"] = rooms{[]string{"hall"}, 1}
	if _, err := s.ledger.Reroute(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.ledger.Spread(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	s.until(map[string]int{"8 hall": 1})
}

func TestWaitsForAnAccount(t *testing.T) {
	s := newSchool(t)
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	s.state("g", grant.Waiting)
	s.link("ada", "7")
	s.until(map[string]int{"7 lab": 1})
	s.sell("never", "bob", rooms{[]string{"lab"}, 1})
	s.state("never", grant.Waiting)
	s.end("never", "bob")
	s.state("never", grant.Revoked)
}

// forgetful is a ledger that fails to record once, and whose leases are short:
// the process died after the provider had done what it was asked. A lease may
// lapse at any time: a slow machine needs several tries.
type forgetful struct {
	*ledger.Ledger
	forget bool
}

var errCrashed = errors.New("crashed")

func (f *forgetful) Look(ctx context.Context, id string, _ time.Duration) (grant.Held, error) {
	return f.Ledger.Look(ctx, id, 50*time.Millisecond)
}

func (f *forgetful) Take(ctx context.Context, h grant.Held, wanted []grant.Resource, _ time.Duration) ([]grant.Hold, error) {
	return f.Ledger.Take(ctx, h, wanted, 50*time.Millisecond)
}

func (f *forgetful) Record(ctx context.Context, h grant.Held, o grant.Outcome) (*grant.Due, bool, error) {
	if f.forget && o.Class == "" {
		f.forget = false
		return nil, false, errCrashed
	}
	return f.Ledger.Record(ctx, h, o)
}

func TestACrashAfterTheProvidersSuccessIsHarmless(t *testing.T) {
	s := newSchool(t)
	book := &forgetful{s.ledger, true}
	s.worker = s.hire(book)
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	s.link("ada", "7")
	s.until(map[string]int{"7 lab": 1})
	if book.forget {
		t.Fatal("it did not crash where it should")
	}
	looked := s.looked
	s.state("g", grant.Granted)
	if !s.knew {
		t.Error("what was remembered before the crash is not known after it")
	}
	if s.looked != looked || len(s.history) != 1 {
		t.Errorf("looked %d times before the crash and %d after it, changes %q: our own access was taken for something else", looked, s.looked-looked, s.history)
	}
	book.forget = true
	s.end("g", "ada")
	s.until(map[string]int{})
	s.state("g", grant.Revoked)
}

func TestTwoWorkersOnOneResource(t *testing.T) {
	s := newSchool(t)
	for i := range 8 {
		s.sell(fmt.Sprint("g", i), "ada", rooms{[]string{"hall", "lab"}, 1 + i%3})
	}
	s.link("ada", "7")
	other := s.hire(s.ledger)
	var both sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	both.Go(func() {
		for ctx.Err() == nil {
			due, _ := s.ledger.Due(ctx, "campus", 100)
			slices.Reverse(due)
			for _, d := range due {
				_ = other.Work(ctx, d.ID)
			}
		}
	})
	for i := range 8 {
		s.state(fmt.Sprint("g", i), grant.Granted)
	}
	for i := range 7 {
		s.end(fmt.Sprint("g", i), "ada")
	}
	for i := range 7 {
		s.state(fmt.Sprint("g", i), grant.Revoked)
	}
	stop()
	both.Wait()
	s.until(map[string]int{"7 lab": 2, "7 hall": 2})
	if slices.ContainsFunc(s.history, func(h string) bool { return h == "7 lab: 0" || h == "7 hall: 0" }) {
		t.Errorf("access blinked: %q", s.history)
	}
}

func TestWhatIsGrantedIsLookedAtDaily(t *testing.T) {
	s := newSchool(t)
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	s.link("ada", "7")
	s.state("g", grant.Granted)
	g, err := s.ledger.Grant(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	due := time.Until(g.Fulfilments[0].DueAt)
	if due < 21*time.Hour || due > 27*time.Hour {
		t.Errorf("looked at again in %s, want about a day", due)
	}
	delete(s.doors, "7 lab") // somebody's hand
	if _, err := s.ledger.Retry(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	s.until(map[string]int{"7 lab": 1})
	if g, err = s.ledger.Grant(t.Context(), "g"); err != nil || len(g.Fulfilments[0].Journal) > 3 {
		t.Errorf("the journal grows: %+v, %v", g.Fulfilments[0].Journal, err)
	}
	s.end("g", "ada")
	s.until(map[string]int{})
	s.state("g", grant.Revoked)
	if g, err = s.ledger.Grant(t.Context(), "g"); err != nil || !g.Fulfilments[0].DueAt.IsZero() {
		t.Errorf("looked at again after its end, on %s, %v", g.Fulfilments[0].DueAt, err)
	}
}
