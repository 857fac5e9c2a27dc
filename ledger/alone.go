package ledger

import (
	"context"
	"slices"
	"strings"
	"time"
)

const (
	aloneWriters = 6 // connections for writes that are alone in their transaction
	keyWriters   = 2 // of these, for what apps do with license keys: anybody may ask
	aloneTries   = 5 // of a write that met another in a deadlock
)

// askAlone is ask for a write that locks rows which others want, too. On Postgres
// it has a transaction of its own: joined with others it would lock in any order.
func askAlone[T any](ctx context.Context, w *writers, fn func(*tx) (T, error)) (T, error) {
	if w.spare == nil {
		return ask(ctx, w, work, fn)
	}
	var got, none T
	err := w.alone(ctx, func(t *tx) (err error) {
		got, err = fn(t)
		return err
	})
	if err != nil {
		return none, err
	}
	return got, nil
}

// askLocking is askAlone where rows are locked that others want, else ask.
func askLocking[T any](ctx context.Context, w *writers, locks bool, fn func(*tx) (T, error)) (T, error) {
	if locks {
		return askAlone(ctx, w, fn)
	}
	return ask(ctx, w, work, fn)
}

func (w *writers) alone(ctx context.Context, fn func(*tx) error) (err error) {
	var t *tx
	select {
	case t = <-w.spare:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.closing:
		return errClosed
	}
	defer func() { w.spare <- t }()
	began := time.Now()
	for range aloneTries {
		err = t.transact(func() error {
			t.spoilt, t.owed = nil, ""
			return fn(t)
		})
		if !isContention(err) {
			break
		}
	}
	w.onCommit(1, time.Since(began), err)
	return err
}

// enterKeys waits until a write about a license key may ask for a connection.
func (w *writers) enterKeys(ctx context.Context) (leave func(), err error) {
	if w.spare == nil {
		return func() {}, nil
	}
	select {
	case w.keys <- struct{}{}:
		return func() { <-w.keys }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// isContention tells a write that may succeed when it is tried again: a deadlock,
// a lock that was held for too long, or an event of credits that another has just
// recorded.
func isContention(err error) bool {
	return err != nil && slices.ContainsFunc([]string{"SQLSTATE 40P01", "SQLSTATE 55P03", `"credit_entries_key" (SQLSTATE 23505)`},
		func(mark string) bool { return strings.Contains(err.Error(), mark) })
}

// closeSpare waits for the writes that are alone, and closes their connections.
func (w *writers) closeSpare() {
	for range cap(w.spare) {
		(<-w.spare).close()
	}
}
