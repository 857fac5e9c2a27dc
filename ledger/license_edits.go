package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"fulfilld/grant"
)

const keyByID = `SELECT ` + keyViewColumns + ` FROM license_keys k` + withCustomer + ` WHERE k.id = $1`

// LicenseKey returns a key with its customer.
func (l *Ledger) LicenseKey(ctx context.Context, id string) (grant.LicenseKeyView, error) {
	s, err := l.read.stmt(ctx, keyByID)
	if err != nil {
		return grant.LicenseKeyView{}, err
	}
	k, err := scanLicenseKeyView(s.QueryRowContext(ctx, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return k, err
}

// change changes a key that nobody else changes meanwhile, and returns it as it is
// then. A change may fail with a [grant.KeyRefusal].
func (l *Ledger) change(ctx context.Context, id string, do func(*tx, grant.LicenseKeyView) error) (grant.LicenseKeyView, error) {
	if k, err := l.LicenseKey(ctx, id); err != nil { // keys do not go
		return k, err
	}
	return decided(ctx, l, func(t *tx) (k grant.LicenseKeyView, err error) {
		var locked string
		if err := t.row(`SELECT id FROM license_keys WHERE id = $1 {{lock}}`, []any{id}, &locked); err != nil {
			return k, err
		}
		if k, err = t.licenseKey(id); err != nil {
			return k, err
		}
		if err := do(t, k); err != nil {
			return k, err
		}
		return t.licenseKey(id)
	})
}

// licenseKey reads a key within a write.
func (t *tx) licenseKey(id string) (k grant.LicenseKeyView, err error) {
	s, err := t.stmt(keyByID)
	if err != nil {
		return k, err
	}
	return scanLicenseKeyView(s.QueryRowContext(t.ctx, id))
}

// ReviseLicenseKey writes down the merchant's word on a key; it outlives grants and
// edits of the benefit. It cannot bring back a key that is not owed: that is
// refused. Whoever hears of grants is told when the key has another status or
// expiry.
func (l *Ledger) ReviseLicenseKey(ctx context.Context, id string, e grant.LicenseKeyEdit) (grant.LicenseKeyView, error) {
	var expires *int64
	if e.ExpiresAt != nil {
		at := int64(grant.Unlimited)
		if !e.ExpiresAt.IsZero() {
			at = micros(*e.ExpiresAt)
		}
		expires = &at
	}
	told := false
	k, err := l.change(ctx, id, func(t *tx, k grant.LicenseKeyView) error {
		if e.Status == "granted" && !k.Active {
			return &grant.KeyRefusal{Code: grant.KeyRevoked}
		}
		if _, err := t.exec(`UPDATE license_keys SET
				merchant_status = CASE $2 WHEN '' THEN merchant_status WHEN 'granted' THEN '' ELSE $2 END,
				usage = coalesce($3, usage),
				merchant_limit_activations = coalesce($4, merchant_limit_activations),
				merchant_limit_usage = coalesce($5, merchant_limit_usage),
				merchant_expires_at = coalesce($6, merchant_expires_at),
				modified_at = {{now}}
			WHERE id = $1`, id, e.Status, e.Usage, e.LimitActivations, e.LimitUsage, expires); err != nil {
			return err
		}
		now, err := t.licenseKey(id)
		told = err == nil && (now.Status() != k.Status() || !now.ExpiresAt.Equal(k.ExpiresAt))
		if !told {
			return err
		}
		return errors.Join(t.showExpiry(now), t.retold(l, grant.GrantOf(k.FulfilmentID)))
	})
	if err == nil && told {
		l.opts.OnDelivery()
	}
	return k, err
}

// showExpiry shows until when a key is good with its grant, as whoever issued it
// did.
func (t *tx) showExpiry(k grant.LicenseKeyView) error {
	var text string
	if err := t.row(`SELECT properties FROM fulfilments WHERE id = $1 {{lock}}`, []any{k.FulfilmentID}, &text); err != nil || text == "" {
		return ignore(err)
	}
	shown := map[string]any{}
	if err := json.Unmarshal([]byte(text), &shown); err != nil {
		return err
	}
	delete(shown, "expires_at")
	if !k.ExpiresAt.IsZero() {
		shown["expires_at"] = k.ExpiresAt.UTC().Format(time.RFC3339)
	}
	changed, err := json.Marshal(shown)
	if err == nil {
		_, err = t.exec(`UPDATE fulfilments SET properties = $2 WHERE id = $1`, k.FulfilmentID, string(changed))
	}
	return err
}

// RotateLicenseKey gives a key another text. The old one is good for nothing from
// now on; everything else stays. A revoked key is refused.
func (l *Ledger) RotateLicenseKey(ctx context.Context, id string) (grant.LicenseKeyView, error) {
	k, err := l.change(ctx, id, func(t *tx, k grant.LicenseKeyView) error {
		if k.Status() == "revoked" {
			return &grant.KeyRefusal{Code: grant.KeyRevoked}
		}
		key, display := grant.RenewedText(k.Key)
		sum := sha256.Sum256([]byte(key))
		if _, err := t.exec(`UPDATE license_keys SET key = $2, key_sha256 = $3, display_key = $4, modified_at = {{now}} WHERE id = $1`,
			id, key, sum[:], display); err != nil {
			return err
		}
		// What is shown of the key with its grant, and in the link to activate it.
		if _, err := t.exec(`UPDATE fulfilments SET properties = replace(replace(properties, $2, $3), $4, $5) WHERE id = $1`,
			k.FulfilmentID, k.DisplayKey, display, url.PathEscape(k.DisplayKey), url.PathEscape(display)); err != nil {
			return err
		}
		return t.retold(l, grant.GrantOf(k.FulfilmentID))
	})
	if err == nil {
		l.opts.OnDelivery()
	}
	return k, err
}
