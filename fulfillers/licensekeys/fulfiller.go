// Package licensekeys issues license keys: one key a grant, for as long as the
// grant lives.
//
// It decides what a key is (text, limits, expiry) and leaves keeping it to a
// [Store]. It does not know who validates or activates keys, nor the database.
package licensekeys

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// Store keeps issued keys. Both calls may be repeated.
type Store interface {
	// IssueLicenseKey stores want under an id of its own and returns the stored row. If the
	// fulfilment has a key already, that key keeps its id, text, usage,
	// activations and what the merchant set; it takes want's limits and
	// expiry and becomes active. It fails, and changes nothing, when generation
	// is no longer the fulfilment's.
	IssueLicenseKey(ctx context.Context, want grant.LicenseKey, generation int64) (grant.LicenseKey, error)

	// RevokeLicenseKey makes the fulfilment's key inactive and keeps it. No
	// key is no error. It fails like IssueLicenseKey.
	RevokeLicenseKey(ctx context.Context, fulfilmentID string, generation int64) error
}

// Fulfiller issues license keys. It is made by [New].
type Fulfiller struct {
	config Config
	store  Store
}

// New returns a fulfiller that keeps its keys in store.
func New(c Config, store Store) *Fulfiller { return &Fulfiller{c, store} }

// Local implements fulfillers.Local.
func (*Fulfiller) Local() {}

// Check implements fulfillers.Fulfiller.
func (*Fulfiller) Check(raw json.RawMessage) error {
	_, err := parse(raw)
	return err
}

// Grant implements fulfillers.Fulfiller. It calls the store once.
func (l *Fulfiller) Grant(ctx context.Context, f grant.Fulfilment) (grant.Properties, error) {
	want, err := wanted(f)
	if err != nil {
		return nil, err
	}
	k, err := l.store.IssueLicenseKey(ctx, want, f.Generation)
	if err != nil {
		err = withoutKey(err, want)
		return nil, fulfillers.Transient("store", fmt.Errorf("license_keys: issue the key of %s: %w", f.ID, err))
	}
	return l.properties(k), nil
}

// Revoke implements fulfillers.Fulfiller. The key stays known, so that a later
// grant revives it.
func (l *Fulfiller) Revoke(ctx context.Context, f grant.Fulfilment) error {
	if err := l.store.RevokeLicenseKey(ctx, f.ID, f.Generation); err != nil {
		return fulfillers.Transient("store", fmt.Errorf("license_keys: revoke the key of %s: %w", f.ID, err))
	}
	return nil
}

// wanted is the key as it would be if f had none yet.
func wanted(f grant.Fulfilment) (grant.LicenseKey, error) {
	p, err := parse(f.Target.Params)
	if err != nil {
		return grant.LicenseKey{}, fulfillers.Permanent("bad_params", "license_keys: "+err.Error())
	}
	k := grant.LicenseKey{Active: true}
	k.Key, k.DisplayKey = grant.LicenseText(p.Prefix)
	p.ExpireSubscriptions = p.ExpireSubscriptions && f.Target.Configured()
	if k.ExpiresAt, err = p.expiry(f.Grant); err != nil {
		return grant.LicenseKey{}, err
	}
	k.FulfilmentID, k.BenefitID, k.CustomerID = f.ID, f.Grant.BenefitID, f.Grant.CustomerID
	k.OrganizationID = cmp.Or(f.Benefit.OrganizationID, f.Customer.OrganizationID)
	k.LimitActivations, k.LimitUsage = p.activationLimit(), p.LimitUsage
	return k, nil
}

// properties never holds the key: they are shown, journalled and sent on.
func (l *Fulfiller) properties(k grant.LicenseKey) grant.Properties {
	p := grant.Properties{"license_key_id": k.ID, "display_key": k.DisplayKey}
	if !k.ExpiresAt.IsZero() {
		p["expires_at"] = k.ExpiresAt.UTC().Format(time.RFC3339)
	}
	if l.config.ActivationURL != "" {
		p["activation_url"] = l.config.activationURL(k)
	}
	return p
}

// withoutKey keeps a store that quotes its row from spilling the key.
func withoutKey(err error, k grant.LicenseKey) error {
	if !strings.Contains(err.Error(), k.Key) {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), k.Key, k.DisplayKey))
}
