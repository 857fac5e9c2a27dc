package ledger

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"fulfilld/grant"
)

// Claim leases up to limit deliveries to an endpoint that are due, the longest
// due first, and returns them in the order in which they came to be. What others
// have a lease on is left to them.
func (l *Ledger) Claim(ctx context.Context, endpoint string, limit int, lease time.Duration) ([]grant.Delivery, error) {
	var one int64
	err := l.read.row(ctx, `SELECT 1 FROM deliveries WHERE endpoint = $1 AND due_at > 0 AND due_at <= {{now}} AND lease_until <= {{now}} LIMIT 1`, []any{endpoint}, &one)
	if err != nil {
		return nil, ignore(err)
	}
	token := uuid.NewString()
	claimed, err := ask(ctx, l.writers, work, func(t *tx) ([]grant.Delivery, error) {
		s, err := t.stmt(`UPDATE deliveries SET lease_token = $3, lease_until = {{now}} + $4 WHERE seq IN (
				SELECT d.seq FROM deliveries d WHERE d.endpoint = $1 AND d.due_at > 0 AND d.due_at <= {{now}} AND d.lease_until <= {{now}}
				ORDER BY d.due_at, d.seq LIMIT $2 {{lock free}})
			RETURNING ` + deliveryColumns + `, lease_token, data`)
		if err != nil {
			return nil, err
		}
		rows, err := s.QueryContext(t.ctx, endpoint, limit, token, lease.Microseconds())
		if err != nil {
			return nil, err
		}
		return collect(rows, func(r rowScanner) (grant.Delivery, error) {
			var token, data string
			d, err := scanDelivery(more{r, []any{&token, &data}})
			d.Token, d.Data = token, raw(data)
			return d, err
		})
	})
	slices.SortFunc(claimed, func(a, b grant.Delivery) int { return cmp.Compare(a.Seq, b.Seq) })
	return claimed, err
}

// Delivered writes down that an endpoint has taken a delivery, and forgets what
// it said.
func (l *Ledger) Delivered(ctx context.Context, d grant.Delivery) error {
	return l.afterwards(ctx, d, `due_at = 0, done_at = {{now}}, data = '', attempts = 0, since = 0, error = $3`, "")
}

// Postpone writes down why a delivery failed. It is due again after wait, unless
// it has failed for as long as patience: then it is given up, and kept.
func (l *Ledger) Postpone(ctx context.Context, d grant.Delivery, wait, patience time.Duration, why string) (givenUp bool, err error) {
	due, err := ask(ctx, l.writers, work, func(t *tx) (due int64, err error) {
		err = t.row(`UPDATE deliveries SET due_at = CASE WHEN since > 0 AND since <= {{now}} - $4 THEN 0 ELSE {{now}} + $3 END,
				attempts = attempts + 1, since = CASE WHEN since > 0 THEN since ELSE {{now}} END, error = $5, lease_token = '', lease_until = 0
			WHERE seq = $1 AND lease_token = $2 RETURNING due_at`,
			[]any{d.Seq, d.Token, wait.Microseconds(), patience.Microseconds(), why}, &due)
		if errors.Is(err, ErrNotFound) { // its lease was lost: another sees to it
			return 1, nil
		}
		return due, err
	})
	return err == nil && due == 0, err
}

// Release gives a delivery back that could not be tried; it stays due.
func (l *Ledger) Release(ctx context.Context, d grant.Delivery, why string) error {
	return l.afterwards(ctx, d, `error = $3`, why)
}

func (l *Ledger) afterwards(ctx context.Context, d grant.Delivery, set, why string) error {
	return l.writers.do(ctx, work, func(t *tx) error {
		_, err := t.exec(`UPDATE deliveries SET `+set+`, lease_token = '', lease_until = 0 WHERE seq = $1 AND lease_token = $2`, d.Seq, d.Token, why)
		return err
	})
}

// Redeliver makes deliveries due now that were not made: one by its id, or with
// an empty id all of them. It returns how many.
func (l *Ledger) Redeliver(ctx context.Context, id string) (int64, error) {
	n, err := ask(ctx, l.writers, work, func(t *tx) (int64, error) {
		return t.exec(`UPDATE deliveries SET due_at = {{now}}, attempts = 0, since = 0 WHERE done_at = 0 AND data <> '' AND (id = $1 OR $1 = '')`, id)
	})
	if err == nil && n > 0 {
		l.opts.OnDelivery()
	}
	return n, err
}

// Undelivered counts what waits to be delivered, by endpoint, and what was given up.
func (l *Ledger) Undelivered(ctx context.Context) (waiting map[string]int64, failed int64, err error) {
	if err := l.read.row(ctx, `SELECT count(*) FROM deliveries WHERE due_at = 0 AND done_at = 0`, nil, &failed); err != nil {
		return nil, 0, err
	}
	rows, err := l.read.rows(ctx, `SELECT endpoint, count(*) FROM deliveries WHERE due_at > 0 GROUP BY endpoint`)
	if err != nil {
		return nil, 0, err
	}
	waiting = map[string]int64{}
	_, err = collect(rows, func(r rowScanner) (struct{}, error) {
		var endpoint string
		var n int64
		err := r.Scan(&endpoint, &n)
		waiting[endpoint] = n
		return struct{}{}, err
	})
	return waiting, failed, err
}

// Failing names the endpoints that have failed to take something for as long as
// a person should know. Those that nobody listens at any longer are left out.
func (l *Ledger) Failing(ctx context.Context) ([]string, error) {
	rows, err := l.read.rows(ctx, `SELECT DISTINCT endpoint FROM deliveries
		WHERE due_at > 0 AND since > 0 AND since < {{now}} - $1 ORDER BY endpoint`, stuckAfter.Microseconds())
	if err != nil {
		return nil, err
	}
	all, err := collect(rows, scanText)
	return slices.DeleteFunc(all, func(name string) bool { return !l.listens(name) }), err
}

func (l *Ledger) listens(endpoint string) bool {
	for _, names := range l.opts.Listeners {
		if slices.Contains(names, endpoint) {
			return true
		}
	}
	return false
}

const deliveryColumns = `seq, id, endpoint, type, subject, created_at, due_at, done_at, attempts, error`

func scanDelivery(r rowScanner) (d grant.Delivery, err error) {
	var created, due, done int64
	err = r.Scan(&d.Seq, &d.ID, &d.Endpoint, &d.Type, &d.Subject, &created, &due, &done, &d.Attempts, &d.Error)
	d.CreatedAt, d.DueAt, d.DoneAt = timeOf(created), timeOf(due), timeOf(done)
	return d, err
}

// Deliveries lists deliveries without what they say, the latest first, and counts them.
func (l *Ledger) Deliveries(ctx context.Context, f grant.DeliveryFilter, p grant.Page) ([]grant.Delivery, int64, error) {
	s := selection{from: "deliveries"}
	in(&s, "endpoint", f.Endpoints)
	in(&s, "type", f.Types)
	in(&s, `CASE WHEN done_at > 0 THEN 'delivered' WHEN due_at > 0 THEN 'waiting' ELSE 'failed' END`, f.States)
	return list(ctx, l, s, deliveryColumns, " ORDER BY seq DESC", p, scanDelivery)
}
