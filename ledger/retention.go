package ledger

import (
	"context"
	"time"
)

// retainAtOnce is how many rows one write deletes or blanks: a few milliseconds'
// worth, so that intake never waits for it.
const retainAtOnce = 500

// Retain forgets the raw bodies of events received longer ago than bodies, and
// events received longer ago than ids, in small portions between other commits.
// An event not yet applied is kept whole, and a failed one keeps its body as long
// as itself. Deliveries go with the bodies. It blanks, too, what is left of deleted customers. It returns how
// many rows it deleted or blanked.
func (l *Ledger) Retain(ctx context.Context, bodies, ids time.Duration) (deleted int64, err error) {
	for _, step := range []struct {
		delete string
		age    time.Duration
	}{
		{deleteBodies + ` AND e.state NOT IN ('accepted', 'failed') ORDER BY b.seq LIMIT $2)`, bodies},
		{deleteBodies + ` AND e.state <> 'accepted' ORDER BY b.seq LIMIT $2)`, ids},
		{deleteEvents, ids},
		{deleteDeliveries + ` LIMIT $2)`, bodies},
		{deleteDeliveries + ` AND data <> '' AND customer_id IN (SELECT id FROM customers WHERE deleted_at > 0) LIMIT $2)`, undeliveredFor},
	} {
		n, err := l.deleteOlder(ctx, step.delete, step.age)
		deleted += n
		if err != nil {
			return deleted, err
		}
	}
	n, err := l.forgetCustomers(ctx)
	return deleted + n, err
}

// Few bodies that stay lie before those that go, so each portion finds its rows
// at the front, and looks no further than the youngest event past its age.
const deleteBodies = `DELETE FROM bodies WHERE seq IN (SELECT b.seq FROM bodies b JOIN events e ON e.seq = b.seq
	WHERE b.seq <= (SELECT seq FROM events WHERE received_at < {{now}} - $1 ORDER BY received_at DESC LIMIT 1)
		AND e.received_at < {{now}} - $1`

const deleteEvents = `DELETE FROM events WHERE seq IN (SELECT e.seq FROM events e
	WHERE e.received_at < {{now}} - $1 AND e.state <> 'accepted' AND NOT EXISTS (SELECT 1 FROM bodies b WHERE b.seq = e.seq)
	ORDER BY e.received_at LIMIT $2)`

// undeliveredFor is how long endpoints may still be told of a customer who is
// deleted.
const undeliveredFor = 3 * 24 * time.Hour

const deleteDeliveries = `DELETE FROM deliveries WHERE seq IN (SELECT seq FROM deliveries WHERE created_at < {{now}} - $1`

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

// forgetCustomers blanks what the purchases of deleted customers say of them, and
// their members. No index finds these rows, so they are looked for beside the writer.
func (l *Ledger) forgetCustomers(ctx context.Context) (blanked int64, err error) {
	for _, c := range [][2]string{{"subscriptions", "fields"}, {"subscriptions", "body"}, {"orders", "fields"}, {"members", "body"}} {
		n, err := l.forget(ctx, c[0], c[1])
		blanked += n
		if err != nil {
			return blanked, err
		}
	}
	n, err := l.forgetAccess(ctx)
	return blanked + n, err
}

// forgetAccess blanks what deleted customers' grants tell of them, names at
// providers among it, once nothing is left to be taken away.
func (l *Ledger) forgetAccess(ctx context.Context) (blanked int64, err error) {
	for {
		rows, err := l.read.rows(ctx, `SELECT f.id FROM customers c JOIN grants g ON g.customer_id = c.id
			JOIN fulfilments f ON f.id > g.id || '.' AND f.id < g.id || '/'
			WHERE c.deleted_at > 0 AND f.state = 'revoked' AND f.due_at = 0
				AND (f.properties <> '' OR f.error_text <> '' OR g.properties NOT IN ('', '{}') OR g.previous <> '') LIMIT $1`, retainAtOnce)
		if err != nil {
			return blanked, err
		}
		ids, err := collect(rows, scanText)
		if err != nil || len(ids) == 0 {
			return blanked, err
		}
		if err := l.writers.do(ctx, work, func(t *tx) error { return each(ids, t.blankAccess) }); err != nil {
			return blanked, err
		}
		blanked += int64(len(ids))
		if len(ids) < retainAtOnce {
			return blanked, nil
		}
	}
}

func (t *tx) blankAccess(id string) error {
	for _, q := range []string{
		`UPDATE fulfilments SET properties = '', error_text = '' WHERE id = $1 AND state = 'revoked' AND due_at = 0`,
		`UPDATE attempts SET detail = '' WHERE fulfilment_id = $1`,
		`UPDATE grants SET properties = '', previous = '', error = '' WHERE id = (SELECT grant_id FROM fulfilments WHERE id = $1)`,
	} {
		if _, err := t.exec(q, id); err != nil {
			return err
		}
	}
	// A key of theirs is not good any more, and does not come back.
	_, err := t.exec(`UPDATE activations SET label = '', conditions = '', meta = '{}' WHERE license_key_id = $1`, licenseID(id))
	return err
}

// forget repeats a blanking of at most retainAtOnce rows until it finds fewer.
func (l *Ledger) forget(ctx context.Context, table, column string) (blanked int64, err error) {
	for {
		ids, err := l.unforgotten(ctx, table, column)
		if err != nil || len(ids) == 0 {
			return blanked, err
		}
		if err := l.writers.do(ctx, work, func(t *tx) error {
			return each(ids, func(id string) error {
				_, err := t.exec(`UPDATE `+table+` SET `+column+` = '' WHERE id = $1`, id)
				return err
			})
		}); err != nil {
			return blanked, err
		}
		blanked += int64(len(ids))
		if len(ids) < retainAtOnce {
			return blanked, nil
		}
	}
}

func (l *Ledger) unforgotten(ctx context.Context, table, column string) (ids []string, err error) {
	rows, err := l.read.rows(ctx, `SELECT x.id FROM `+table+` x JOIN customers c ON c.id = x.customer_id
		WHERE x.`+column+` NOT IN ('', '{}') AND c.deleted_at > 0 LIMIT $1`, retainAtOnce)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanText)
}
