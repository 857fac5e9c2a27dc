package ledger

import (
	"errors"
	"testing"
	"time"

	"fulfilld/grant"
)

func TestAValidationIsRefusedInThePlatformsOrder(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		k := s.issued(number(3), number(10))
		_, a, err := s.ActivateKey(t.Context(), use(), grant.Activation{Conditions: `{"major":1}`, Meta: []byte("{}")})
		must(t, err)
		for _, tt := range []struct {
			name string
			set  string // of the key
			use  func(*grant.KeyUse)
			want grant.KeyCode
		}{
			{"Good", ``, func(u *grant.KeyUse) { u.BenefitID, u.CustomerID = "b", "c" }, ""},
			{"UnknownKey", ``, func(u *grant.KeyUse) { u.Key = "two" }, grant.KeyNotFound},
			{"AnotherOrganization", `active = 0`, func(u *grant.KeyUse) { u.OrganizationID = "another" }, grant.KeyNotFound},
			{"RevokedBeforeExpired", `active = 0, expires_at = 1`, nil, grant.KeyRevoked},
			{"Disabled", `merchant_status = 'disabled'`, nil, grant.KeyDisabled},
			{"RevokedByTheMerchant", `merchant_status = 'revoked'`, nil, grant.KeyRevoked},
			{"ExpiredBeforeActivation", `expires_at = 1`, func(u *grant.KeyUse) { u.ActivationID = "none" }, grant.KeyExpired},
			{"NoSuchActivationBeforeBenefit", ``, func(u *grant.KeyUse) { u.ActivationID, u.BenefitID = "none", "x" }, grant.ActivationNotFound},
			{"ConditionsBeforeBenefit", ``, func(u *grant.KeyUse) { u.ActivationID, u.BenefitID = a.ID, "x" }, grant.ConditionsMismatch},
			{"ConditionsMatch", ``, func(u *grant.KeyUse) { u.ActivationID, u.Conditions = a.ID, `{"major":1}` }, ""},
			{"ConditionsWithoutActivation", ``, func(u *grant.KeyUse) { u.Conditions = `{"any":1}` }, ""},
			{"BenefitBeforeCustomer", ``, func(u *grant.KeyUse) { u.BenefitID, u.CustomerID = "x", "x" }, grant.BenefitMismatch},
			{"CustomerBeforeUsage", ``, func(u *grant.KeyUse) { u.CustomerID, u.Increment = "x", 99 }, grant.CustomerMismatch},
			{"UsageBeyondItsLimit", ``, func(u *grant.KeyUse) { u.Increment = 11 }, grant.KeyLimitReached},
		} {
			s.exec(`UPDATE license_keys SET active = 1, merchant_status = '', expires_at = 0`)
			if tt.set != "" {
				s.exec(`UPDATE license_keys SET ` + tt.set)
			}
			if tt.use == nil {
				tt.use = func(*grant.KeyUse) {}
			}
			if _, _, err := s.ValidateKey(t.Context(), use(tt.use)); refusal(t, err) != tt.want {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
			}
		}
		must(t, s.tally.flush())
		if got, err := s.LicenseKey(t.Context(), k.ID); err != nil || got.Validations != 3 || got.Usage != 0 {
			t.Errorf("only what was good is counted: %+v, %v", got, err)
		}
	})
}

func TestActivationsAreRefusedInThePlatformsOrder(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.issued(number(1), nil)
		for _, tt := range []struct {
			set  string
			want grant.KeyCode
		}{
			{`active = 0, expires_at = 1`, grant.KeyRevoked},
			{`merchant_status = 'disabled', limit_activations = NULL`, grant.KeyDisabled},
			{`expires_at = 1, limit_activations = NULL`, grant.KeyExpired},
			{`limit_activations = NULL`, grant.ActivationUnsupported},
			{`active = 1`, ""},
			{`active = 1`, grant.KeyLimitReached},
		} {
			s.exec(`UPDATE license_keys SET active = 1, merchant_status = '', expires_at = 0, limit_activations = 1`)
			s.exec(`UPDATE license_keys SET ` + tt.set)
			if _, _, err := s.ActivateKey(t.Context(), use(), grant.Activation{}); refusal(t, err) != tt.want {
				t.Errorf("%s: %v, want %q", tt.set, err, tt.want)
			}
		}
		other := use(func(u *grant.KeyUse) { u.OrganizationID = "another" })
		if _, _, err := s.ActivateKey(t.Context(), other, grant.Activation{}); refusal(t, err) != grant.KeyNotFound {
			t.Errorf("another organization's: %v", err)
		}
	})
}

