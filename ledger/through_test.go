package ledger

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

	"fulfilld/grant"
)

// issued is what a worker records of a key it issued.
func issued(k grant.LicenseKey) grant.Outcome {
	return grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true, Properties: grant.Properties{"license_key_id": k.ID}}
}

func TestThroughActsAndRecordsInOneCommit(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		var wg sync.WaitGroup
		acted := make(chan grant.Held, 8)
		for range 8 { // one of them has it to do
			wg.Go(func() {
				again, err := s.Through(t.Context(), keys, func(ctx context.Context, h grant.Held) grant.Outcome {
					k, err := s.IssueLicenseKey(ctx, wanted("one"), h.Generation)
					if err != nil || h.Verdict.Desired != grant.OwedGranted || h.Grant.ID != "g" || h.Starts != 1 {
						t.Errorf("%+v, %v", h, err)
					}
					acted <- h
					return issued(k)
				})
				if again != nil || err != nil && !errors.Is(err, ErrNotFound) {
					t.Error(again, err)
				}
			})
		}
		wg.Wait()
		if len(acted) != 1 {
			t.Errorf("acted %d times", len(acted))
		}
		if n := s.count(`SELECT count(*) FROM fulfilments WHERE state = 'granted' AND due_at = 0 AND starts = 1 AND observed_generation = 1`); n != 1 {
			t.Error("not recorded")
		}
		if k, err := s.LicenseKeyOf(t.Context(), keys); !k.Active || err != nil {
			t.Error(k, err)
		}
	})
}

func TestThroughUndoesWhatCouldNotBeRecorded(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1), granted("h", 1)))
		s.born("other.license_keys")
		s.issue(func() grant.LicenseKey { k := wanted("taken"); k.FulfilmentID = "other.license_keys"; return k }())
		_, err := s.Through(t.Context(), keys, func(ctx context.Context, h grant.Held) grant.Outcome {
			if _, err := s.IssueLicenseKey(ctx, wanted("taken"), h.Generation); err == nil {
				t.Error("the same key issued twice")
			}
			return grant.Outcome{Action: grant.DoGrant, State: grant.Failed}
		})
		if err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("a statement failed: %v", err)
		}
		if n := s.count(`SELECT count(*) FROM fulfilments WHERE id = '` + keys + `' AND state = 'pending' AND starts = 0 AND due_at > 0`); n != 1 {
			t.Error("something of it was recorded")
		}
		if n := s.count(`SELECT count(*) FROM attempts`); n != 0 {
			t.Errorf("%d in the journal", n)
		}
	})
}

func TestThroughLeavesALeaseAlone(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		if _, err := s.Look(t.Context(), keys, time.Minute); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Through(t.Context(), keys, func(context.Context, grant.Held) grant.Outcome {
			t.Error("acted under another's lease")
			return grant.Outcome{}
		}); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	})
}

// Another process changes what is owed while Through waits for the row.
func TestThroughActsOnTheFactsOfTheGenerationItHasLocked(t *testing.T) {
	t.Parallel()
	s := open(t, postgresURL(t), Options{Fast: true})
	s.hear(news(benefit(1), granted("g", 1)))
	db, err := sql.Open("pgx", s.url)
	must(t, err)
	defer db.Close()
	other, err := db.BeginTx(t.Context(), nil)
	must(t, err)
	defer func() { _ = other.Rollback() }()
	for _, change := range []string{
		`UPDATE grants SET revoke_at = grant_at + 1, revoke_sent = grant_sent + 1`,
		`UPDATE fulfilments SET generation = 2, wanted = 'revoked', state = 'revoking'`,
	} {
		_, err := other.ExecContext(t.Context(), change)
		must(t, err)
	}
	got := make(chan grant.Held, 1)
	go func() {
		_, _ = s.Through(t.Context(), keys, func(_ context.Context, h grant.Held) grant.Outcome {
			got <- h
			return grant.Outcome{Action: grant.DoRevoke, State: grant.Revoked, Done: true}
		})
		close(got)
	}()
	for waiting := 0; waiting == 0; {
		must(t, db.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_locks WHERE NOT granted`).Scan(&waiting))
	}
	must(t, other.Commit())
	if h := <-got; h.Generation != 2 || h.Verdict.Desired != grant.OwedRevoked {
		t.Errorf("generation %d is judged as %q", h.Generation, h.Verdict.Desired)
	}
}
