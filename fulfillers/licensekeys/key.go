package licensekeys

import (
	"fmt"
	"strings"

	"fulfilld/grant"

	"github.com/google/uuid"
)

// displayed is how many characters at the end of a key are shown.
const displayed = 6

// newKey makes a key, still without an id, of 122 random
// bits in the platform's form (ADR 0003).
func newKey(prefix string) (grant.LicenseKey, error) {
	secret, err := uuid.NewRandom()
	if err != nil {
		return grant.LicenseKey{}, fmt.Errorf("license_keys: make a key: %w", err)
	}
	text := strings.ToUpper(secret.String())
	if prefix != "" {
		text = prefix + "-" + text
	}
	return grant.LicenseKey{Key: text, DisplayKey: display(text), Active: true}, nil
}

// display is what may be shown of a key.
func display(key string) string { return "****-" + key[len(key)-displayed:] }
