// Package polar is Polar's wire: how its webhooks are signed, and what their
// bodies say in this project's words.
//
// It knows neither ledger nor queue; it decides nothing.
package polar

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// minSecret is the least a secret must have, in bytes: what Standard Webhooks asks for.
const minSecret = 24

// Why a delivery is refused. Their texts are public.
var (
	ErrNoEnvelope = errors.New("webhook-id, webhook-timestamp or webhook-signature is missing or malformed")
	ErrTimestamp  = errors.New("webhook-timestamp is too far from the daemon's clock")
	ErrSignature  = errors.New("no signature matches; is webhooks.polar.secrets the endpoint's secret?")
)

// Delivery is what the headers of a verified webhook say.
type Delivery struct {
	ID   string
	Sent time.Time // of this attempt
}

// Verifier checks deliveries against a list of secrets.
type Verifier struct {
	keys      []*standardwebhooks.Webhook
	tolerance time.Duration
	now       func() time.Time
}

// NewVerifier takes each secret in both of Polar's schemes, which its look does
// not tell apart: the UTF-8 bytes of the whole of it, and what follows whsec_
// in base64.
func NewVerifier(secrets []string, tolerance time.Duration, now func() time.Time) (*Verifier, error) {
	v := &Verifier{tolerance: tolerance, now: now}
	for i, s := range secrets {
		for _, key := range keysOf(s) {
			if len(key) < minSecret {
				return nil, fmt.Errorf("webhook secret %d is shorter than %d bytes", i+1, minSecret)
			}
			w, err := standardwebhooks.NewWebhookRaw(key)
			if err != nil {
				return nil, fmt.Errorf("webhook secret %d: %w", i+1, err)
			}
			v.keys = append(v.keys, w)
		}
	}
	if len(v.keys) == 0 {
		return nil, errors.New("no webhook secret")
	}
	return v, nil
}

// keysOf returns the candidate keys, the one more likely today first.
func keysOf(secret string) [][]byte {
	keys := [][]byte{[]byte(secret)}
	if rest, ok := strings.CutPrefix(secret, "whsec_"); ok {
		if key, err := base64.StdEncoding.Strict().DecodeString(rest); err == nil {
			keys = [][]byte{key, keys[0]}
		}
	}
	return keys
}

// Verify accepts a delivery when any signature was made with any secret, and
// its timestamp is within the tolerance. body is the raw bytes as received.
func (v *Verifier) Verify(body []byte, h http.Header) (Delivery, error) {
	d, one, err := envelope(h)
	if err != nil {
		return Delivery{}, err
	}
	if off := v.now().Sub(d.Sent); off > v.tolerance || off < -v.tolerance {
		return Delivery{}, ErrTimestamp
	}
	for _, key := range v.keys {
		if key.VerifyIgnoringTimestamp(body, one) == nil {
			return d, nil
		}
	}
	return Delivery{}, ErrSignature
}

// envelope reads the three headers. Repeated lines of the signature count as
// one list; of the others there may be only one.
func envelope(h http.Header) (Delivery, http.Header, error) {
	ids, stamps := h.Values(standardwebhooks.HeaderWebhookID), h.Values(standardwebhooks.HeaderWebhookTimestamp)
	signatures := h.Values(standardwebhooks.HeaderWebhookSignature)
	signed := strings.TrimSpace(strings.Join(signatures, " "))
	if len(ids) != 1 || len(stamps) != 1 || signed == "" || !visible(ids[0]) || !digits(stamps[0]) {
		return Delivery{}, nil, ErrNoEnvelope
	}
	seconds, err := strconv.ParseInt(stamps[0], 10, 64)
	if err != nil {
		return Delivery{}, nil, ErrNoEnvelope
	}
	one := http.Header{}
	one.Set(standardwebhooks.HeaderWebhookID, ids[0])
	one.Set(standardwebhooks.HeaderWebhookTimestamp, stamps[0])
	one.Set(standardwebhooks.HeaderWebhookSignature, signed)
	return Delivery{ids[0], time.Unix(seconds, 0).UTC()}, one, nil
}

// visible reports whether an id is 1 to 255 printable ASCII characters. A dot
// is refused: it separates the parts of what is signed.
func visible(id string) bool {
	for _, c := range []byte(id) {
		if c <= ' ' || c > '~' || c == '.' {
			return false
		}
	}
	return len(id) > 0 && len(id) <= 255
}

func digits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 12 && s[0] != '0'
}

// Sign makes the headers that Polar would send with a body. Scheme is legacy,
// standard, or auto: as Polar does for a new secret of that look.
func Sign(secret, scheme, id string, at time.Time, body []byte) (http.Header, error) {
	key, err := signingKey(secret, scheme)
	if err != nil {
		return nil, err
	}
	w, err := standardwebhooks.NewWebhookRaw(key)
	if err != nil {
		return nil, err
	}
	signature, err := w.Sign(id, at, body)
	if err != nil {
		return nil, err
	}
	h := http.Header{}
	h.Set("User-Agent", "polar.sh webhooks")
	h.Set("Content-Type", "application/json")
	h.Set(standardwebhooks.HeaderWebhookID, id)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(standardwebhooks.HeaderWebhookSignature, signature)
	h.Set("Webhook-Api-Version", "2026-04")
	return h, nil
}

func signingKey(secret, scheme string) ([]byte, error) {
	keys := keysOf(secret)
	key := keys[0]
	switch {
	case scheme == "legacy":
		key = []byte(secret)
	case scheme == "standard" && len(keys) < 2:
		return nil, errors.New("the secret is not whsec_ and base64, which the standard scheme needs; use legacy")
	case scheme != "standard" && scheme != "auto":
		return nil, fmt.Errorf("scheme %q is not auto, legacy or standard", scheme)
	}
	if len(key) < minSecret {
		return nil, fmt.Errorf("the webhook secret is shorter than %d bytes", minSecret)
	}
	return key, nil
}
