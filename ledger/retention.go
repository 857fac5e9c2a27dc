package ledger

import (
	"context"
	"time"
)

// retainAtOnce is how many rows one write deletes: a few milliseconds' worth, so
// that intake never waits for it.
const retainAtOnce = 500

// Retain forgets the raw bodies of events received longer ago than bodies, and
// events received longer ago than ids, in small portions between other commits.
// An event not yet applied is kept whole, and a failed one keeps its body as long
// as itself. It returns how many rows it deleted.
func (l *Ledger) Retain(ctx context.Context, bodies, ids time.Duration) (deleted int64, err error) {
	for _, step := range []struct {
		delete string
		age    time.Duration
	}{
		{deleteBodies + ` AND e.state NOT IN ('accepted', 'failed') ORDER BY b.seq LIMIT $2)`, bodies},
		{deleteBodies + ` AND e.state <> 'accepted' ORDER BY b.seq LIMIT $2)`, ids},
		{deleteEvents, ids},
	} {
		n, err := l.deleteOlder(ctx, step.delete, step.age)
		deleted += n
		if err != nil {
			return deleted, err
		}
	}
	return deleted, nil
}

// Few bodies that stay lie before those that go, so each portion finds its rows
// at the front, and looks no further than the youngest event past its age.
const deleteBodies = `DELETE FROM bodies WHERE seq IN (SELECT b.seq FROM bodies b JOIN events e ON e.seq = b.seq
	WHERE b.seq <= (SELECT seq FROM events WHERE received_at < {{now}} - $1 ORDER BY received_at DESC LIMIT 1)
		AND e.received_at < {{now}} - $1`

const deleteEvents = `DELETE FROM events WHERE seq IN (SELECT e.seq FROM events e
	WHERE e.received_at < {{now}} - $1 AND e.state <> 'accepted' AND NOT EXISTS (SELECT 1 FROM bodies b WHERE b.seq = e.seq)
	ORDER BY e.received_at LIMIT $2)`

// deleteOlder repeats a deletion of at most retainAtOnce rows until it finds fewer.
func (l *Ledger) deleteOlder(ctx context.Context, q string, age time.Duration) (deleted int64, err error) {
	for {
		n, err := ask(ctx, l.writers, work, func(t *tx) (int64, error) {
			return t.exec(q, age.Microseconds(), retainAtOnce)
		})
		deleted += n
		if err != nil || n < retainAtOnce {
			return deleted, err
		}
	}
}