func TestUsageNeitherLosesNorDoublesAnIncrement(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		k := s.issued(nil, number(100))
		s.together(func(l *Ledger) {
			for range 10 {
				_, _, err := l.ValidateKey(t.Context(), use(func(u *grant.KeyUse) { u.Increment = 1 }))
				var r *grant.KeyRefusal
				if err != nil && !errors.As(err, &r) {
					t.Error(err)
				}
			}
		})
		want := min(100, int64(len(s.fleet())*80))
		if got, err := s.LicenseKey(t.Context(), k.ID); err != nil || got.Usage != want {
			t.Errorf("usage %d, want %d, %v", got.Usage, want, err)
		}
		_, _, err := s.ValidateKey(t.Context(), use(func(u *grant.KeyUse) { u.Increment = 21 }))
		var r *grant.KeyRefusal
		if !errors.As(err, &r) || r.Left != 100-want {
			t.Errorf("%v: %+v", err, r)
		}
	})
}

func TestValidationsAreWrittenTogether(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		k := s.issued(nil, nil)
		for n := range int64(3) {
			got, _, err := s.ValidateKey(t.Context(), use())
			if err != nil || got.Validations != n+1 || time.Since(got.LastValidatedAt) > time.Minute {
				t.Errorf("%+v, %v", got.LicenseKey, err)
			}
		}
		other := s.Ledger
		if s.Engine() == "postgres" {
			other = s.another()
			_, _, err := other.ValidateKey(t.Context(), use())
			must(t, err)
			must(t, s.Close())
			must(t, other.tally.flush())
		} else {
			must(t, s.tally.flush())
		}
		got, err := other.LicenseKey(t.Context(), k.ID)
		want := map[string]int64{"sqlite": 3, "postgres": 4}[other.Engine()]
		if err != nil || got.Validations != want || got.LastValidatedAt.IsZero() {
			t.Errorf("%+v, %v", got.LicenseKey, err)
		}
	})
}

func TestValidationsThatCouldNotBeWrittenAreWrittenLater(t *testing.T) {
	t.Parallel()
	var broken error = errors.New("disk full")
	var wrote int64
	c := newTally(func(ids []string, counts map[string]counted) error {
		if broken == nil {
			wrote += counts[ids[0]].validations
		}
		return broken
	})
	c.add("k", at(2))
	if err := c.flush(); !errors.Is(err, broken) {
		t.Error(err)
	}
	if n := c.add("k", at(1)); n != 2 {
		t.Errorf("%d wait, want 2", n)
	}
	broken = nil
	if err := c.stop(); err != nil || wrote != 2 {
		t.Errorf("wrote %d, %v", wrote, err)
	}
	n := c.add("k", at(3))
	c.mu.Lock() // a timer of before may be at it
	defer c.mu.Unlock()
	if n != 1 || c.timer != nil && c.timer.Stop() {
		t.Errorf("after its end: %d", n)
	}
}

