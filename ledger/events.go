package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"time"

	"fulfilld/grant"
)

// Accept commits an event before it is answered. A context that ends first
// leaves the outcome uncertain; handing the same event in again is harmless.
func (l *Ledger) Accept(ctx context.Context, ev grant.Event) (grant.Acceptance, error) {
	sum := sha256.Sum256(ev.Body)
	return ask(ctx, l.writers, intake, func(t *tx) (grant.Acceptance, error) {
		n, err := t.exec(`INSERT INTO events (source, webhook_id, type, occurred_at, received_at, state, daemon, sha256)
			VALUES ($1, $2, $3, $4, $5, 'accepted', $6, $7) ON CONFLICT (source, webhook_id) DO NOTHING`,
			ev.Source, ev.ID, ev.Type, micros(ev.OccurredAt), micros(ev.ReceivedAt), l.daemon, sum[:])
		if err != nil {
			return "", err
		}
		if n == 0 {
			return t.known(ev, sum[:])
		}
		_, err = t.exec(`INSERT INTO bodies (seq, body) VALUES ({{serialed}}, $1)`, ev.Body)
		return grant.Accepted, err
	})
}

func (t *tx) known(ev grant.Event, sum []byte) (grant.Acceptance, error) {
	var had []byte
	err := t.row(`SELECT sha256 FROM events WHERE source = $1 AND webhook_id = $2`, []any{ev.Source, ev.ID}, &had)
	if err == nil && !bytes.Equal(had, sum) {
		return grant.Conflict, nil
	}
	return grant.Duplicate, err
}

const eventColumns = `e.seq, e.source, e.webhook_id, e.type, e.occurred_at, e.received_at, e.state, e.error, b.body`

func scanEvent(rows rowScanner) (ev grant.Event, err error) {
	var occurred, received int64
	err = rows.Scan(&ev.Seq, &ev.Source, &ev.ID, &ev.Type, &occurred, &received, &ev.State, &ev.Error, &ev.Body)
	ev.OccurredAt, ev.ReceivedAt = timeOf(occurred), timeOf(received)
	return ev, err
}

// Unapplied returns accepted events, the oldest first: this process's own, and
// those of others that have lain for longer than othersAfter.
func (l *Ledger) Unapplied(ctx context.Context, othersAfter time.Duration, limit int) ([]grant.Event, error) {
	rows, err := l.read.rows(ctx, `SELECT `+eventColumns+`
		FROM events e JOIN bodies b ON b.seq = e.seq
		WHERE e.state = 'accepted' AND (e.daemon = $1 OR e.received_at <= {{now}} - $2 OR $2 = 0)
		ORDER BY e.seq LIMIT $3`, l.daemon, othersAfter.Microseconds(), limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanEvent)
}

// Backlog counts the events not yet applied, and tells when the oldest came.
func (l *Ledger) Backlog(ctx context.Context) (n int64, oldest time.Time, err error) {
	var at int64
	err = l.read.QueryRowContext(ctx, `SELECT count(*), coalesce(min(received_at), 0) FROM events WHERE state = 'accepted'`).Scan(&n, &at)
	return n, timeOf(at), err
}

// FailedEvents counts the events that could not be applied.
func (l *Ledger) FailedEvents(ctx context.Context) (n int64, err error) {
	err = l.read.QueryRowContext(ctx, `SELECT count(*) FROM events WHERE state = 'failed'`).Scan(&n)
	return n, err
}

// Replay makes events be applied again: one by its webhook-id, or every failed
// one when id is empty. It returns how many. One whose body is past retention
// stays as it is.
func (l *Ledger) Replay(ctx context.Context, id string) (n int64, err error) {
	which := `state = 'failed' AND $2 = ''`
	if id != "" {
		which = `webhook_id = $2`
	}
	return ask(ctx, l.writers, work, func(t *tx) (int64, error) {
		return t.exec(`UPDATE events SET state = 'accepted', error = '', daemon = $1 WHERE `+which+`
			AND EXISTS (SELECT 1 FROM bodies b WHERE b.seq = events.seq)`, l.daemon, id)
	})
}
