package ledger

import (
	"errors"
	"fmt"
	"strings"
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

// born has fulfilments to issue keys for, in their first generation.
func (s *shop) born(ids ...string) {
	s.t.Helper()
	for _, id := range ids {
		must(s.t, s.writers.do(s.t.Context(), work, func(t *tx) error {
			a := applier{tx: t, l: s.Ledger}
			return a.insertFulfilment(strings.TrimSuffix(id, ".license_keys"), "license_keys", aim{})
		}))
	}
}

func (s *shop) issue(want grant.LicenseKey) grant.LicenseKey {
	s.t.Helper()
	k, err := s.IssueLicenseKey(s.t.Context(), want, 1)
	if err != nil {
		s.t.Fatal(err)
	}
	return k
}

func TestKeyIsIssuedOnceToEightCallers(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.born(keys)
		var wg sync.WaitGroup
		got := make([]grant.LicenseKey, 8)
		for i := range got {
			wg.Go(func() {
				k, err := s.IssueLicenseKey(t.Context(), wanted(fmt.Sprint("key-", i)), 1)
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
		s.born(keys)
		first := s.issue(wanted("one"))
		s.exec(`UPDATE license_keys SET usage = 5, validations = 7, last_validated_at = $1`, micros(at(5)))
		for range 2 {
			if err := s.RevokeLicenseKey(t.Context(), keys, 1); err != nil {
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
		s.born(keys)
		s.issue(wanted("one"))
		s.exec(`UPDATE license_keys SET merchant_status = 'disabled', merchant_limit_activations = 9, merchant_limit_usage = -1, merchant_expires_at = -1`)
		if err := s.RevokeLicenseKey(t.Context(), keys, 1); err != nil {
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
		s.born(keys)
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
		s.born(keys)
		if err := s.RevokeLicenseKey(t.Context(), keys, 1); err != nil {
			t.Error(err)
		}
		if _, err := s.LicenseKeyOf(t.Context(), keys); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	})
}

func TestKeyOfAnotherIsRefused(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.born(keys, "h.license_keys")
		s.issue(wanted("one"))
		other := wanted("one")
		other.FulfilmentID = "h.license_keys"
		if _, err := s.IssueLicenseKey(t.Context(), other, 1); err == nil {
			t.Error("the same key issued twice")
		}
	})
}

func TestOvertakenWorkerChangesNoKey(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		if _, err := s.IssueLicenseKey(t.Context(), wanted("never"), 2); !errors.Is(err, grant.ErrOvertaken) {
			t.Errorf("issued for a generation that is not there: %v", err)
		}
		s.issue(wanted("one"))
		s.hear(news(revoked("g", 2)))
		if _, err := s.IssueLicenseKey(t.Context(), wanted("one"), 1); !errors.Is(err, grant.ErrOvertaken) {
			t.Errorf("issued after it was to be revoked: %v", err)
		}
		must(t, s.RevokeLicenseKey(t.Context(), keys, 2))
		s.hear(news(granted("g", 3)))
		if err := s.RevokeLicenseKey(t.Context(), keys, 2); !errors.Is(err, grant.ErrOvertaken) {
			t.Errorf("revoked after it was granted again: %v", err)
		}
		if err := s.RevokeLicenseKey(t.Context(), "none.license_keys", 1); !errors.Is(err, grant.ErrOvertaken) {
			t.Errorf("revoked for no fulfilment: %v", err)
		}
		if k, err := s.LicenseKeyOf(t.Context(), keys); k.Active || err != nil {
			t.Errorf("%+v, %v", k, err)
		}
	})
}
