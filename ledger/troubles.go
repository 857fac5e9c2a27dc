package ledger

import (
	"context"
	"strconv"
	"time"

	"fulfilld/grant"
)

// stuckAfter is how long something may fail, or a revocation that the shop has
// caused may take, before a person should know.
const stuckAfter = time.Hour

// Troubles counts what a person must look at: fulfilments that failed, and
// revocations that their provider refuses, or has not confirmed for long.
func (l *Ledger) Troubles(ctx context.Context) (failed, stuck int64, err error) {
	long := l.engine.now + ` - ` + strconv.FormatInt(stuckAfter.Microseconds(), 10)
	err = l.read.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM fulfilments WHERE state = 'failed'),
		(SELECT count(*) FROM fulfilments WHERE due_at > 0 AND state = 'revoking'
			AND (error_class IN ('permanent', 'action_required') OR event_at > 0 AND event_at < `+long+` AND created_at < `+long+`))`).Scan(&failed, &stuck)
	return failed, stuck, err
}

// Held counts, by their error's code, the fulfilments that wait for something
// that the operator has to mend and not only for time, or that have failed for long.
func (l *Ledger) Held(ctx context.Context) (map[string]int64, error) {
	rows, err := l.read.rows(ctx, `SELECT error_code, count(*) FROM fulfilments
		WHERE error_class IN ('throttled', 'transient') AND error_code NOT IN ('throttled', '`+grant.ApprovalCode+`') AND due_at > 0
			AND (error_class = 'throttled' OR since > 0 AND since < {{now}} - `+strconv.FormatInt(stuckAfter.Microseconds(), 10)+`) GROUP BY error_code`)
	if err != nil {
		return nil, err
	}
	held := map[string]int64{}
	_, err = collect(rows, func(r rowScanner) (struct{}, error) {
		var code string
		var n int64
		err := r.Scan(&code, &n)
		held[code] = n
		return struct{}{}, err
	})
	return held, err
}

// RefusedBenefits are the ids of benefits whose parameters a kind refuses.
func (l *Ledger) RefusedBenefits(ctx context.Context) ([]string, error) {
	rows, err := l.read.rows(ctx, `SELECT id FROM benefits WHERE deleted_at = 0 AND route LIKE '%"problem":%' ORDER BY id`)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(r rowScanner) (id string, err error) {
		err = r.Scan(&id)
		return id, err
	})
}
