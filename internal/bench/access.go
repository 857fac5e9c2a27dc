package main

import (
	"context"
	"math"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	grantsEach  = 1000 // at each provider
	revokesEach = 10
	revokeEvery = time.Second // so that they do not all meet the same moment of the daemon's
	settle      = time.Second // the daemon's, which a revoke waits for
	lookEvery   = 200 * time.Millisecond
	stuckAfter  = 3 * time.Minute // so long without a change: the rest is left
)

// access measures how fast access is given, and taken, where providers limit
// it: a GitHub and a Discord of ours, with the limits they document.
func (b *bench) access(func(string) bool) error {
	w, err := newOutside(b.factor)
	if err != nil {
		return err
	}
	defer w.close()
	environ, err := w.environ(b.root, b.concurrency)
	if err != nil {
		return err
	}
	d, err := b.startDaemon(daemonOptions{environ: environ})
	if err != nil {
		return err
	}
	defer d.drop()
	before := d.cpus()
	if err := d.sell(w); err != nil {
		return d.proc.failed(err)
	}
	now, n := d.cpus(), float64(len(w.buyers))
	for what, v := range map[string]float64{
		cpuGrant: float64((now[0] - before[0]).Microseconds()) / n,
		cpuStore: float64((now[1] - before[1]).Microseconds()) / n,
		highRSS:  memory(d.proc.cmd.Process.Pid, "VmHWM"),
	} {
		b.table.add("access-daemon", 1, what, v)
	}
	return d.judge(w)
}

// sell sends every purchase at once, and in mid-run ends some.
func (s *subject) sell(w *outside) error {
	began := time.Now()
	if err := s.deliver(w.buyers, (*buyer).buys); err != nil {
		return err
	}
	s.table.add("access-daemon", 1, ack, float64(len(w.buyers))/time.Since(began).Seconds())
	for last, least := time.Now(), math.MaxInt; time.Since(last) < stuckAfter; {
		w.accept()
		left := 0
		for _, p := range w.providers {
			if err := s.endSome(p); err != nil {
				return err
			}
			left += len(p.buyers) - p.given() + len(p.leaving) - p.taken()
		}
		if left == 0 {
			return nil
		}
		if left < least {
			last, least = time.Now(), left
		}
		if err := s.pause(lookEvery); err != nil {
			return err
		}
	}
	return nil
}

// endSome ends a few purchases, one after another, once half of a provider's are
// fulfilled.
func (s *subject) endSome(p *provider) error {
	if p.half.IsZero() && p.given() >= grantsEach/2 {
		p.half, p.leaving = time.Now(), p.chosen()
	}
	n := len(p.revoked)
	if len(p.leaving) == n || time.Since(p.half) < time.Duration(n)*revokeEvery {
		return nil
	}
	p.revoked = p.leaving[:n+1]
	return s.deliver(p.revoked[n:], (*buyer).leaves)
}

// deliver sends a webhook about each, as fast as they are taken.
func (s *subject) deliver(all []*buyer, tell func(*buyer, time.Time) ([]byte, error)) error {
	group, ctx := errgroup.WithContext(s.ctx)
	group.SetLimit(connections)
	for _, b := range all {
		group.Go(func() error {
			body, err := tell(b, time.Now())
			if err != nil {
				return err
			}
			return s.post(ctx, body)
		})
	}
	return group.Wait()
}

// judge fills the table.
func (s *subject) judge(w *outside) error {
	unrecorded, err := s.unrecorded()
	if err != nil {
		return err
	}
	for column, p := range w.providers {
		for what, v := range p.figures() {
			s.table.add("access", column, what, v)
		}
		s.table.add("access", column, undone, float64(max(p.wrong(), unrecorded[p.kind])))
		rest, revokes := p.priority()
		s.table.add("access-revokes", 0, p.name+", s", percentile(rest, 50).Seconds())
		s.table.add("access-revokes", 1, p.name+", s", percentile(revokes, 99).Seconds())
		s.table.add("access-revokes", 1, p.name+", p50, s", percentile(revokes, 50).Seconds())
	}
	return nil
}

// unrecorded counts the fulfilments of each kind that the ledger does not take
// for done; one that waits for an invitation to be accepted is.
func (s *subject) unrecorded() (n map[string]int, err error) {
	for began := time.Now(); ; {
		n, err = s.memory.(*ledgerMemory).undone(s.ctx)
		if err != nil || len(n) == 0 || time.Since(began) > stuckAfter {
			return n, err
		}
		if err := s.pause(lookEvery); err != nil {
			return nil, err
		}
	}
}

func (l *ledgerMemory) undone(ctx context.Context) (map[string]int, error) {
	rows, err := l.db.QueryContext(ctx, `SELECT kind, count(*) FROM fulfilments
		WHERE NOT (state IN ('granted', 'revoked') OR state = 'waiting' AND error_code = 'invited') GROUP BY kind`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	n := map[string]int{}
	for rows.Next() {
		var kind string
		var count int
		if err := rows.Scan(&kind, &count); err != nil {
			return nil, err
		}
		n[kind] = count
	}
	return n, rows.Err()
}
