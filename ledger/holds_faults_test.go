package ledger

import (
	"errors"
	"testing"
	"time"

	"fulfilld/grant"
)

// Who lost its lease may have acted after the one who let go.
func TestWhoLostTheLeaseAfterAllWasLetGoIsUndone(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.repositories("g")
		old := s.holding(s.look(repoKey), repository("acme/pro", 1)) // about to PUT, and stalls
		s.exec(`UPDATE fulfilments SET lease_until = {{now}}`)
		s.exec(`UPDATE resources SET lease_until = {{now}}`)
		s.hear(news(revoked("g", 2)))
		r, err := s.take(s.look(repoKey)) // finds nothing there
		must(t, err)
		s.done(r, grant.Outcome{Action: grant.DoRevoke, State: grant.Revoked, LetGo: []grant.Resource{r.Holds[0].Key()}})
		// now the PUT of the first one goes out, and it records
		_, lost, err := s.Record(t.Context(), old, grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true})
		if err != nil || !lost {
			t.Fatal(lost, err)
		}
		again, err := s.take(s.look(repoKey)) // due again, as it should be
		must(t, err)
		if len(again.Holds) == 0 {
			t.Error("the revoke that is to undo it knows of no resource: the access stays for ever")
		}
	})
}

func TestALeaseThatRanOutIsLost(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.repositories("g", "h")
		a := s.holding(s.look(repoKey), repository("acme/pro", 1))
		s.exec(`UPDATE fulfilments SET lease_until = {{now}} WHERE id = $1`, repoKey) // it stood still for 15 s
		s.exec(`UPDATE resources SET lease_until = {{now}}`)
		s.holding(s.look("h.github_repository"), repository("acme/pro", 1)) // another takes the resource
		if err := s.Renew(t.Context(), a, time.Minute); !errors.Is(err, ErrNotFound) {
			t.Errorf("Renew: %v, want that the lease is lost", err)
		}
		if err := s.Hold(t.Context(), a); !errors.Is(err, ErrNotFound) {
			t.Errorf("Hold: %v, want that the lease is lost", err)
		}
	})
}

func TestWhatIsRememberedOutlivesTheWorker(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.repositories("g")
		first := s.look(repoKey)
		must(t, s.Remember(t.Context(), first, grant.Properties{"sent": "again"}))
		s.exec(`UPDATE fulfilments SET lease_until = {{now}}`) // it was killed
		if err := s.Remember(t.Context(), first, grant.Properties{"sent": "late"}); !errors.Is(err, ErrNotFound) {
			t.Errorf("%v, want that the lease is lost", err)
		}
		second := s.look(repoKey)
		if second.Properties["sent"] != "again" {
			t.Errorf("properties %v", second.Properties)
		}
		if err := s.Remember(t.Context(), first, grant.Properties{"sent": "late"}); !errors.Is(err, ErrNotFound) {
			t.Errorf("%v, want that another has the lease", err)
		}
		s.record(second, grant.Outcome{Action: grant.DoGrant, State: grant.Waiting, DueAt: time.Now()})
		if third := s.look(repoKey); third.Properties["sent"] != "again" {
			t.Errorf("properties %v after a record without any", third.Properties)
		}
	})
}

func TestARetryWhileAWorkerHasItIsNotForgotten(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.repositories("g")
		h := s.look(repoKey)
		_, err := s.Retry(t.Context(), "g") // the operator, meanwhile
		must(t, err)
		s.record(h, grant.Outcome{Action: grant.DoGrant, State: grant.Waiting, Class: "action_required", DueAt: time.Now().Add(24 * time.Hour)})
		if !s.stored(repoKey).Due {
			t.Error("the operator's retry is forgotten")
		}
	})
}

func TestASubscriptionsOrderBringsTheField(t *testing.T) {
	onEachEngineWithWords(t, func(t *testing.T, s *shop) {
		s.hear(news(buyer(1, `{}`), benefit(1, "kinds", "github_repository"), alone(1)))
		if a := s.account(); a.Name != "" {
			t.Fatal(a)
		}
		due := s.hear(news(grant.Order{ID: "o", CustomerID: "c", SubscriptionID: "s", Status: "paid", Fields: []byte(`{"github_username":"octocat"}`), Version: version(2)}))
		if len(due) != 1 {
			t.Errorf("the order's field makes due %v", due)
		}
	})
}

