package ledger

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fulfilld/grant"
)

// refusal is the code of an error; empty for none.
func refusal(t *testing.T, err error) grant.KeyCode {
	t.Helper()
	var r *grant.KeyRefusal
	if err != nil && !errors.As(err, &r) {
		t.Fatal(err)
	}
	if r == nil {
		return ""
	}
	return r.Code
}

// use is what an app asks of the key "one".
func use(change ...func(*grant.KeyUse)) grant.KeyUse {
	u := grant.KeyUse{Key: "one", OrganizationID: "org"}
	for _, c := range change {
		c(&u)
	}
	return u
}

// issued has the key "one", which never expires, with limits.
func (s *shop) issued(activations, usage *int64) grant.LicenseKey {
	s.t.Helper()
	s.born(keys)
	k := wanted("one")
	k.LimitActivations, k.LimitUsage, k.ExpiresAt = activations, usage, time.Time{}
	return s.issue(k)
}

// fleet is several ledgers on one database; on SQLite, which has one daemon, one.
func (s *shop) fleet() []*Ledger {
	if s.Engine() == "sqlite" {
		return []*Ledger{s.Ledger}
	}
	return []*Ledger{s.Ledger, s.another()}
}

// together runs do eight times at once on each ledger of the fleet.
func (s *shop) together(do func(*Ledger)) {
	var wg sync.WaitGroup
	for _, l := range s.fleet() {
		for range 8 {
			wg.Go(func() { do(l) })
		}
	}
	wg.Wait()
}

func TestExactlyAsManyActivationsSucceedAsThereArePlaces(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.issued(number(5), nil)
		var won, full atomic.Int64
		s.together(func(l *Ledger) {
			for n := range 2 {
				_, _, err := l.ActivateKey(t.Context(), use(), grant.Activation{Label: fmt.Sprint(n), Meta: []byte("{}")})
				var r *grant.KeyRefusal
				switch {
				case err == nil:
					won.Add(1)
				case errors.As(err, &r) && r.Code == grant.KeyLimitReached:
					full.Add(1)
				default:
					t.Error(err)
				}
			}
		})
		all, err := s.Activations(t.Context(), licenseID(keys))
		if won.Load() != 5 || full.Load() == 0 || len(all) != 5 || err != nil {
			t.Errorf("%d won, %d did not, %d are stored, %v", won.Load(), full.Load(), len(all), err)
		}
	})
}

func TestActivationsFreeTheirPlaces(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		k := s.issued(number(1), nil)
		_, a, err := s.ActivateKey(t.Context(), use(), grant.Activation{Label: "laptop", Conditions: `{"major":1}`, Meta: []byte(`{"ip":"::1"}`)})
		if err != nil || a.ID == "" || a.LicenseKeyID != k.ID || a.CreatedAt.IsZero() {
			t.Fatalf("%+v, %v", a, err)
		}
		stored, err := s.Activations(t.Context(), k.ID)
		if err != nil || len(stored) != 1 || stored[0].ID != a.ID || stored[0].Label != "laptop" || string(stored[0].Meta) != `{"ip":"::1"}` || !stored[0].CreatedAt.Equal(a.CreatedAt) {
			t.Errorf("stored %+v, %v", stored, err)
		}
		must(t, s.RevokeLicenseKey(t.Context(), keys, 1))
		at := use(func(u *grant.KeyUse) { u.ActivationID = a.ID })
		must(t, s.DeactivateKey(t.Context(), at))
		if code := refusal(t, s.DeactivateKey(t.Context(), at)); code != grant.ActivationNotFound {
			t.Errorf("once more: %q", code)
		}
		at.OrganizationID = "another"
		if code := refusal(t, s.DeactivateKey(t.Context(), at)); code != grant.KeyNotFound {
			t.Errorf("for another organization: %q", code)
		}
		s.issue(wanted("two"))
		s.exec(`UPDATE license_keys SET merchant_limit_activations = 1, merchant_expires_at = -1`)
		if _, _, err := s.ActivateKey(t.Context(), use(), grant.Activation{}); err != nil {
			t.Errorf("the place that was freed: %v", err)
		}
	})
}

func TestRevokingAndRotatingKeepActivations(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		k := s.issued(number(2), nil)
		_, a, err := s.ActivateKey(t.Context(), use(), grant.Activation{Label: "laptop", Meta: []byte("{}")})
		must(t, err)
		must(t, s.RevokeLicenseKey(t.Context(), keys, 1))
		if _, _, err := s.ActivateKey(t.Context(), use(), grant.Activation{}); refusal(t, err) != grant.KeyRevoked {
			t.Error("a revoked key was activated")
		}
		s.issue(wanted("two"))
		_, err = s.ReviseLicenseKey(t.Context(), k.ID, grant.LicenseKeyEdit{ExpiresAt: &time.Time{}})
		must(t, err)
		rotated, err := s.RotateLicenseKey(t.Context(), k.ID)
		must(t, err)
		_, found, err := s.ValidateKey(t.Context(), use(func(u *grant.KeyUse) { u.Key, u.ActivationID = rotated.Key, a.ID }))
		if err != nil || found == nil || found.Label != "laptop" {
			t.Errorf("%+v, %v", found, err)
		}
	})
}

func TestADeletedCustomersActivationsAreForgotten(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(ada(1), benefit(1), granted("g", 1)))
		s.record(s.look(keys), grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true, Properties: grant.Properties{"display_key": "****-one"}})
		k := wanted("one")
		k.ExpiresAt = time.Time{}
		s.issue(k)
		_, _, err := s.ActivateKey(t.Context(), use(), grant.Activation{Label: "ada's laptop", Conditions: `{"of":"ada"}`, Meta: []byte(`{"user":"ada"}`)})
		must(t, err)
		s.hear(news(adaDeleted(5)))
		s.work(keys)
		s.retain()
		if rows := s.known("activations"); len(rows) > 0 {
			t.Errorf("%q", rows)
		}
		if all, err := s.Activations(t.Context(), licenseID(keys)); err != nil || len(all) != 1 || string(all[0].Meta) != "{}" {
			t.Errorf("%+v, %v", all, err)
		}
	})
}
