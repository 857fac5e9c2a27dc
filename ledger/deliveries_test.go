package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fulfilld/grant"
)

// listening opens a ledger on each engine whose endpoints are told of everything.
func listening(t *testing.T, test func(t *testing.T, s *shop)) {
	all := map[string][]string{}
	for _, typ := range grant.Tells {
		all[typ] = []string{"mailer"}
	}
	t.Parallel()
	for name, url := range map[string]func(testing.TB) string{"sqlite": sqliteURL, "postgres": postgresURL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t, url(t), Options{Fast: true, Listeners: all}))
		})
	}
}

// toldOf is what is kept for endpoints about one thing, in order.
func (s *shop) toldOf(subject string) string {
	s.t.Helper()
	rows, err := s.read.rows(s.t.Context(), `SELECT type FROM deliveries WHERE subject = $1 ORDER BY seq`, subject)
	must(s.t, err)
	types, err := collect(rows, scanText)
	must(s.t, err)
	for i := range types {
		types[i] = strings.TrimPrefix(types[i], "benefit_grant.")
	}
	return strings.Join(types, " ")
}

func (s *shop) wantTold(subject, want string) {
	s.t.Helper()
	if got := s.toldOf(subject); got != want {
		s.t.Errorf("told of %s: %q, want %q", subject, got, want)
	}
}

func (s *shop) claim(limit int) []grant.Delivery {
	s.t.Helper()
	all, err := s.Claim(s.t.Context(), "mailer", limit, time.Minute)
	must(s.t, err)
	return all
}

func TestEndpointsAreToldOfGrantRenewalAndEnd(t *testing.T) {
	listening(t, func(t *testing.T, s *shop) {
		ada := grant.Customer{ID: "c", Email: "ada@example.com", Body: json.RawMessage(`{"email":"ada@example.com"}`), Version: version(1)}
		s.hear(news(ada, benefit(1), granted("g", 1)))
		s.wantTold("g", "")
		s.record(s.look(keys), grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true, Properties: grant.Properties{"display_key": "****-1"}, Applied: json.RawMessage("{}")})
		again := granted("g", 2)
		again.Cycle = "2024-02"
		s.hear(news(again), news(again))
		s.record(s.hold(), grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true, Properties: grant.Properties{"display_key": "****-2"}})
		s.hear(news(revoked("g", 3)))
		s.wantTold("g", "created cycled updated")
		s.work(keys)
		s.hear(news(granted("g", 4)))
		s.work(keys)
		s.wantTold("g", "created cycled updated revoked created")
		all := s.claim(10)
		if len(all) != 6 || all[0].Type != grant.TellsBenefitCreated { // the benefit's first
			t.Fatalf("%d deliveries", len(all))
		}
		for i, want := range []string{`"is_granted":true`, `"is_granted":true`, `****-2`, `"is_revoked":true`, `"state":"granted"`} {
			if text := string(all[i+1].Data); !strings.Contains(text, want) || !strings.Contains(text, "ada@example.com") {
				t.Errorf("%s: %s", all[i+1].Type, text)
			}
		}
	})
}

func TestARotatedKeyIsToldOf(t *testing.T) {
	listening(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		k := wanted("ACME-0001")
		k.DisplayKey = "****-A-0001"
		k = s.issue(k)
		s.record(s.look(keys), grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true, Properties: grant.Properties{"display_key": k.DisplayKey}})
		rotated, err := s.RotateLicenseKey(t.Context(), k.ID)
		must(t, err)
		s.wantTold("g", "created updated")
		all := s.claim(10)
		if text := string(all[len(all)-1].Data); !strings.Contains(text, rotated.DisplayKey) || strings.Contains(text, rotated.Key) {
			t.Errorf("told %s", text)
		}
		s.record(s.hold(), grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true, Properties: grant.Properties{"display_key": rotated.DisplayKey}})
		s.wantTold("g", "created updated")
	})
}

