package outbound

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"fulfilld/internal/secret"
)

const prefix = "whsec_"

// CheckSecret refuses what is no secret of a Standard Webhook. Its error never
// quotes it.
func CheckSecret(s secret.Text) error {
	encoded, ok := strings.CutPrefix(s.Reveal(), prefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return errors.New(`must be whsec_ and 24 to 64 bytes in base64; make one with: echo "whsec_$(openssl rand -base64 32)"`)
	}
	return nil
}

// Sign returns the headers of a Standard Webhook: one signature for each secret,
// so that a receiver may know either while they change.
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
func Sign(secrets []secret.Text, id string, at time.Time, body []byte) (http.Header, error) {
	signatures := make([]string, len(secrets))
	for i, s := range secrets {
		w, err := standardwebhooks.NewWebhook(s.Reveal())
		if err == nil {
			signatures[i], err = w.Sign(id, at, body)
		}
		if err != nil {
			return nil, fmt.Errorf("outbound: sign %s: secret %d cannot be used", id, i+1)
		}
	}
	if len(signatures) == 0 {
		return nil, fmt.Errorf("outbound: sign %s: there is no secret", id)
	}
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set(standardwebhooks.HeaderWebhookID, id)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return h, nil
}
