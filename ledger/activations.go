package ledger

import (
	"context"
	"time"

	"github.com/google/uuid"

	"fulfilld/grant"
)

// ActivateKey adds a place where a key is used, if its limit allows one more, and
// returns the key with the activation as stored. It fails with a
// [grant.KeyRefusal]. Of callers that come at once, from any daemon, exactly as
// many succeed as there are places.
func (l *Ledger) ActivateKey(ctx context.Context, u grant.KeyUse, a grant.Activation) (grant.LicenseKeyView, grant.Activation, error) {
	now := time.Now().UTC().Truncate(time.Microsecond) // as it is stored
	k, err := l.used(ctx, u)
	if err == nil {
		err = refused(k.Activates(0, now)) // who has no chance does not trouble the writer
	}
	if err != nil {
		return grant.LicenseKeyView{}, a, err
	}
	a.ID, a.CreatedAt = uuid.NewString(), now
	k, err = decided(ctx, l, func(t *tx) (inUse, error) { return t.activate(u, a) })
	a.LicenseKeyID = k.ID
	return k.LicenseKeyView, a, err
}

func (t *tx) activate(u grant.KeyUse, a grant.Activation) (k inUse, err error) {
	if k, err = t.used(u); err != nil {
		return k, err
	}
	var has int64
	if err := t.row(`SELECT count(*) FROM activations WHERE license_key_id = $1`, []any{k.ID}, &has); err != nil {
		return k, err
	}
	if err := refused(k.Activates(has, a.CreatedAt)); err != nil {
		return k, err
	}
	_, err = t.exec(`INSERT INTO activations (license_key_id, id, label, conditions, meta, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		k.ID, a.ID, a.Label, a.Conditions, string(a.Meta), micros(a.CreatedAt))
	return k, err
}

// DeactivateKey frees the place that the use names, also of a key that is revoked.
// It fails with a [grant.KeyRefusal] when there is no such place.
func (l *Ledger) DeactivateKey(ctx context.Context, u grant.KeyUse) error {
	k, err := l.used(ctx, u)
	if err == nil && k.activation == nil {
		err = &grant.KeyRefusal{Code: grant.ActivationNotFound}
	}
	if err != nil {
		return err
	}
	_, err = decided(ctx, l, func(t *tx) (int64, error) {
		n, err := t.exec(`DELETE FROM activations WHERE license_key_id = $1 AND id = $2`, k.ID, u.ActivationID)
		if err == nil && n == 0 {
			err = &grant.KeyRefusal{Code: grant.ActivationNotFound}
		}
		return n, err
	})
	return err
}

// Activations returns where a key is used, the oldest first.
func (l *Ledger) Activations(ctx context.Context, licenseKeyID string) ([]grant.Activation, error) {
	rows, err := l.read.rows(ctx, `SELECT id, license_key_id, label, conditions, meta, created_at FROM activations
		WHERE license_key_id = $1 ORDER BY created_at, id`, licenseKeyID)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(r rowScanner) (a grant.Activation, err error) {
		var meta string
		var created int64
		err = r.Scan(&a.ID, &a.LicenseKeyID, &a.Label, &a.Conditions, &meta, &created)
		a.Meta, a.CreatedAt = raw(meta), timeOf(created)
		return a, err
	})
}
