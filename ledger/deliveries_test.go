package ledger

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fulfilld/grant"
)

func TestTwoDaemonsShareWhatIsToBeDelivered(t *testing.T) {
	listening(t, func(t *testing.T, s *shop) {
		const n = 60
		must(t, s.writers.do(t.Context(), work, func(tx *tx) error {
			for i := range n {
				if err := tx.tell(s.Ledger, grant.TellsCreated, fmt.Sprint(i), "c", i); err != nil {
					return err
				}
			}
			return nil
		}))
		others := []*Ledger{s.Ledger}
		if s.Engine() == "postgres" {
			others = append(others, s.another())
		}
		var seen sync.Map
		var total atomic.Int64
		var wg sync.WaitGroup
		for _, l := range append(others, others...) {
			wg.Go(func() {
				for total.Load() < n {
					all, err := l.Claim(t.Context(), "mailer", 4, time.Minute)
					if err != nil {
						t.Error(err)
						return
					}
					for _, d := range all {
						if _, twice := seen.LoadOrStore(d.ID, true); twice {
							t.Errorf("%s is claimed twice", d.ID)
						}
						total.Add(1)
						if err := l.Delivered(t.Context(), d); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		wg.Wait()
		if left := s.count(`SELECT count(*) FROM deliveries WHERE due_at > 0 OR done_at = 0 OR data <> ''`); left != 0 {
			t.Errorf("%d are left, or their data", left)
		}
	})
}

func TestALeaseThatRunsOutIsTakenOver(t *testing.T) {
	listening(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1)))
		first := s.claim(1)
		if len(s.claim(1)) != 0 {
			t.Fatal("claimed twice")
		}
		s.exec(`UPDATE deliveries SET lease_until = 1`)
		second := s.claim(1)
		if len(second) != 1 || second[0].ID != first[0].ID {
			t.Fatalf("%+v", second)
		}
		must(t, s.Delivered(t.Context(), first[0])) // too late
		if n := s.count(`SELECT count(*) FROM deliveries WHERE done_at > 0`); n != 0 {
			t.Error("recorded under a lease that was lost")
		}
		if up, err := s.Postpone(t.Context(), first[0], time.Hour, time.Hour, "x"); up || err != nil {
			t.Error(up, err)
		}
		must(t, s.Delivered(t.Context(), second[0]))
		if n := s.count(`SELECT count(*) FROM deliveries WHERE done_at > 0 AND data = ''`); n != 1 {
			t.Error("not recorded")
		}
	})
}

func TestADeliveryIsGivenUpAndRetried(t *testing.T) {
	listening(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1)))
		up, err := s.Postpone(t.Context(), s.claim(1)[0], 0, 72*time.Hour, "answered 500")
		if up || err != nil {
			t.Fatal(up, err)
		}
		s.exec(`UPDATE deliveries SET since = {{now}} - $1`, (73 * time.Hour).Microseconds())
		if up, err = s.Postpone(t.Context(), s.claim(1)[0], 0, 72*time.Hour, "answered 501"); !up || err != nil {
			t.Fatal(up, err)
		}
		all, total, err := s.Deliveries(t.Context(), grant.DeliveryFilter{States: []grant.DeliveryState{grant.DeliveryFailed}, Endpoints: []string{"mailer"}}, grant.Page{Number: 1, Limit: 10})
		if err != nil || total != 1 || all[0].State() != grant.DeliveryFailed || all[0].Error != "answered 501" || all[0].Attempts != 2 || all[0].Data != nil {
			t.Errorf("%+v of %d, %v", all, total, err)
		}
		if _, failed, err := s.Undelivered(t.Context()); failed != 1 || err != nil {
			t.Error(failed, err)
		}
		if n, err := s.Redeliver(t.Context(), all[0].ID); n != 1 || err != nil {
			t.Error(n, err)
		}
		if waiting, failed, err := s.Undelivered(t.Context()); waiting["mailer"] != 1 || failed != 0 || err != nil {
			t.Error(waiting, failed, err)
		}
		must(t, s.Delivered(t.Context(), s.claim(1)[0]))
		if n, err := s.Redeliver(t.Context(), ""); n != 0 || err != nil {
			t.Errorf("%d delivered ones, %v", n, err)
		}
	})
}

func TestDeliveriesAreForgottenInTime(t *testing.T) {
	listening(t, func(t *testing.T, s *shop) {
		s.hear(news(grant.Customer{ID: "c", Email: "ada@example.com", Version: version(1)}, benefit(1), granted("g", 1)))
		s.work(keys)
		s.exec(`UPDATE deliveries SET created_at = created_at - $1`, (4 * day).Microseconds())
		if _, err := s.Retain(t.Context(), 90*day, 400*day); err != nil {
			t.Fatal(err)
		}
		s.wantTold("g", "created")
		s.hear(news(grant.Customer{ID: "c", DeletedAt: at(2), Version: version(2)}))
		if _, err := s.Retain(t.Context(), 90*day, 400*day); err != nil {
			t.Fatal(err)
		}
		s.wantTold("g", "")
		s.wantTold("b", "benefit.created")
		if _, err := s.Retain(t.Context(), 3*day, 400*day); err != nil {
			t.Fatal(err)
		}
		s.wantTold("b", "")
	})
}

func TestAnEndpointThatFailsForLongIsNamed(t *testing.T) {
	listening(t, func(t *testing.T, s *shop) {
		failing := func(when string, want ...string) {
			t.Helper()
			got, err := s.Failing(t.Context())
			if !slices.Equal(got, want) || err != nil {
				t.Errorf("%s: failing are %q, %v", when, got, err)
			}
		}
		s.hear(news(benefit(1), granted("g", 1)))
		failing("before any try")
		all := s.claim(10)
		for _, d := range all {
			_, err := s.Postpone(t.Context(), d, time.Hour, day, "answered 500")
			must(t, err)
		}
		failing("for a moment")
		s.exec(`UPDATE deliveries SET since = {{now}} - $1`, (61 * time.Minute).Microseconds())
		failing("for an hour", "mailer")
		s.exec(`UPDATE deliveries SET endpoint = 'former'`)
		failing("one that is no longer configured")
		s.exec(`UPDATE deliveries SET endpoint = 'mailer', lease_token = $1, lease_until = {{now}} + 60000000`, all[0].Token)
		for _, d := range all {
			must(t, s.Delivered(t.Context(), d))
		}
		failing("once it has taken them")
	})
}

func TestThereIsWordOfWhatIsToBeDelivered(t *testing.T) {
	t.Parallel()
	var rung atomic.Int64
	s := open(t, sqliteURL(t), Options{Fast: true, Listeners: map[string][]string{grant.TellsCreated: {"mailer", "audit"}}, OnDelivery: func() { rung.Add(1) }})
	s.hear(news(benefit(1), granted("g", 1)))
	if rung.Load() != 0 {
		t.Error("word of nothing")
	}
	s.work(keys)
	if rung.Load() != 1 || s.toldOf("g") != "created created" {
		t.Errorf("%d times; %s", rung.Load(), s.toldOf("g"))
	}
	k := s.issue(wanted("ACME-0001"))
	if _, err := s.RotateLicenseKey(t.Context(), k.ID); err != nil || rung.Load() != 2 {
		t.Errorf("%d times with a key that was rotated, %v", rung.Load(), err)
	}
	if _, err := s.ReviseLicenseKey(t.Context(), k.ID, grant.LicenseKeyEdit{Status: "disabled"}); err != nil || rung.Load() != 3 {
		t.Errorf("%d times with a key that was disabled, %v", rung.Load(), err)
	}
}