func TestAKeyThatTheMerchantChangesIsToldOf(t *testing.T) {
	listening(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		k := s.issue(wanted("ACME-0001"))
		s.record(s.look(keys), grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true,
			Properties: grant.Properties{"display_key": k.DisplayKey, "expires_at": k.ExpiresAt.Format(time.RFC3339), "activation_url": "x"}})
		revise := func(e grant.LicenseKeyEdit, told bool, want string) {
			t.Helper()
			before := s.toldOf("g")
			if _, err := s.ReviseLicenseKey(t.Context(), k.ID, e); err != nil {
				t.Fatal(err)
			}
			if told {
				before += " updated"
			}
			s.wantTold("g", before)
			all := s.claim(10)
			if told && (len(all) == 0 || !strings.Contains(string(all[len(all)-1].Data), `"properties":`+want)) {
				t.Errorf("%+v: told %+v, want %s", e, all, want)
			}
		}
		s.claim(10)
		later := at(200)
		revise(grant.LicenseKeyEdit{ExpiresAt: &later}, true, fmt.Sprintf(`{"activation_url":"x","display_key":%q,"expires_at":%q}`, k.DisplayKey, later.UTC().Format(time.RFC3339)))
		revise(grant.LicenseKeyEdit{ExpiresAt: &later, Usage: number(2), LimitUsage: number(9)}, false, "")
		without := fmt.Sprintf(`{"activation_url":"x","display_key":%q}`, k.DisplayKey)
		revise(grant.LicenseKeyEdit{ExpiresAt: &time.Time{}}, true, without)
		revise(grant.LicenseKeyEdit{Status: "disabled"}, true, without)
		revise(grant.LicenseKeyEdit{Status: "disabled"}, false, "")
		revise(grant.LicenseKeyEdit{Status: "granted"}, true, without)
		if f := s.stored(keys); f.State != grant.Granted {
			t.Errorf("the grant is %s", f.State)
		}
	})
}

// hold looks at the one fulfilment, due or not.
func (s *shop) hold() grant.Held {
	s.t.Helper()
	s.exec(`UPDATE fulfilments SET due_at = 1 WHERE id = $1`, keys)
	return s.look(keys)
}

// waits is the outcome of an attempt that waits, and what the operator reads of it.
func waits(code, text string) grant.Outcome {
	return grant.Outcome{Action: grant.DoGrant, State: grant.Waiting, Class: "action_required", Code: code, Text: text, DueAt: time.Now().Add(time.Hour)}
}

func TestACustomerWhoMustActIsToldOf(t *testing.T) {
	listening(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		s.record(s.look(keys), waits("no_account", "`fulfilld customers link c github:…` says it"))
		s.record(s.hold(), waits("no_account", "`fulfilld customers link c github:… --member m` says it")) // no other news for the customer
		s.wantTold("g", "updated")
		all := s.claim(10)
		if text := string(all[len(all)-1].Data); !strings.Contains(text, `"error":{"message":"Tell the seller which account is yours.","type":"BenefitActionRequiredError"`) || strings.Contains(text, "fulfilld customers") {
			t.Errorf("%s", text)
		}
		s.record(s.hold(), grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true})
		s.wantTold("g", "updated created")
	})
}

func TestWhatTheMerchantMustDoIsNotForTheCustomer(t *testing.T) {
	listening(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		s.record(s.look(keys), waits(grant.FileMissingCode, "waiting on the merchant: `fulfilld files put --id f`"))
		s.wantTold("g", "updated")
		all := s.claim(10)
		if text := string(all[len(all)-1].Data); !strings.Contains(text, `"error":null`) || !strings.Contains(text, `"state":"waiting"`) || strings.Contains(text, "files put") {
			t.Errorf("%s", text)
		}
	})
}

func TestTheEndOfWhatWaitedIsTold(t *testing.T) {
	listening(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		want := ""
		for n := 2; n < 6; n += 2 { // and again
			s.record(s.look(keys), waits("no_account", "link it"))
			s.hear(news(revoked("g", n)))
			s.record(s.hold(), grant.Outcome{Action: grant.DoRevoke, State: grant.Revoked, Done: true})
			s.record(s.hold(), grant.Outcome{Action: grant.DoNothing, State: grant.Revoked})
			want = strings.TrimSpace(want + " updated revoked")
			s.wantTold("g", want)
			s.hear(news(granted("g", n+1)))
		}
		s.hear(news(granted("h", 1)))
		s.record(s.look("h.license_keys"), waits("no_account", "link it"))
		s.exec(`UPDATE announced SET state = '' WHERE grant_id = 'h'`) // as it was written down at first
		s.hear(news(revoked("h", 2)))
		s.work("h.license_keys")
		s.wantTold("h", "updated revoked")
	})
}

func TestAGrantOfSeveralKindsBeginsAndEndsOnce(t *testing.T) {
	listening(t, func(t *testing.T, s *shop) {
		ids := []string{"g.discord", "g.files", "g.github_repository", "g.license_keys"}
		s.hear(news(benefit(1, "kinds", "discord,files,github_repository,license_keys"), granted("g", 1)))
		s.atOnce(ids)
		s.wantTold("g", "created")
		s.hear(news(revoked("g", 2)))
		s.atOnce(ids)
		s.wantTold("g", "created revoked")
	})
}

