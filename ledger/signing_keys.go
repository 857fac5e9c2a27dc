package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/google/uuid"
)

// A key signs for so long; then a new one does.
const signsFor = 30 * 24 * time.Hour

// SigningKeys are the keys of one purpose. They are made and retired as needed:
// what was signed can be verified for as long as it is good.
type SigningKeys struct {
	ledger  *Ledger
	purpose string
	life    time.Duration
}

// SigningKeys returns the keys of a purpose, by which nothing is signed that is
// good for longer than life.
func (l *Ledger) SigningKeys(purpose string, life time.Duration) SigningKeys {
	return SigningKeys{l, purpose, life}
}

type signingKey struct {
	id     string
	secret []byte
}

const youngestKey = `SELECT id, secret FROM signing_keys WHERE purpose = $1 AND retired_at = 0 AND created_at > {{now}} - $2
	ORDER BY created_at DESC LIMIT 1`

// Current returns the key to sign with, and its id.
func (k SigningKeys) Current(ctx context.Context) (id string, secret []byte, err error) {
	args := []any{k.purpose, signsFor.Microseconds()}
	err = k.ledger.read.row(ctx, youngestKey, args, &id, &secret)
	if !errors.Is(err, ErrNotFound) {
		return id, secret, err
	}
	key, err := ask(ctx, k.ledger.writers, work, func(t *tx) (key signingKey, err error) {
		err = t.row(youngestKey, args, &key.id, &key.secret) // another may have been quicker
		if errors.Is(err, ErrNotFound) {
			return t.rotate(k)
		}
		return key, err
	})
	return key.id, key.secret, err
}

// rotate makes a new key, retires the others, and forgets those by which nothing
// can be signed any more that is still good.
func (t *tx) rotate(k SigningKeys) (signingKey, error) {
	key := signingKey{uuid.NewString(), make([]byte, 32)}
	_, _ = rand.Read(key.secret) // it never fails
	_, err := t.exec(`DELETE FROM signing_keys WHERE purpose = $1 AND retired_at > 0 AND retired_at < {{now}} - $2`, k.purpose, k.life.Microseconds())
	if err == nil {
		_, err = t.exec(`UPDATE signing_keys SET retired_at = {{now}} WHERE purpose = $1 AND retired_at = 0`, k.purpose)
	}
	if err == nil {
		_, err = t.exec(`INSERT INTO signing_keys (id, purpose, secret, created_at, retired_at) VALUES ($1, $2, $3, {{now}}, 0)`, key.id, k.purpose, key.secret)
	}
	return key, err
}

// Find returns a key of the purpose by its id; nil when there is none.
func (k SigningKeys) Find(ctx context.Context, id string) (secret []byte, err error) {
	err = k.ledger.read.row(ctx, `SELECT secret FROM signing_keys WHERE id = $1 AND purpose = $2 AND (retired_at = 0 OR retired_at > {{now}} - $3)`,
		[]any{id, k.purpose, k.life.Microseconds()}, &secret)
	return secret, ignore(err)
}
