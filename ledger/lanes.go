package ledger

import (
	"context"
	"errors"
	"time"

	"fulfilld/grant"
)

const lateBy = 60 * time.Second // who does not come by then has lost its place

// Pass takes a place in a lane, for the context's caller. It returns how long
// to wait for one when the lane rests or is full, and has the caller expected
// then: places are given in the order in which they were asked for. What is
// urgent goes before those who are expected.
func (l *Ledger) Pass(ctx context.Context, lane string, limits []grant.Limit, urgent bool) (wait time.Duration, err error) {
	if len(limits) == 0 {
		return l.rests(ctx, lane)
	}
	who := grant.Caller(ctx)
	return askAlone(ctx, l.writers, func(t *tx) (time.Duration, error) {
		p, err := t.place(lane, who, limits, urgent)
		if err != nil || p.until > p.now {
			return time.Duration(p.until-p.now) * time.Microsecond, err
		}
		at := p.now
		for _, limit := range limits {
			free, err := t.free(p, limit)
			if err != nil {
				return 0, err
			}
			at = max(at, free)
		}
		return time.Duration(at-p.now) * time.Microsecond, t.occupy(p, at)
	})
}

// rests tells how long a lane still rests.
func (l *Ledger) rests(ctx context.Context, lane string) (time.Duration, error) {
	var left int64
	err := l.read.row(ctx, `SELECT until - {{now}} FROM lanes WHERE name = $1`, []any{lane}, &left)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	return time.Duration(max(left, 0)) * time.Microsecond, err
}

// place is somebody's place in a lane.
type place struct {
	lane, who  string
	urgent     bool
	now, until int64
	mine       int64 // when it is expected; 0 for a newcomer
}

// place locks the lane, so that its places are given one after another.
func (t *tx) place(lane, who string, limits []grant.Limit, urgent bool) (p place, err error) {
	p = place{lane: lane, who: who, urgent: urgent}
	if _, err := t.exec(`INSERT INTO lanes (name, until, why) VALUES ($1, 0, '') ON CONFLICT DO NOTHING`, lane); err != nil {
		return p, err
	}
	if err := t.row(`SELECT until, {{now}} FROM lanes WHERE name = $1 {{lock}}`, []any{lane}, &p.until, &p.now); err != nil {
		return p, err
	}
	longest := time.Duration(0)
	for _, limit := range limits {
		longest = max(longest, limit.Per)
	}
	if _, err := t.exec(`DELETE FROM passes WHERE lane = $1 AND (at <= $2 OR expected = 1 AND at <= $3)`,
		lane, p.now-longest.Microseconds(), p.now-lateBy.Microseconds()); err != nil {
		return p, err
	}
	err = t.row(`SELECT coalesce(min(at), 0) FROM passes WHERE lane = $1 AND expected = 1 AND who = $2 AND $2 <> ''`, []any{lane, who}, &p.mine)
	return p, err
}

// free is when a limit leaves room for one more.
func (t *tx) free(p place, limit grant.Limit) (at int64, err error) {
	calls := limit.Calls
	if !p.urgent {
		calls -= limit.Spare
	}
	err = t.row(`SELECT at FROM passes WHERE lane = $1 AND at > $2 AND (expected = 0 OR $3 = 0 AND (at < $4 OR $4 = 0))
		ORDER BY at DESC LIMIT 1 OFFSET $5`,
		[]any{p.lane, p.now - limit.Per.Microseconds(), flag(p.urgent), p.mine, calls - 1}, &at)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	return at + limit.Per.Microseconds(), err
}

// occupy takes the place, or has it kept for later.
func (t *tx) occupy(p place, at int64) error {
	if p.mine > 0 {
		if _, err := t.exec(`DELETE FROM passes WHERE lane = $1 AND who = $2 AND expected = 1`, p.lane, p.who); err != nil {
			return err
		}
	}
	if at > p.now && p.who == "" {
		return nil
	}
	_, err := t.exec(`INSERT INTO passes (lane, at, who, expected) VALUES ($1, $2, $3, $4)`, p.lane, at, p.who, flag(at > p.now))
	return err
}

// Pause has a lane rest for at least so long.
func (l *Ledger) Pause(ctx context.Context, lane string, d time.Duration, why string) error {
	return l.writers.do(ctx, work, func(t *tx) error {
		_, err := t.exec(`INSERT INTO lanes (name, until, why) VALUES ($1, {{now}} + $2, $3)
			ON CONFLICT (name) DO UPDATE SET until = excluded.until, why = excluded.why WHERE excluded.until > lanes.until`,
			lane, d.Microseconds(), why)
		return err
	})
}

// Resting returns the lanes that rest now.
func (l *Ledger) Resting(ctx context.Context) ([]grant.Lane, error) {
	return l.lanes(ctx, `name NOT LIKE 'removals:%' AND name NOT LIKE 'approved:%'`, 0)
}

// lanes lists lanes that rest; prefix is how much of their names to leave out.
func (l *Ledger) lanes(ctx context.Context, where string, prefix int) ([]grant.Lane, error) {
	rows, err := l.read.rows(ctx, `SELECT name, until, why FROM lanes WHERE until > {{now}} AND `+where+` ORDER BY name`)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(r rowScanner) (lane grant.Lane, err error) {
		var until int64
		err = r.Scan(&lane.Name, &until, &lane.Why)
		lane.Name, lane.Until = lane.Name[prefix:], timeOf(until)
		return lane, err
	})
}