func TestTwoPurchasesOfTwoNamesAreKeptApart(t *testing.T) {
	onEachEngineWithWords(t, func(t *testing.T, s *shop) {
		g, h := alone(1), alone(1)
		g.SubscriptionID, g.OrderID = "", "o1"
		h.ID, h.SubscriptionID, h.OrderID = "h", "", "o2"
		s.hear(news(buyer(1, `{}`), benefit(1, "kinds", "github_repository"),
			grant.Order{ID: "o1", CustomerID: "c", Status: "paid", Fields: []byte(`{"github_username":"alice"}`), Version: version(1)},
			grant.Order{ID: "o2", CustomerID: "c", Status: "paid", Fields: []byte(`{"github_username":"bob"}`), Version: version(1)}, g, h))
		must(t, s.Found(t.Context(), g, "alice", grant.Account{Provider: "github", ID: "1", Name: "alice"}))
		must(t, s.Found(t.Context(), h, "bob", grant.Account{Provider: "github", ID: "2", Name: "bob"}))
		if a := s.look(repoKey).Account; a.ID != "1" {
			t.Errorf("account %+v: the login is resolved anew, whoever has it by now", a)
		}
	})
}

func TestNothingIsFoundOfADeletedCustomer(t *testing.T) {
	onEachEngineWithWords(t, func(t *testing.T, s *shop) {
		s.hear(news(buyer(1, `{}`), benefit(1, "kinds", "github_repository"), alone(1)))
		s.hear(news(grant.Customer{ID: "c", DeletedAt: at(3), Version: version(3)}))
		must(t, s.Found(t.Context(), alone(1), "octocat", byHand)) // a worker that was at it
		if n := s.count(`SELECT count(*) FROM identities`); n != 0 {
			t.Errorf("%d accounts known of a deleted customer", n)
		}
	})
}

func TestEqualOutcomesAreOneLineOfTheJournal(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.repositories("g")
		for range 20 {
			s.record(s.look(repoKey), grant.Outcome{Action: grant.DoGrant, State: grant.Pending, Class: "throttled", Code: "missing_rights", Text: "same", DueAt: time.Now()})
		}
		if n := s.count(`SELECT count(*) FROM attempts`); n != 1 {
			t.Errorf("%d rows for one outcome", n)
		}
	})
}

func TestWhatIsHeldUpIsCounted(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.repositories("g", "h", "i", "j", "k")
		for id, since := range map[string]time.Time{"j": time.Now().Add(-61 * time.Minute), "k": time.Now().Add(-time.Minute)} {
			s.record(s.look(id+".github_repository"), grant.Outcome{
				Action: grant.DoGrant, State: grant.Pending, Class: "transient", Code: "down", Since: since, Attempts: 1, DueAt: time.Now().Add(time.Hour)})
		}
		for id, code := range map[string]string{"g": "no_seat", "h": "throttled", "i": grant.ApprovalCode} {
			s.record(s.look(id+".github_repository"), grant.Outcome{
				Action: grant.DoGrant, State: grant.Pending, Class: "throttled", Code: code, DueAt: time.Now().Add(time.Hour)})
		}
		held, err := s.Held(t.Context())
		if err != nil || len(held) != 2 || held["no_seat"] != 1 || held["down"] != 1 {
			t.Errorf("held %v, %v; want what the operator has to mend", held, err)
		}
		stuck := func() int64 {
			_, n, err := s.Troubles(t.Context())
			must(t, err)
			return n
		}
		s.hear(news(revoked("g", 2)))
		s.exec(`UPDATE fulfilments SET event_at = {{now}}, created_at = 1 WHERE id = $1`, repoKey)
		if n := stuck(); n != 0 {
			t.Errorf("%d stuck, and the shop has just said so", n)
		}
		s.exec(`UPDATE fulfilments SET event_at = {{now}} - 3601000000 WHERE id = $1`, repoKey)
		if n := stuck(); n != 1 {
			t.Errorf("%d stuck after more than an hour, want 1", n)
		}
	})
}
