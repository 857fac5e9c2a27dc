package ledger

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"testing"

	"fulfilld/grant"
)

// BenchmarkValidateKey validates random ones of 20,000 keys, while they are counted.
func BenchmarkValidateKey(b *testing.B) {
	s := open(b, sqliteURL(b), Options{})
	c := ada(1)
	c.Body = []byte(`{"id":"c","created_at":"2026-09-14T09:12:03.481920Z","metadata":{"plan_hint":"pro"},"email":"ada@example.com","avatar_url":"https://www.gravatar.com/avatar/0"}`)
	s.hear(news(c))
	must(b, s.writers.do(b.Context(), work, func(t *tx) error {
		for n := range 20_000 {
			key := fmt.Sprint("key-", n)
			sum := sha256.Sum256([]byte(key))
			if _, err := t.exec(`INSERT INTO license_keys (id, fulfilment_id, benefit_id, customer_id, organization_id, key, key_sha256, display_key,
				active, expires_at, usage, validations, last_validated_at, created_at, modified_at)
				VALUES ($1, $2, 'b', 'c', 'org', $3, $4, '', 1, 0, 0, 0, 0, 1, 0)`, licenseID(key), key, key, sum[:]); err != nil {
				return err
			}
		}
		return nil
	}))
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, _, err := s.ValidateKey(b.Context(), grant.KeyUse{Key: fmt.Sprint("key-", rand.IntN(20_000)), OrganizationID: "org"}); err != nil {
				b.Error(err)
			}
		}
	})
}
