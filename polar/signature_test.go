package polar_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"fulfilld/polar"
)

const (
	legacy   = "polar_whs_exampleexampleexampleexampleexampleexample0"
	standard = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	eventID  = "9f1f3c1e-6f5f-4d0e-9a53-0c8d1f2b7a11"
)

var sentAt = time.Unix(1789376364, 0).UTC()

func verifier(t testing.TB, now time.Time, secrets ...string) *polar.Verifier {
	t.Helper()
	v, err := polar.NewVerifier(secrets, 5*time.Minute, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func signed(t testing.TB, secret string, body []byte) http.Header {
	t.Helper()
	h, err := polar.Sign(secret, "auto", eventID, sentAt, body)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

type vector struct {
	Name    string            `json:"name"`
	Secret  string            `json:"secret"`
	Headers map[string]string `json:"headers"`
}

func vectors(t testing.TB) (all []vector, body []byte) {
	t.Helper()
	text, err := os.ReadFile("testdata/signature_vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all, example(t, "benefit_grant.created.github_repository")
}

func TestSignaturesOfBothSchemesVerify(t *testing.T) {
	t.Parallel()
	all, body := vectors(t)
	if len(all) != 3 {
		t.Fatalf("%d vectors", len(all))
	}
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			h := http.Header{}
			for k, value := range v.Headers {
				h.Set(k, value)
			}
			got, err := verifier(t, sentAt, v.Secret).Verify(body, h)
			if err != nil || got.ID != eventID || !got.Sent.Equal(sentAt) {
				t.Errorf("%+v, %v", got, err)
			}
			again := signed(t, v.Secret, body)
			for k, value := range v.Headers {
				if again.Get(k) != value {
					t.Errorf("signs %s: %s, want %s", k, again.Get(k), value)
				}
			}
		})
	}
}

func TestAnySecretOfTheListVerifies(t *testing.T) {
	t.Parallel()
	body := []byte(`{"type":"order.paid"}`)
	v := verifier(t, sentAt, strings.Repeat("another", 5), legacy, standard)
	for _, secret := range []string{legacy, standard} {
		if _, err := v.Verify(body, signed(t, secret, body)); err != nil {
			t.Errorf("%.6s: %v", secret, err)
		}
	}
	if _, err := v.Verify(body, signed(t, strings.Repeat("unknown", 5), body)); !errors.Is(err, polar.ErrSignature) {
		t.Errorf("unknown secret: %v", err)
	}
}

func TestWhsecSecretVerifiesInBothSchemes(t *testing.T) {
	t.Parallel()
	body := []byte("{}")
	for _, scheme := range []string{"legacy", "standard"} {
		h, err := polar.Sign(standard, scheme, eventID, sentAt, body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verifier(t, sentAt, standard).Verify(body, h); err != nil {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}

func TestWeakSecretsAreRefused(t *testing.T) {
	t.Parallel()
	now := func() time.Time { return sentAt }
	for name, secrets := range map[string][]string{
		"None":         nil,
		"Empty":        {""},
		"EmptyWhsec":   {"whsec_"},
		"Short":        {strings.Repeat("x", 23)},
		"ShortDecoded": {"whsec_MDEyMzQ1Njc4OWFiY2RlZjA="},
		"SecondOfTwo":  {legacy, "tiny"},
	} {
		_, err := polar.NewVerifier(secrets, time.Minute, now)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		for _, s := range secrets {
			if s != "" && strings.Contains(err.Error(), s) {
				t.Errorf("%s: error shows the secret: %v", name, err)
			}
			if _, err := polar.Sign(s, "auto", eventID, sentAt, nil); s != legacy && err == nil {
				t.Errorf("%s: signs", name)
			}
		}
	}
	if _, err := polar.NewVerifier([]string{strings.Repeat("x", 24)}, time.Minute, now); err != nil {
		t.Errorf("24 bytes: %v", err)
	}
}

func TestSchemeMustFitTheSecret(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{{legacy, "standard"}, {legacy, ""}, {standard, "v1a"}} {
		if _, err := polar.Sign(c[0], c[1], eventID, sentAt, nil); err == nil {
			t.Errorf("scheme %q signs", c[1])
		}
	}
}

func TestTimestampIsWithinToleranceOnBothSides(t *testing.T) {
	t.Parallel()
	body := []byte("{}")
	for _, c := range []struct {
		off  time.Duration
		want error
	}{
		{5 * time.Minute, nil}, {-5 * time.Minute, nil},
		{5*time.Minute + time.Second, polar.ErrTimestamp}, {-5*time.Minute - time.Second, polar.ErrTimestamp},
		{1e6 * time.Hour, polar.ErrTimestamp},
	} {
		if _, err := verifier(t, sentAt.Add(c.off), legacy).Verify(body, signed(t, legacy, body)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.off, err, c.want)
		}
	}
}
