package ledger

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fulfilld/grant"
)

func number(n int64) *int64 { return &n }

func wanted(key string) grant.LicenseKey {
	return grant.LicenseKey{
		FulfilmentID: keys, BenefitID: "b", CustomerID: "c", OrganizationID: "org", Key: key, DisplayKey: "****-" + key,
		LimitActivations: number(3), ExpiresAt: at(100),
	}
}

func (s *shop) issue(want grant.LicenseKey) grant.LicenseKey {
	s.t.Helper()
	k, err := s.IssueLicenseKey(s.t.Context(), want)
	if err != nil {
		s.t.Fatal(err)
	}
	return k
}

func TestKeyIsIssuedOnceToEightCallers(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		var wg sync.WaitGroup
		got := make([]grant.LicenseKey, 8)
		for i := range got {
			wg.Go(func() {
				k, err := s.IssueLicenseKey(t.Context(), wanted(fmt.Sprint("key-", i)))
				if err != nil {
					t.Error(err)
				}
				got[i] = k
			})
		}
		wg.Wait()
		for _, k := range got[1:] {
			if diff := cmp.Diff(got[0], k); diff != "" {
				t.Errorf("one caller's and another's:\n%s", diff)
			}
		}
		stored, err := s.LicenseKeyOf(t.Context(), keys)
		if diff := cmp.Diff(got[0], stored); diff != "" || err != nil {
			t.Errorf("returned and stored, %v:\n%s", err, diff)
		}
		want := wanted(stored.Key)
		want.ID, want.DisplayKey, want.CreatedAt, want.Active = licenseID(keys), "****-"+stored.Key, stored.CreatedAt, true
		if diff := cmp.Diff(want, stored); diff != "" || stored.CreatedAt.IsZero() {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestKeyComesBackAsItWas(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		first := s.issue(wanted("one"))
		s.exec(`UPDATE license_keys SET usage = 5, validations = 7, last_validated_at = $1`, micros(at(5)))
		for range 2 {
			if err := s.RevokeLicenseKey(t.Context(), keys); err != nil {
				t.Fatal(err)
			}
		}
		revoked, err := s.LicenseKeyOf(t.Context(), keys)
		if err != nil || revoked.Active || revoked.Status() != "revoked" || revoked.ModifiedAt.IsZero() {
			t.Errorf("revoked: %+v, %v", revoked, err)
		}
		back := s.issue(wanted("two"))
		if back.Key != "one" || !back.Active || back.Usage != 5 || back.Validations != 7 || !back.LastValidatedAt.Equal(at(5)) || !back.CreatedAt.Equal(first.CreatedAt) {
			t.Errorf("back: %+v", back)
		}
	})
}

func TestMerchantsWordOutlivesTheGrant(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.issue(wanted("one"))
		s.exec(`UPDATE license_keys SET merchant_status = 'disabled', merchant_limit_activations = 9, merchant_limit_usage = -1, merchant_expires_at = -1`)
		if err := s.RevokeLicenseKey(t.Context(), keys); err != nil {
			t.Fatal(err)
		}
		want := wanted("one")
		want.LimitActivations, want.LimitUsage = number(4), number(100)
		k := s.issue(want)
		if k.Status() != "disabled" || k.LimitActivations == nil || *k.LimitActivations != 9 || k.LimitUsage != nil || !k.ExpiresAt.IsZero() {
			t.Errorf("%+v", k)
		}
		s.exec(`UPDATE license_keys SET merchant_status = '', merchant_limit_activations = NULL, merchant_limit_usage = NULL, merchant_expires_at = NULL`)
		k = s.issue(want)
		if k.Status() != "granted" || *k.LimitActivations != 4 || *k.LimitUsage != 100 || !k.ExpiresAt.Equal(at(100)) {
			t.Errorf("once the merchant has lifted it: %+v", k)
		}
	})
}

func TestKeyIsModifiedOnlyByAChange(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.issue(wanted("one"))
		if k := s.issue(wanted("one")); !k.ModifiedAt.IsZero() {
			t.Errorf("modified at %v by the same again", k.ModifiedAt)
		}
		unlimited := wanted("one")
		unlimited.LimitActivations, unlimited.ExpiresAt = nil, time.Time{}
		if k := s.issue(unlimited); k.ModifiedAt.IsZero() || k.LimitActivations != nil || !k.ExpiresAt.IsZero() {
			t.Errorf("%+v", k)
		}
	})
}

func TestNoKeyIsNoTrouble(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		if err := s.RevokeLicenseKey(t.Context(), keys); err != nil {
			t.Error(err)
		}
		if _, err := s.LicenseKeyOf(t.Context(), keys); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	})
}

func TestKeyOfAnotherIsRefused(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.issue(wanted("one"))
		other := wanted("one")
		other.FulfilmentID = "h.license_keys"
		if _, err := s.IssueLicenseKey(t.Context(), other); err == nil {
			t.Error("the same key issued twice")
		}
	})
}
