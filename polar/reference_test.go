package polar_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"fulfilld/polar"
)

// reference is the published library, as it is documented to be used with a
// secret of the scheme: it decodes base64, so a legacy secret is encoded first.
func reference(t *testing.T, secret, scheme string) *standardwebhooks.Webhook {
	t.Helper()
	if scheme == "legacy" {
		secret = base64.StdEncoding.EncodeToString([]byte(secret))
	}
	w, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestPublishedLibraryAgrees(t *testing.T) {
	t.Parallel()
	body := example(t, "benefit_grant.created.github_repository")
	now := time.Now() // the library takes no other clock
	for _, c := range []struct{ secret, scheme, means string }{
		{legacy, "legacy", "legacy"}, {legacy, "auto", "legacy"},
		{standard, "legacy", "legacy"}, {standard, "standard", "standard"}, {standard, "auto", "standard"},
		{"whsec_exampleexampleexampleexampleexampleexample0", "auto", "legacy"}, // looks new, is not base64
	} {
		h, err := polar.Sign(c.secret, c.scheme, eventID, now, body)
		if err != nil {
			t.Fatal(err)
		}
		if err := reference(t, c.secret, c.means).Verify(body, h); err != nil {
			t.Errorf("%.6s %s: the library refuses ours: %v", c.secret, c.scheme, err)
		}
		signature, err := reference(t, c.secret, c.means).Sign(eventID, now, body)
		if err != nil {
			t.Fatal(err)
		}
		h.Set("Webhook-Signature", signature)
		if _, err := verifier(t, now, c.secret).Verify(body, h); err != nil {
			t.Errorf("%.6s %s: we refuse the library's: %v", c.secret, c.scheme, err)
		}
	}
}

// Polar never signs with the plain text behind whsec_.
func TestStrippedPrefixIsNoKey(t *testing.T) {
	t.Parallel()
	body := []byte("{}")
	h, err := polar.Sign(strings.TrimPrefix(standard, "whsec_"), "legacy", eventID, sentAt, body)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifier(t, sentAt, standard).Verify(body, h); err == nil {
		t.Error("verifies")
	}
}

func TestEverySignatureHeaderLineCounts(t *testing.T) {
	t.Parallel()
	body := []byte("{}")
	h := signed(t, standard, body)
	h[http.CanonicalHeaderKey("webhook-signature")] = []string{"v1a,x v1,AAAA", "  " + h.Get("webhook-signature") + " v2,y", ""}
	if _, err := verifier(t, sentAt, legacy, standard).Verify(body, h); err != nil {
		t.Error(err)
	}
}
