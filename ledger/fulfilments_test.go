package ledger

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fulfilld/grant"
)

func TestLeaseIsOneWorkersOnly(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		for range 5 {
			var won atomic.Int64
			var held grant.Held
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					h, err := s.Look(t.Context(), keys, time.Minute)
					switch {
					case err == nil:
						won.Add(1)
						held = h
					case !errors.Is(err, ErrNotFound):
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				t.Fatalf("%d workers hold the lease", won.Load())
			}
			if due, err := s.Due(t.Context(), "license_keys", 9); err != nil || len(due) != 0 {
				t.Errorf("due under a lease: %+v, %v", due, err)
			}
			s.record(held, grant.Outcome{Action: grant.DoGrant, State: grant.Pending, DueAt: time.Now()})
		}
	})
}

func TestHeldIsAllAWorkerNeeds(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		g := granted("g", 1)
		g.Properties = []byte(`{"account_id":"583231"}`)
		b := benefit(1, "note", "x")
		b.Properties = []byte(`{"prefix":"ACME"}`)
		s.hear(news(b, g, grant.Customer{ID: "c", Email: "a@example.com", Body: []byte(`{"id":"c"}`), Version: version(1)},
			grant.Member{ID: "m", CustomerID: "c", Body: []byte(`{"id":"m"}`), Version: version(1)}))
		h := s.look(keys)
		if since := time.Since(h.EventAt); since < 0 || since > time.Minute {
			t.Errorf("the event came on %s", h.EventAt)
		}
		want := grant.Held{
			Fulfilment: grant.Fulfilment{
				ID: keys, Kind: "license_keys", Generation: 1, State: grant.Pending,
				Grant: grant.Grant{
					ID: "g", BenefitID: "b", CustomerID: "c", MemberID: "m", SubscriptionID: "s", Source: grant.Platform,
					CreatedAt: at(0), ModifiedAt: at(1), GrantedAt: at(1), FirstGrantedAt: at(1), Properties: g.Properties,
				},
				Benefit:  grant.Benefit{ID: "b", Type: "license_keys", Properties: b.Properties, Metadata: map[string]any{"note": "x"}},
				Customer: grant.Customer{ID: "c", Email: "a@example.com", Body: []byte(`{"id":"c"}`)},
				Member:   &grant.Member{ID: "m", CustomerID: "c", Body: []byte(`{"id":"m"}`)},
				Target:   grant.Target{Kind: "license_keys", Origin: "metadata", Managed: true},
			},
			Verdict: grant.Verdict{Desired: grant.OwedGranted, Because: "granted"}, Token: h.Token, Starts: 1, EventAt: h.EventAt,
		}
		if diff := cmp.Diff(want, h); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		s.record(h, grant.Outcome{
			Action: grant.DoGrant, State: grant.Pending, Properties: grant.Properties{"key": "k"}, Applied: []byte(`{"a":1}`),
			Attempts: 2, Since: at(3), DueAt: time.Now(),
		})
		h = s.look(keys)
		want.Token, want.Starts, want.Properties, want.Applied = h.Token, 2, grant.Properties{"key": "k"}, []byte(`{"a":1}`)
		want.Attempts, want.Since = 2, at(3)
		if diff := cmp.Diff(want, h); diff != "" {
			t.Errorf("after a record: -want +got:\n%s", diff)
		}
	})
}

func TestLookFindsNothingToDo(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		s.work(keys)
		for _, id := range []string{keys, "unknown.kind"} {
			if _, err := s.Look(t.Context(), id, time.Minute); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: %v", id, err)
			}
		}
	})
}

func TestLeaseExpires(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		old := s.look(keys)
		if err := s.Renew(t.Context(), old, time.Minute); err != nil {
			t.Errorf("renew: %v", err)
		}
		s.exec(`UPDATE fulfilments SET lease_until = {{now}}`)
		fresh := s.look(keys)
		if fresh.Starts != 2 {
			t.Errorf("%d starts, want 2", fresh.Starts)
		}
		if err := s.Renew(t.Context(), old, time.Minute); !errors.Is(err, ErrNotFound) {
			t.Errorf("renew of a lost lease: %v", err)
		}
		again, lost, err := s.Record(t.Context(), old, grant.Outcome{Action: grant.DoGrant, State: grant.Failed, Class: "permanent"})
		if again != nil || !lost || err != nil {
			t.Errorf("record under a lost lease: %+v, %v, %v", again, lost, err)
		}
		s.wants(keys, grant.Pending, "granted")
		if n := s.count(`SELECT count(*) FROM attempts`); n != 1 {
			t.Errorf("%d in the journal, want 1", n)
		}
		// Who lost the lease may have acted last: so it is done once more.
		if again := s.record(fresh, grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true}); again == nil {
			t.Error("not due again")
		}
		if h := s.work(keys); h.Seen {
			t.Error("held as seen to")
		}
		s.wants(keys, grant.Granted, "granted")
	})
}

