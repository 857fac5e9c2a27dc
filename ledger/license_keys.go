package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"

	"fulfilld/grant"
)

// licenseColumns are those of a key k. Where the merchant said nothing, unsaid stands.
const licenseColumns = `k.id, k.fulfilment_id, k.benefit_id, k.customer_id, k.organization_id, k.key, k.display_key, k.merchant_status,
	concat_ws(' ', k.active, coalesce(k.limit_activations, -1), coalesce(k.limit_usage, -1), k.expires_at,
	coalesce(k.merchant_limit_activations, -2), coalesce(k.merchant_limit_usage, -2), coalesce(k.merchant_expires_at, -2),
	k.usage, k.validations, k.last_validated_at, k.created_at, k.modified_at)`

const unsaid = -2

// scanLicenseKey reads a key as it counts: the merchant's word where he gave one.
func scanLicenseKey(r rowScanner) (k grant.LicenseKey, err error) {
	var active, activations, usage, expires, theirActivations, theirUsage, theirExpiry, validated, created, modified int64
	err = r.Scan(&k.ID, &k.FulfilmentID, &k.BenefitID, &k.CustomerID, &k.OrganizationID, &k.Key, &k.DisplayKey, &k.MerchantStatus,
		numbers{&active, &activations, &usage, &expires, &theirActivations, &theirUsage, &theirExpiry, &k.Usage, &k.Validations, &validated, &created, &modified})
	k.Active = active > 0
	k.LimitActivations, k.LimitUsage = limit(activations, theirActivations), limit(usage, theirUsage)
	if theirExpiry != unsaid {
		expires = max(theirExpiry, 0)
	}
	k.ExpiresAt, k.LastValidatedAt, k.CreatedAt, k.ModifiedAt = timeOf(expires), timeOf(validated), timeOf(created), timeOf(modified)
	return k, err
}

func limit(ours, theirs int64) *int64 {
	if theirs != unsaid {
		ours = theirs
	}
	if ours < 0 {
		return nil
	}
	return &ours
}

// licenseKeys is the namespace in which a fulfilment's id names its key.
var licenseKeys = uuid.MustParse("0c2f5f0e-7a39-5b61-8d2c-5b3d3a1b7e42")

func licenseID(fulfilmentID string) string {
	return uuid.NewSHA1(licenseKeys, []byte(fulfilmentID)).String()
}

// IssueLicenseKey makes the fulfilment's key active with the wanted limits. The
// first call stores want.Key; later ones keep the key, its usage and whatever
// the merchant has set. It returns the key as stored; [grant.ErrOvertaken] when
// the generation is not the fulfilment's any more.
func (l *Ledger) IssueLicenseKey(ctx context.Context, want grant.LicenseKey, generation int64) (grant.LicenseKey, error) {
	sum := sha256.Sum256([]byte(want.Key))
	want.ID, want.Active = licenseID(want.FulfilmentID), true
	k, err := ask(ctx, l.writers, work, func(t *tx) (grant.LicenseKey, error) {
		if ok, err := t.stillOwed(want.FulfilmentID, generation); !ok {
			return grant.LicenseKey{}, err
		}
		now := time.Now().UTC().Truncate(time.Microsecond) // as it is stored
		n, err := t.exec(`INSERT INTO license_keys (id, fulfilment_id, benefit_id, customer_id, organization_id, key, key_sha256, display_key,
				active, limit_activations, limit_usage, expires_at, usage, validations, last_validated_at, created_at, modified_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $10, $11, 0, 0, 0, $12, 0) ON CONFLICT (id) DO NOTHING`,
			want.ID, want.FulfilmentID, want.BenefitID, want.CustomerID, want.OrganizationID, want.Key, sum[:], want.DisplayKey,
			want.LimitActivations, want.LimitUsage, micros(want.ExpiresAt), micros(now))
		if err == nil && n == 0 {
			return t.reviseLicenseKey(want)
		}
		k := want
		k.CreatedAt, k.ExpiresAt = now, timeOf(micros(want.ExpiresAt))
		return k, err
	})
	if err == nil && k.ID == "" {
		err = grant.ErrOvertaken
	}
	return k, err
}

// stillOwed keeps a worker that stood still for long from undoing what another
// has done since: it is not ok when the generation has passed, and else the next
// one does not begin before the write is through. That it is not ok is no error,
// which would undo the neighbours' commit.
func (t *tx) stillOwed(fulfilmentID string, generation int64) (ok bool, err error) {
	if t.owed == fulfilmentID {
		return true, nil
	}
	var now int64
	err = t.row(`SELECT generation FROM fulfilments WHERE id = $1 {{lock}}`, []any{fulfilmentID}, &now)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil && now == generation, err
}

// reviseLicenseKey revives a key that was issued before, on today's terms.
func (t *tx) reviseLicenseKey(want grant.LicenseKey) (k grant.LicenseKey, err error) {
	if _, err := t.exec(`UPDATE license_keys SET active = 1, limit_activations = $2, limit_usage = $3, expires_at = $4, modified_at = {{now}}
		WHERE id = $1 AND NOT (active = 1 AND coalesce(limit_activations, -1) = coalesce($2, -1)
			AND coalesce(limit_usage, -1) = coalesce($3, -1) AND expires_at = $4)`,
		want.ID, want.LimitActivations, want.LimitUsage, micros(want.ExpiresAt)); err != nil {
		return k, err
	}
	s, err := t.stmt(`SELECT ` + licenseColumns + ` FROM license_keys k WHERE k.id = $1`)
	if err != nil {
		return k, err
	}
	return scanLicenseKey(s.QueryRowContext(t.ctx, want.ID))
}

// RevokeLicenseKey ends the fulfilment's key; that there is none is fine. It
// fails like IssueLicenseKey when the generation has passed.
func (l *Ledger) RevokeLicenseKey(ctx context.Context, fulfilmentID string, generation int64) error {
	done, err := ask(ctx, l.writers, work, func(t *tx) (bool, error) {
		ok, err := t.stillOwed(fulfilmentID, generation)
		if !ok {
			return false, err
		}
		_, err = t.exec(`UPDATE license_keys SET active = 0, modified_at = {{now}} WHERE id = $1 AND active = 1`, licenseID(fulfilmentID))
		return true, err
	})
	if err == nil && !done {
		err = grant.ErrOvertaken
	}
	return err
}

// LicenseKeyOf returns a fulfilment's key.
func (l *Ledger) LicenseKeyOf(ctx context.Context, fulfilmentID string) (grant.LicenseKey, error) {
	k, err := scanLicenseKey(l.read.QueryRowContext(ctx, `SELECT `+licenseColumns+` FROM license_keys k WHERE k.id = $1`, licenseID(fulfilmentID)))
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return k, err
}