// atOnce has a worker for each fulfilment.
func (s *shop) atOnce(ids []string) {
	s.t.Helper()
	var wg sync.WaitGroup
	for _, id := range ids {
		h := s.look(id)
		o := grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true, Applied: json.RawMessage("{}")}
		if h.Verdict.Desired == grant.OwedRevoked {
			o.Action, o.State = grant.DoRevoke, grant.Revoked
		}
		wg.Go(func() {
			if _, lost, err := s.Record(s.t.Context(), h, o); lost || err != nil {
				s.t.Errorf("%s: lost %v, %v", h.ID, lost, err)
			}
		})
	}
	wg.Wait()
}

func TestWhatWasGrantedBeforeAnybodyListenedIsNoNews(t *testing.T) {
	listening(t, func(t *testing.T, s *shop) {
		deaf := s.opts
		deaf.Listeners = nil
		hears := s.opts
		s.reopen(deaf)
		s.hear(news(benefit(1), granted("g", 1), granted("h", 1)))
		for _, id := range []string{"g", "h"} {
			s.record(s.look(id+".license_keys"), grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true, Applied: json.RawMessage("{}")})
		}
		if n := s.count(`SELECT count(*) FROM deliveries`) + s.count(`SELECT count(*) FROM announced`); n != 0 {
			t.Errorf("%d rows for nobody", n)
		}
		s.reopen(hears)
		s.record(s.hold(), grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true})
		s.wantTold("g", "")
		s.hear(news(revoked("g", 2), revoked("h", 2)))
		s.work(keys)
		s.work("h.license_keys")
		s.wantTold("g", "revoked")
		s.wantTold("h", "revoked")
	})
}

func TestAKindThatJoinsAnOldGrantMakesItNoNewOne(t *testing.T) {
	listening(t, func(t *testing.T, s *shop) {
		hears := s.opts
		deaf := s.opts
		deaf.Listeners = nil
		s.reopen(deaf)
		s.hear(news(benefit(1), granted("g", 1)))
		s.work(keys)
		s.reopen(hears)
		if _, err := s.Through(t.Context(), keys, nil); !errors.Is(err, ErrNotFound) { // nothing is due
			t.Error(err)
		}
		s.hear(news(benefit(2, "kinds", "license_keys,discord")))
		s.spread()
		s.record(s.look("g.discord"), grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true, Properties: grant.Properties{"role": "pro"}})
		s.wantTold("g", "updated")
	})
}

// reopen closes the ledger and opens it with other options.
func (s *shop) reopen(o Options) {
	s.t.Helper()
	must(s.t, s.Close())
	s.opts = o
	s.Ledger = s.another()
}

func TestAnEndOfWhatNeverBeganIsNoNews(t *testing.T) {
	listening(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), revoked("g", 1)))
		s.work(keys)
		s.wantTold("g", "")
	})
}

func TestEndpointsAreToldOfBenefitsAsTheyChange(t *testing.T) {
	listening(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		s.hear(news(benefit(2), granted("g", 2))) // the same, with later news
		s.hear(news(benefit(3, "color", "blue")))
		s.reroute(func(b grant.Benefit) grant.Route {
			r := byMetadata(b)
			r.Targets[0].Params = json.RawMessage(`{"prefix":"ACME"}`)
			return r
		})
		if _, err := s.Reroute(t.Context()); err != nil {
			t.Fatal(err)
		}
		gone := benefit(4, "color", "blue")
		gone.DeletedAt = at(4)
		s.hear(news(gone), news(gone))
		s.wantTold("b", "benefit.created benefit.updated benefit.updated benefit.updated")
	})
}

func TestWhatIsRolledBackIsNotTold(t *testing.T) {
	listening(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		h := s.look(keys)
		h.Token = "another's"
		if _, lost, err := s.Record(t.Context(), h, grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true}); !lost || err != nil {
			t.Errorf("lost %v, %v", lost, err)
		}
		s.wantTold("g", "")
		err := s.writers.do(t.Context(), work, func(tx *tx) error {
			if err := tx.tell(s.Ledger, grant.TellsCreated, "g", "c", "x"); err != nil {
				return err
			}
			return ErrNotFound
		})
		if err == nil {
			t.Error("committed")
		}
		s.wantTold("g", "")
	})
}

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
