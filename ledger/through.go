package ledger

import (
	"context"
	"errors"

	"fulfilld/grant"
)

// Through sees a fulfilment that is due through in one commit: act decides and
// acts, and says what is to be recorded. Whatever it asks of this ledger by its
// context belongs to the same commit; it must do nothing else that lasts, nor
// wait for anything, and may be called again when the commit fails. Through
// returns the fulfilment when that is due again at once, and ErrNotFound when
// there is nothing to do.
func (l *Ledger) Through(ctx context.Context, id string, act func(context.Context, grant.Held) grant.Outcome) (*grant.Due, error) {
	type seen struct {
		recorded
		found bool
	}
	see := func(t *tx) (seen, error) {
		was, err := t.marked(l, grant.GrantOf(id))
		if err != nil {
			return seen{}, err
		}
		h, err := l.heldIfDue(t, id)
		if errors.Is(err, ErrNotFound) { // no error: it would undo the neighbours' commit
			return seen{}, t.unmark(grant.GrantOf(id), was)
		}
		if err != nil {
			return seen{}, err
		}
		h.Starts++
		t.owed = id
		o := act(context.WithValue(ctx, insideKey{}, t), h)
		t.owed = ""
		if t.spoilt != nil {
			return seen{}, t.spoilt
		}
		rec, err := t.recordAndTell(l, h, o, was)
		return seen{rec, true}, err
	}
	got, err := askLocking(ctx, l.writers, l.hearsGrants() || grant.KindOf(id) == creditKind, see)
	if err == nil && !got.found {
		err = ErrNotFound
	}
	again, _, err := l.recorded(got.recorded, err)
	return again, err
}

// heldIfDue is held for what is due and nobody's. On Postgres the row is locked by
// a statement of its own: one that waited for the lock would see the new
// generation of the row it has locked, and the facts as they were before.
func (l *Ledger) heldIfDue(t *tx, id string) (h grant.Held, err error) {
	const due = ` AND f.due_at > 0 AND f.due_at <= {{now}} AND f.lease_until <= {{now}}`
	if l.engine.lock == "" {
		return l.held(t, id, due)
	}
	var one int64
	if err := t.row(`SELECT 1 FROM fulfilments f WHERE f.id = $1`+due+` {{lock}}`, []any{id}, &one); err != nil {
		return h, err
	}
	return l.held(t, id, "")
}

// insideKey finds the transaction that a context's call belongs to.
type insideKey struct{}

// inside runs a write in the transaction the call belongs to; ok is false when
// it belongs to none. One that fails spoils the transaction.
func inside[T any](ctx context.Context, fn func(*tx) (T, error)) (got T, ok bool, err error) {
	t, ok := ctx.Value(insideKey{}).(*tx)
	if !ok {
		return got, false, nil
	}
	got, err = fn(t)
	t.spoilt = errors.Join(t.spoilt, err)
	return got, true, err
}