func TestRecordOfAGenerationThatMovedStaysDue(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		h := s.look(keys)
		s.hear(news(revoked("g", 2)))
		again := s.record(h, grant.Outcome{
			Action: grant.DoGrant, State: grant.Failed, Class: "permanent", Code: "no", Attempts: 7, Since: at(1),
			Properties: grant.Properties{"key": "k"}, Applied: []byte(`{}`),
		})
		if again == nil || *again != (grant.Due{ID: keys, Kind: "license_keys", Generation: 2, Starts: 1, Revoke: true}) {
			t.Fatalf("again: %+v", again)
		}
		s.wants(keys, grant.Revoking, "revoked")
		h = s.look(keys)
		if h.Attempts != 0 || !h.Since.IsZero() || h.Properties["key"] != "k" {
			t.Errorf("held %+v", h)
		}
		if failed, stuck, err := s.Troubles(t.Context()); failed+stuck != 0 || err != nil {
			t.Errorf("the old generation's failure counts: %d, %d, %v", failed, stuck, err)
		}
	})
}

func TestRecordOfAKindSwitchedOffMeanwhileRests(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		h := s.look(keys)
		s.reroute(func(b grant.Benefit) grant.Route {
			r := byMetadata(b)
			r.Targets[0].Managed = false
			return r
		})
		if _, err := s.Reroute(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.spread()
		s.record(h, grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true})
		if f := s.stored(keys); f.State != grant.Unmanaged || f.Due {
			t.Errorf("%+v", f)
		}
	})
}

func TestRecordKeepsTheNextStep(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		h := s.look(keys)
		if again := s.record(h, grant.Outcome{Action: grant.DoGrant, State: grant.Pending, DueAt: time.Now().Add(time.Hour), Attempts: 1, Class: "transient"}); again != nil {
			t.Errorf("due at once: %+v", again)
		}
		if f := s.stored(keys); f.Due {
			t.Errorf("%+v", f)
		}
		due, err := s.Retry(t.Context(), "g")
		if err != nil || len(due) != 1 {
			t.Fatalf("retry: %+v, %v", due, err)
		}
		if h := s.look(keys); h.Attempts != 0 {
			t.Errorf("%d attempts after a retry", h.Attempts)
		}
	})
}

func TestRetry(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1, "kinds", "license_keys,discord"), granted("g", 1)), news(granted("g2", 1)), news(said("n", 1, grant.SaysNone)))
		for _, kind := range []string{"license_keys", "discord"} {
			s.record(s.look("g."+kind), grant.Outcome{Action: grant.DoGrant, State: grant.Failed, Class: "permanent"})
		}
		if failed, stuck, err := s.Troubles(t.Context()); failed != 2 || stuck != 0 || err != nil {
			t.Errorf("troubles: %d, %d, %v", failed, stuck, err)
		}
		due, err := s.Retry(t.Context(), "g")
		if err != nil || len(due) != 2 || due[0].Starts != 1 || due[0].Revoke {
			t.Errorf("retry: %+v, %v", due, err)
		}
		s.wants(keys, grant.Pending, "granted")
		if due, err := s.Retry(t.Context(), "n"); err != nil || len(due) != 0 {
			t.Errorf("retry of what is not owed: %+v, %v", due, err)
		}
		if _, err := s.Retry(t.Context(), "unknown"); !errors.Is(err, ErrNotFound) {
			t.Errorf("retry of an unknown grant: %v", err)
		}
		s.hear(news(revoked("g", 2)))
		s.record(s.look(keys), grant.Outcome{Action: grant.DoRevoke, State: grant.Revoking, Class: "permanent", DueAt: time.Now().Add(time.Hour)})
		if failed, stuck, err := s.Troubles(t.Context()); failed != 0 || stuck != 1 || err != nil {
			t.Errorf("troubles: %d, %d, %v", failed, stuck, err)
		}
		if due, err := s.Retry(t.Context(), "g"); err != nil || len(due) != 2 || !due[0].Revoke {
			t.Errorf("retry of a revocation: %+v, %v", due, err)
		}
	})
}

