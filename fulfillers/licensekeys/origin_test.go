package licensekeys

import (
	"testing"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// The key of a subscription, of a benefit that asks for its expiry in some place.
func TestOnlyAConfigEntryEndsASubscriptionsKey(t *testing.T) {
	const params = `{"expires":{"ttl":10,"timeframe":"day"},"expire_subscriptions":true}`
	first := day(2026, 1, 1)
	entry := fulfillers.Entry{Fulfill: []fulfillers.Want{{Kind: "license_keys", Params: []byte(params)}}}
	for name, tt := range map[string]struct {
		benefit grant.Benefit
		entries map[string]fulfillers.Entry
		want    time.Time
	}{
		"Config":   {grant.Benefit{ID: "b", Type: "license_keys"}, map[string]fulfillers.Entry{"b": entry}, day(2026, 1, 11)},
		"Platform": {grant.Benefit{ID: "b", Type: "license_keys", Properties: []byte(params)}, nil, time.Time{}},
		"Metadata": {grant.Benefit{ID: "b", Type: "custom", Metadata: map[string]any{
			"fulfill": "license_keys", "license_keys.expire_subscriptions": true,
			"license_keys.expires": map[string]any{"ttl": 10, "timeframe": "day"},
		}}, nil, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			route := fulfillers.Router{Entries: tt.entries}.Route(tt.benefit)
			k, err := wanted(grant.Fulfilment{ID: "g.license_keys", Target: route.Targets[0], Grant: grant.Grant{SubscriptionID: "s", FirstGrantedAt: first}})
			if err != nil || !k.ExpiresAt.Equal(tt.want) {
				t.Errorf("expires at %v, %v, want %v", k.ExpiresAt, err, tt.want)
			}
		})
	}
}
