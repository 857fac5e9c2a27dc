package tasks_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/tasks"
)

// archived is a campus where one room cannot be left for now.
type archived struct {
	*campus
	locked bool
}

func (a *archived) Revoke(ctx context.Context, f grant.Fulfilment) error {
	if a.locked {
		return fulfillers.Permanent("archived", "unarchive it")
	}
	return a.campus.Revoke(ctx, f)
}

func (s *school) employ(f fulfillers.Fulfiller) {
	s.worker = tasks.NewWorker(tasks.Options{
		Ledger: s.ledger, Kinds: map[string]fulfillers.Built{"campus": {Fulfiller: f, Concurrency: 1}},
		Metrics: tasks.NewMetrics(prometheus.NewRegistry(), []string{"campus"}), Settle: settling, Log: slog.New(slog.DiscardHandler),
	}, func(grant.Due) {})
}

func (s *school) due(id string) (f grant.FulfilmentView) {
	s.Helper()
	g, err := s.ledger.Grant(s.Context(), id)
	if err != nil {
		s.Fatal(err)
	}
	return g.Fulfilments[0]
}

func TestOldAccessThatIsRefusedToGoIsTriedAgain(t *testing.T) {
	s := newSchool(t)
	a := &archived{s.campus, true}
	s.employ(a)
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	s.link("ada", "7")
	s.until(map[string]int{"7 lab": 1})
	s.link("ada", "8") // or: the benefit is edited to another repository
	s.until(map[string]int{"7 lab": 1, "8 lab": 1})
	if f := s.due("g"); f.State != grant.Granted || f.LastError.Code != "archived" {
		t.Errorf("state %s, %s: the new access works, and the old one's error is to be seen", f.State, f.LastError.Code)
	}
	holds, err := s.ledger.HoldsOf(t.Context(), "g.campus")
	if err != nil || len(holds) != 2 {
		t.Errorf("holds %+v, %v; want both until the old one is gone", holds, err)
	}
	if f := s.due("g"); f.DueAt.IsZero() {
		t.Errorf("state %s, never due again (%s): account 7 keeps its access for as long as the grant lives", f.State, f.LastError.Code)
	}
}

func TestOnePurchaseIsNotForManyAccounts(t *testing.T) {
	s := newSchool(t)
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	s.link("ada", "1")
	s.until(map[string]int{"1 lab": 1})
	s.refuse = fulfillers.ActionRequired("invited", "accept the invitation")
	for _, account := range []string{"2", "3", "4", "5"} {
		s.link("ada", account) // connects another account
		s.work()               // it is invited
	}
	holds, err := s.ledger.HoldsOf(t.Context(), "g.campus")
	if err != nil || len(holds) != 2 {
		t.Errorf("one purchase holds %+v, %v; want what worked, and what is invited now", holds, err)
	}
}

func TestWhatWasBeforeAndIsGoneIsOursWhenGivenAgain(t *testing.T) {
	s := newSchool(t)
	s.doors["7 lab"] = 1 // by a team
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	s.link("ada", "7")
	s.state("g", grant.Granted)
	s.mu.Lock()
	delete(s.doors, "7 lab") // the merchant takes the team away
	s.mu.Unlock()
	if _, err := s.ledger.Retry(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	s.until(map[string]int{"7 lab": 1}) // this access is ours
	s.end("g", "ada")
	s.state("g", grant.Revoked)
	if len(s.open()) > 0 {
		t.Errorf("revoked, and still there: %v", s.open())
	}
}

func TestWhatThePlatformDidNotGiveIsFromBefore(t *testing.T) {
	s := newSchool(t)
	s.doors["7 campus/lab"], s.doors["7 campus/hall"] = 1, 1 // lab since long ago; hall by the platform
	s.sell("g", "ada", rooms{[]string{"campus/hall", "campus/lab"}, 1})
	g := s.grant("g", "ada", grant.SaysGranted)
	g.Properties = json.RawMessage(`{"account_id":"7","repository_owner":"campus","repository_name":"hall","granted_account_id":"7"}`)
	s.hear(grant.News{Grants: []grant.Grant{g}})
	s.link("ada", "7")
	s.state("g", grant.Granted)
	s.end("g", "ada")
	s.state("g", grant.Revoked)
	if !maps.Equal(s.open(), map[string]int{"7 campus/lab": 1}) {
		t.Errorf("what was there before is taken away: %v", s.open())
	}
}

func TestAnEditThatIsUndoneAsksNoMore(t *testing.T) {
	s := newSchool(t)
	doors := s.many(40)
	edit := func(room string) {
		s.params["b"] = rooms{[]string{room}, 1}
		if _, err := s.ledger.Reroute(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.spread()
		s.work()
	}
	edit("hall")
	edit("lab") // which is an edit, too, and takes the hall from as many
	if _, err := s.ledger.Approve(t.Context(), "campus", "hall"); err != nil {
		t.Fatal(err)
	}
	s.until(doors)
	waiting, err := s.ledger.Unapproved(t.Context())
	if err != nil || len(waiting) > 0 {
		t.Errorf("still asks for %+v, %v", waiting, err)
	}
}

func TestAChangeOfPlanThatIsComeToLateIsNoBlink(t *testing.T) {
	s := newSchool(t)
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	s.link("ada", "7")
	s.until(map[string]int{"7 lab": 1})
	s.end("g", "ada")
	s.sell("h", "ada", rooms{[]string{"lab"}, 1}) // both are committed and applied within settle
	time.Sleep(2 * settling)                      // nobody works
	s.state("h", grant.Granted)
	s.state("g", grant.Revoked)
	if len(s.history) != 1 {
		t.Errorf("changes %q: the person's fork is deleted, and they are invited again", s.history)
	}
}