func TestRetryOfWhatIsGrantedIsAnotherGeneration(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		generation := func(when string, want int64, o grant.Outcome) {
			t.Helper()
			h := s.look(keys)
			if h.Generation != want || h.Asked != (when != "first") {
				t.Errorf("%s: generation %d, asked %v", when, h.Generation, h.Asked)
			}
			s.record(h, o)
		}
		retry := func() {
			t.Helper()
			if due, err := s.Retry(t.Context(), "g"); len(due) != 1 || err != nil {
				t.Fatalf("%+v, %v", due, err)
			}
		}
		done := grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true}
		failed := func(state grant.State) grant.Outcome {
			return grant.Outcome{Action: grant.DoGrant, State: state, Class: "transient", Attempts: 1, DueAt: time.Now()}
		}
		generation("first", 1, failed(grant.Pending))
		retry()
		generation("while it fails", 1, done)
		retry()
		generation("once it is granted", 2, failed(grant.Granted))
		generation("by itself", 2, done)
		retry()
		retry()
		generation("asked twice", 4, done)
		s.hear(news(revoked("g", 2)))
		retry()
		h := s.look(keys)
		if h.Generation != 5 {
			t.Errorf("while it is to be revoked: generation %d", h.Generation)
		}
		s.record(h, grant.Outcome{Action: grant.DoRevoke, State: grant.Revoked, Done: true})
		retry()
		if h := s.look(keys); h.Generation != 5 || !h.Seen {
			t.Errorf("once it is revoked: generation %d, seen %v", h.Generation, h.Seen)
		}
	})
}

func TestDueIsWhatIsToBeTakenAwayFirst(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("a", 1)), news(granted("b", 1)), news(revoked("c", 1)), news(granted("d", 1)))
		s.exec(`UPDATE fulfilments SET due_at = CASE id WHEN 'a.license_keys' THEN 3 WHEN 'b.license_keys' THEN 2 WHEN 'c.license_keys' THEN 9
			ELSE {{now}} + 60000000 END`)
		for limit, want := range [][]string{nil, {"c"}, {"c", "b"}, {"c", "b", "a"}, {"c", "b", "a"}} {
			due, err := s.Due(t.Context(), "license_keys", limit)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range due {
				got = append(got, d.ID[:1])
				if d.Revoke != (d.ID[:1] == "c") {
					t.Errorf("%+v", d)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("limit %d: -want +got:\n%s", limit, diff)
			}
		}
		if due, err := s.Due(t.Context(), "discord", 9); err != nil || len(due) != 0 {
			t.Errorf("of another kind: %+v, %v", due, err)
		}
	})
}

func TestEqualOutcomesInARowAreFolded(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		attempts := 0
		try := func(code string) {
			attempts++
			o := grant.Outcome{Action: grant.DoGrant, State: grant.Pending, Class: "transient", Code: code, Attempts: attempts, DueAt: time.Now(), Took: time.Second}
			if code == "" {
				o = grant.Outcome{Action: grant.DoGrant, State: grant.Granted, DueAt: time.Now(), Took: time.Second}
				attempts = 0
			}
			s.record(s.look(keys), o)
		}
		for _, code := range []string{"502", "502", "502", "503", "502", "", ""} {
			try(code)
		}
		s.record(s.look(keys), grant.Outcome{Action: grant.DoNothing, State: grant.Granted})
		want := []folded{{"502", 3}, {"503", 1}, {"502", 1}, {"", 2}}
		if diff := cmp.Diff(want, s.journaled()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// folded is a line of the journal.
type folded struct {
	Code  string
	Count int64
}

func (s *shop) journaled() []folded {
	s.t.Helper()
	rows, err := s.read.QueryContext(s.t.Context(), `SELECT code, count FROM attempts ORDER BY id`)
	if err != nil {
		s.t.Fatal(err)
	}
	all, err := collect(rows, func(r rowScanner) (f folded, err error) {
		err = r.Scan(&f.Code, &f.Count)
		return f, err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}
