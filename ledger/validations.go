package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"time"

	"fulfilld/grant"
)

// keyInUse reads all that a validation needs by one statement: the key by its
// hash, whose it is, and the activation it is used by. A key of another
// organization is answered like an unknown one, and costs one row more to find out.
const keyInUse = `SELECT ` + keyViewColumns + `, coalesce(a.id, ''), coalesce(a.label, ''), coalesce(a.conditions, ''), coalesce(a.meta, ''), coalesce(a.created_at, 0)
	FROM license_keys k` + withCustomer + ` LEFT JOIN activations a ON a.license_key_id = k.id AND a.id = $3
	WHERE k.key_sha256 = $1 AND k.organization_id = $2`

// inUse is a key with the activation that the use names, if the key has it.
type inUse struct {
	grant.LicenseKeyView
	activation *grant.Activation
}

func scanInUse(r rowScanner) (k inUse, err error) {
	var a grant.Activation
	var meta string
	var created int64
	k.LicenseKeyView, err = scanLicenseKeyView(more{r, []any{&a.ID, &a.Label, &a.Conditions, &meta, &created}})
	if errors.Is(err, sql.ErrNoRows) {
		return k, &grant.KeyRefusal{Code: grant.KeyNotFound}
	}
	if a.ID != "" {
		a.LicenseKeyID, a.Meta, a.CreatedAt = k.ID, raw(meta), timeOf(created)
		k.activation = &a
	}
	return k, err
}

// used finds the key of a use as it is now; a [grant.KeyRefusal] when there is none.
func (l *Ledger) used(ctx context.Context, u grant.KeyUse) (inUse, error) {
	s, err := l.read.stmt(ctx, keyInUse)
	if err != nil {
		return inUse{}, err
	}
	sum := sha256.Sum256([]byte(u.Key))
	return scanInUse(s.QueryRowContext(l.atOnce(ctx), sum[:], u.OrganizationID, u.ActivationID))
}

// atOnce is the context of a read that takes microseconds in SQLite: to watch one
// that can end, the driver starts two goroutines a query.
func (l *Ledger) atOnce(ctx context.Context) context.Context {
	if l.engine.lock == "" {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

// used is the same within a write; nobody else changes the key until that is through.
func (t *tx) used(u grant.KeyUse) (k inUse, err error) {
	sum := sha256.Sum256([]byte(u.Key))
	var id string
	if err := t.row(`SELECT id FROM license_keys WHERE key_sha256 = $1 AND organization_id = $2 {{lock}}`,
		[]any{sum[:], u.OrganizationID}, &id); ignore(err) != nil {
		return k, err
	}
	s, err := t.stmt(keyInUse)
	if err != nil {
		return k, err
	}
	return scanInUse(s.QueryRowContext(t.ctx, sum[:], u.OrganizationID, u.ActivationID))
}

// ValidateKey decides whether a key is good for a use, counts it, and returns the
// key as it is after that, with the activation that the use names. It fails with
// a [grant.KeyRefusal]. An increment of the usage is durable when it returns; the
// count of validations follows within a second.
func (l *Ledger) ValidateKey(ctx context.Context, u grant.KeyUse) (grant.LicenseKeyView, *grant.Activation, error) {
	now := time.Now().UTC().Truncate(time.Microsecond) // as it is stored
	k, err := l.used(ctx, u)
	if err == nil {
		err = refused(k.Valid(u, k.activation, now))
	}
	if err == nil && u.Increment > 0 {
		k, err = l.spend(ctx, u, now)
	}
	if err != nil {
		return grant.LicenseKeyView{}, nil, err
	}
	k.Validations += l.tally.add(k.ID, now)
	k.LastValidatedAt = grant.Latest(k.LastValidatedAt, now)
	return k.LicenseKeyView, k.activation, nil
}

// spend adds to a key's usage if it is still good for that.
func (l *Ledger) spend(ctx context.Context, u grant.KeyUse, now time.Time) (inUse, error) {
	return decided(ctx, l, func(t *tx) (k inUse, err error) {
		if k, err = t.used(u); err != nil {
			return k, err
		}
		if err := refused(k.Valid(u, k.activation, now)); err != nil {
			return k, err
		}
		k.Usage += u.Increment
		_, err = t.exec(`UPDATE license_keys SET usage = usage + $2 WHERE id = $1`, k.ID, u.Increment)
		return k, err
	})
}

// refused is a refusal as an error; nil when there is none.
func refused(r *grant.KeyRefusal) error {
	if r == nil {
		return nil
	}
	return r
}

// decided is askAlone for a write that may refuse. A refusal is no failure of the
// write, which would undo its neighbours' commit.
func decided[T any](ctx context.Context, l *Ledger, fn func(*tx) (T, error)) (got T, err error) {
	type verdict struct {
		got     T
		refusal *grant.KeyRefusal
	}
	leave, err := l.writers.enterKeys(ctx)
	if err != nil {
		return got, err
	}
	defer leave()
	v, err := askAlone(ctx, l.writers, func(t *tx) (v verdict, err error) {
		v.got, err = fn(t)
		if errors.As(err, &v.refusal) {
			err = nil
		}
		return v, err
	})
	if err == nil {
		err = refused(v.refusal)
	}
	return v.got, err
}

// writeValidations adds what was counted in memory.
func (l *Ledger) writeValidations(ids []string, counts map[string]counted) error {
	_, err := askAlone(context.Background(), l.writers, func(t *tx) (struct{}, error) {
		return struct{}{}, each(ids, func(id string) error {
			_, err := t.exec(`UPDATE license_keys SET validations = validations + $2,
				last_validated_at = CASE WHEN last_validated_at < $3 THEN $3 ELSE last_validated_at END WHERE id = $1`,
				id, counts[id].validations, micros(counts[id].last))
			return err
		})
	})
	return err
}