func TestWhatTheMerchantSaysCountsAtOnceForEveryDaemon(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		k := s.issued(number(1), nil)
		fleet := s.fleet()
		other := fleet[len(fleet)-1]
		for _, tt := range []struct {
			edit grant.LicenseKeyEdit
			want grant.KeyCode
		}{
			{grant.LicenseKeyEdit{Status: "disabled"}, grant.KeyDisabled},
			{grant.LicenseKeyEdit{Usage: number(3)}, grant.KeyDisabled},
			{grant.LicenseKeyEdit{Status: "revoked"}, grant.KeyRevoked},
			{grant.LicenseKeyEdit{Status: "granted"}, ""},
			{grant.LicenseKeyEdit{LimitUsage: number(3)}, grant.KeyLimitReached},
			{grant.LicenseKeyEdit{LimitUsage: number(grant.Unlimited)}, ""},
			{grant.LicenseKeyEdit{ExpiresAt: pointer(at(1))}, grant.KeyExpired},
			{grant.LicenseKeyEdit{ExpiresAt: &time.Time{}}, ""},
		} {
			_, err := s.ReviseLicenseKey(t.Context(), k.ID, tt.edit)
			must(t, err)
			if _, _, err := other.ValidateKey(t.Context(), use(func(u *grant.KeyUse) { u.Increment = 1 })); refusal(t, err) != tt.want {
				t.Errorf("%+v: %v, want %q", tt.edit, err, tt.want)
			}
		}
		must(t, s.RevokeLicenseKey(t.Context(), keys, 1))
		if _, _, err := other.ValidateKey(t.Context(), use()); refusal(t, err) != grant.KeyRevoked {
			t.Errorf("after the shop's revoke: %v", err)
		}
		if _, err := s.ReviseLicenseKey(t.Context(), k.ID, grant.LicenseKeyEdit{Status: "granted"}); refusal(t, err) != grant.KeyRevoked {
			t.Errorf("what is not owed was brought back: %v", err)
		}
		if _, err := s.ReviseLicenseKey(t.Context(), "none", grant.LicenseKeyEdit{}); !errors.Is(err, ErrNotFound) {
			t.Errorf("no key: %v", err)
		}
	})
}

func pointer[T any](v T) *T { return &v }

func TestARotatedKeyHasAnotherTextAtOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		want := wanted("ACME PRO-1C285B2D-6CE6-4BC7-B8BE-ADB6A7E304DA")
		want.DisplayKey, want.ExpiresAt = "****-E304DA", time.Time{}
		s.record(s.look(keys), grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true,
			Properties: grant.Properties{"display_key": want.DisplayKey, "activation_url": "https://acme.example/%2A%2A%2A%2A-E304DA"}})
		first := s.issue(want)
		k, err := s.RotateLicenseKey(t.Context(), first.ID)
		must(t, err)
		if k.ID != first.ID || k.Key == first.Key || k.Key[:9] != "ACME PRO-" || len(k.Key) != len(first.Key) || k.DisplayKey != "****-"+k.Key[len(k.Key)-6:] || k.ModifiedAt.IsZero() {
			t.Errorf("%+v", k.LicenseKey)
		}
		old := use(func(u *grant.KeyUse) { u.Key = first.Key })
		if _, _, err := s.ValidateKey(t.Context(), old); refusal(t, err) != grant.KeyNotFound {
			t.Errorf("the old text: %v", err)
		}
		if n := s.count(`SELECT count(*) FROM fulfilments WHERE properties LIKE '%E304DA%'`); n != 0 {
			t.Error("the old display key is still shown with the grant")
		}
		if n := s.count(`SELECT count(*) FROM fulfilments WHERE properties LIKE $1`, "%/%2A%2A%2A%2A-"+k.Key[len(k.Key)-6:]+`"%`); n != 1 {
			t.Error("the link does not have the new display key")
		}
		_, err = s.ReviseLicenseKey(t.Context(), k.ID, grant.LicenseKeyEdit{Status: "disabled"})
		must(t, err)
		_, err = s.RotateLicenseKey(t.Context(), k.ID)
		must(t, err)
		_, err = s.ReviseLicenseKey(t.Context(), k.ID, grant.LicenseKeyEdit{Status: "revoked"})
		must(t, err)
		if _, err = s.RotateLicenseKey(t.Context(), k.ID); refusal(t, err) != grant.KeyRevoked {
			t.Errorf("a revoked key: %v", err)
		}
	})
}
