package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
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
