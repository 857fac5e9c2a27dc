package polar_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"fulfilld/polar"
)

func TestHeadersDecideBetweenMalformedAndForged(t *testing.T) {
	t.Parallel()
	const id, at, signature = "Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"
	body := []byte("{}")
	good := signed(t, legacy, body).Get(signature)
	forged := "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	v := verifier(t, sentAt, legacy)
	for _, c := range []struct {
		name   string
		header string
		values []string
		want   error
	}{
		{"NoID", id, nil, polar.ErrNoEnvelope},
		{"EmptyID", id, []string{""}, polar.ErrNoEnvelope},
		{"LongID", id, []string{strings.Repeat("x", 256)}, polar.ErrNoEnvelope},
		{"IDWithSpace", id, []string{"a b"}, polar.ErrNoEnvelope},
		{"IDWithControl", id, []string{"a\x01"}, polar.ErrNoEnvelope},
		{"IDNotASCII", id, []string{"é"}, polar.ErrNoEnvelope},
		{"IDWithDot", id, []string{"a.1"}, polar.ErrNoEnvelope},
		{"IDTwice", id, []string{eventID, eventID}, polar.ErrNoEnvelope},
		{"OtherID", id, []string{strings.Repeat("x", 255)}, polar.ErrSignature},
		{"NoTimestamp", at, nil, polar.ErrNoEnvelope},
		{"TimestampWithSign", at, []string{"+1789376364"}, polar.ErrNoEnvelope},
		{"TimestampWithZero", at, []string{"01789376364"}, polar.ErrNoEnvelope},
		{"TimestampFraction", at, []string{"1789376364.0"}, polar.ErrNoEnvelope},
		{"TimestampHuge", at, []string{"99999999999999999999"}, polar.ErrNoEnvelope},
		{"TimestampTwice", at, []string{"1789376364", "1789376364"}, polar.ErrNoEnvelope},
		{"TimestampOld", at, []string{"1"}, polar.ErrTimestamp},
		{"OtherTimestamp", at, []string{"1789376365"}, polar.ErrSignature},
		{"NoSignature", signature, nil, polar.ErrNoEnvelope},
		{"BlankSignature", signature, []string{" ", ""}, polar.ErrNoEnvelope},
		{"Forged", signature, []string{forged}, polar.ErrSignature},
		{"NoVersion", signature, []string{strings.TrimPrefix(good, "v1,")}, polar.ErrSignature},
		{"OtherVersion", signature, []string{strings.Replace(good, "v1", "v1a", 1)}, polar.ErrSignature},
		{"SecondOfTwo", signature, []string{forged + " " + good}, nil},
		{"FirstOfTwo", signature, []string{good + " " + forged}, nil},
		{"SecondLine", signature, []string{forged, good}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := signed(t, legacy, body)
			h[c.header] = c.values
			_, err := v.Verify(body, h)
			if !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if err != nil && (strings.Contains(err.Error(), good) || strings.Contains(err.Error(), legacy)) {
				t.Errorf("error shows too much: %v", err)
			}
		})
	}
}

// FuzzVerify flips one bit of what is signed, or of the signature.
func FuzzVerify(f *testing.F) {
	body := example(f, "benefit_grant.created.github_repository")
	f.Add(body, uint(0))
	f.Add([]byte("{}"), uint(17))
	f.Fuzz(func(t *testing.T, body []byte, at uint) {
		for _, secret := range []string{legacy, standard} {
			v, h := verifier(t, sentAt, legacy, standard), signed(t, secret, body)
			if _, err := v.Verify(body, h); err != nil {
				t.Fatalf("untouched: %v", err)
			}
			for _, k := range []string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"} {
				changed := h.Clone()
				changed.Set(k, string(flip([]byte(h.Get(k)), at)))
				refused(t, v, body, changed, k)
			}
			if len(body) > 0 {
				refused(t, v, flip(body, at), h, "body")
			}
		}
	})
}

func refused(t *testing.T, v *polar.Verifier, body []byte, h http.Header, what string) {
	t.Helper()
	if got, err := v.Verify(body, h); err == nil {
		t.Errorf("verifies with a bit of the %s flipped: %+v", what, got)
	}
}

func flip(text []byte, at uint) []byte {
	out := append([]byte{}, text...)
	at %= uint(len(out)) * 8
	out[at/8] ^= 1 << (at % 8)
	return out
}
