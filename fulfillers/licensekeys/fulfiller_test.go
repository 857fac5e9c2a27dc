package licensekeys

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/fulfillers/fulfillertest"
	"fulfilld/grant"

	"github.com/google/go-cmp/cmp"
)

var bought = time.Date(2026, 1, 31, 9, 12, 44, 0, time.UTC)

// sample is a one-time purchase of a benefit with these parameters.
func sample(params string) grant.Fulfilment {
	return grant.Fulfilment{
		ID:       "g1.license_keys",
		Kind:     "license_keys",
		Grant:    grant.Grant{ID: "g1", BenefitID: "b1", CustomerID: "c1", OrderID: "o1", FirstGrantedAt: bought},
		Benefit:  grant.Benefit{ID: "b1", OrganizationID: "org1"},
		Customer: grant.Customer{ID: "c1", Email: "ada@example.com"},
		Target:   grant.Target{Kind: "license_keys", Params: json.RawMessage(params), Managed: true},
	}
}

func TestLicenseKeysKeepTheContract(t *testing.T) {
	fulfillertest.Run(t, fulfillertest.Harness{
		Local: true,
		Bad: map[string]string{
			"a number as prefix": `{"prefix":7}`,
			"a ttl of nothing":   `{"expires":{"ttl":0,"timeframe":"day"}}`,
			"no object":          `"ACME"`,
		},
		New: func(*testing.T) fulfillertest.World {
			m := newMemory()
			return fulfillertest.World{
				Fulfiller:  New(Config{ActivationURL: "https://acme.example/{license_key_id}"}, m),
				Fulfilment: sample(`{"prefix":"acme","expires":{"ttl":1,"timeframe":"year"},"activations":{"limit":3}}`),
				Count:      m.active,
				Secrets:    m.secrets,
				Faults:     faults(m),
			}
		},
	})
}

func faults(m *memory) fulfillertest.Faults {
	return fulfillertest.Faults{
		ServerError: func() {
			m.breakWith(func(_ context.Context, key string) error { return fmt.Errorf("insert (%s): disk full", key) })
		},
		Hang: func() {
			m.breakWith(func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() })
		},
		Heal: func() { m.breakWith(nil) },
	}
}

func mustGrant(t *testing.T, l *Fulfiller, f grant.Fulfilment) grant.Properties {
	t.Helper()
	p, err := l.Grant(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestKeyHasThePlatformsForm(t *testing.T) {
	const id = `[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}`
	for params, want := range map[string]string{
		``:                         `^` + id + `$`,
		`{"prefix":null}`:          `^` + id + `$`,
		`{"prefix":"  "}`:          `^` + id + `$`,
		`{"prefix":"ACME"}`:        `^ACME-` + id + `$`,
		`{"prefix":" acme pro\n"}`: `^ACME PRO-` + id + `$`,
		`{"prefix":"straße-ü"}`:    `^STRAßE-Ü-` + id + `$`,
	} {
		t.Run(params, func(t *testing.T) {
			m := newMemory()
			mustGrant(t, New(Config{}, m), sample(params))
			k := m.only()
			if !regexp.MustCompile(want).MatchString(k.Key) {
				t.Errorf("key %q does not match %s", k.Key, want)
			}
			if want := "****-" + k.Key[len(k.Key)-6:]; k.DisplayKey != want {
				t.Errorf("display key %q, want %q", k.DisplayKey, want)
			}
		})
	}
}

func TestKeySaysWhoseItIs(t *testing.T) {
	m := newMemory()
	mustGrant(t, New(Config{}, m), sample(`{"activations":{"limit":3,"enable_customer_admin":true},"limit_usage":100}`))
	got := m.only()
	got.ID, got.Key, got.DisplayKey = "", "", ""
	want := grant.LicenseKey{
		FulfilmentID: "g1.license_keys", BenefitID: "b1", CustomerID: "c1", OrganizationID: "org1",
		Active: true, LimitActivations: new(int64(3)), LimitUsage: new(int64(100)),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stored key (-want +got):\n%s", diff)
	}
}

func TestGrantCallsTheStoreOnce(t *testing.T) {
	m := newMemory()
	mustGrant(t, New(Config{}, m), sample(`{"prefix":"ACME"}`))
	if m.calls != 1 {
		t.Errorf("%d calls, want 1", m.calls)
	}
}

func TestPropertiesShowTheKeyButNeverHoldIt(t *testing.T) {
	m := newMemory()
	l := New(Config{ActivationURL: "https://acme.example/activate/{license_key_id}?key={display_key}"}, m)
	got := mustGrant(t, l, sample(`{"prefix":"ACME","expires":{"ttl":1,"timeframe":"month"}}`))
	k := m.only()
	want := grant.Properties{
		"license_key_id": k.ID,
		"display_key":    k.DisplayKey,
		"expires_at":     "2026-02-28T09:12:44Z",
		"activation_url": "https://acme.example/activate/" + k.ID + "?key=%2A%2A%2A%2A-" + k.Key[len(k.Key)-6:],
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("properties (-want +got):\n%s", diff)
	}
	if strings.Contains(fmt.Sprint(got), k.Key) {
		t.Error("the properties hold the whole key")
	}
}

func TestPropertiesLeaveOutWhatThereIsNot(t *testing.T) {
	m := newMemory()
	got := mustGrant(t, New(Config{}, m), sample(`{}`))
	want := grant.Properties{"license_key_id": m.only().ID, "display_key": m.only().DisplayKey}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("properties (-want +got):\n%s", diff)
	}
}

func TestAnEditChangesLimitsAndExpiryButNeverTheText(t *testing.T) {
	m := newMemory()
	l := New(Config{}, m)
	mustGrant(t, l, sample(`{"prefix":"OLD","expires":{"ttl":1,"timeframe":"year"},"activations":{"limit":3}}`))
	want := m.only()
	mustGrant(t, l, sample(`{"prefix":"NEW","expires":{"ttl":10,"timeframe":"day"},"limit_usage":5}`))
	want.LimitActivations, want.LimitUsage = nil, new(int64(5))
	want.ExpiresAt = bought.AddDate(0, 0, 10)
	if diff := cmp.Diff(want, m.only()); diff != "" {
		t.Errorf("edited key (-want +got):\n%s", diff)
	}
}

func TestAGrantAfterARevokeRevivesTheSameKey(t *testing.T) {
	m := newMemory()
	l := New(Config{}, m)
	f := sample(`{"prefix":"ACME"}`)
	first := mustGrant(t, l, f)
	want := m.only()
	if err := l.Revoke(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if m.only().Active {
		t.Fatal("the key is active after the revoke")
	}
	if diff := cmp.Diff(first, mustGrant(t, l, f)); diff != "" {
		t.Errorf("properties (-first +second):\n%s", diff)
	}
	if diff := cmp.Diff(want, m.only()); diff != "" {
		t.Errorf("key (-first +second):\n%s", diff)
	}
}

func TestBadParametersArePermanent(t *testing.T) {
	m := newMemory()
	_, err := New(Config{}, m).Grant(t.Context(), sample(`{"limit_usage":0}`))
	if e := fulfillers.Classify(err); e == nil || e.Class != fulfillers.ClassPermanent || !strings.Contains(e.Text, "limit_usage") {
		t.Errorf("error %v, want a permanent one about limit_usage", err)
	}
	if m.calls != 0 {
		t.Error("a key was asked for")
	}
}
