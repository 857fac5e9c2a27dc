package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	grantsEach  = 1000 // at each provider
	revokesEach = 10
	settle      = time.Second // the daemon's, which a revoke waits for
	lookEvery   = 200 * time.Millisecond
	stuckAfter  = 3 * time.Minute  // so long without a grant: the rest is left
	recordedIn  = 20 * time.Second // what was done last is in the ledger by then
)

// access measures how fast access is given, and taken, where providers limit
// it: a fake GitHub and a fake Discord of ours, with the limits they document.
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
	used := d.cpus()
	took, err := d.sell(w)
	if err != nil {
		return d.proc.failed(err)
	}
	now := d.cpus()
	for what, v := range map[string]float64{
		acked:     float64(len(w.buyers)) / took.Seconds(),
		cpuGrant:  float64((now[0] - used[0]).Microseconds()) / float64(len(w.buyers)),
		cpuRedis:  float64((now[1] - used[1]).Microseconds()) / float64(len(w.buyers)),
		highGrant: memory(d.proc.cmd.Process.Pid, "VmHWM"),
	} {
		b.table.add("access-daemon", 1, what, v)
	}
	return d.judge(w)
}

// sell sends every purchase at once, and revokes some once half of a provider's
// are given. It returns how long it took until all purchases were acknowledged.
func (s *subject) sell(w *outside) (took time.Duration, err error) {
	began := time.Now()
	if err := s.deliver(w.buyers, (*buyer).buys); err != nil {
		return 0, err
	}
	took = time.Since(began)
	for last, most := time.Now(), -1; ; {
		w.accept()
		done, left := 0, 0
		for _, p := range w.providers {
			given := p.given()
			if len(p.revoked) == 0 && given >= grantsEach/2 {
				p.revoked = p.chosen()
				if err := s.deliver(p.revoked, (*buyer).leaves); err != nil {
					return 0, err
				}
			}
			done += given + p.taken()
			left += grantsEach + revokesEach - given - p.taken()
		}
		if done > most {
			last, most = time.Now(), done
		}
		if left == 0 || time.Since(last) > stuckAfter {
			return took, nil
		}
		if err := s.pause(lookEvery); err != nil {
			return 0, err
		}
	}
}

// deliver sends a webhook of each, as fast as they are taken.
func (s *subject) deliver(all []*buyer, make func(*buyer, time.Time) ([]byte, error)) error {
	group, ctx := errgroup.WithContext(s.ctx)
	group.SetLimit(connections)
	for _, b := range all {
		group.Go(func() error {
			body, err := make(b, time.Now())
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
	for i, p := range w.providers {
		f := p.figures()
		f[left] = float64(max(p.wrong(), unrecorded[p.kind]))
		for what, v := range f {
			s.table.add("access", i, what, v)
		}
		grants, revokes := p.waits(p.all, p.spy.gave), p.waits(p.revoked, p.spy.took)
		s.table.add("access-revokes", 0, p.name+", s", percentile(grants, 50).Seconds())
		s.table.add("access-revokes", 1, p.name+", s", percentile(revokes, 99).Seconds())
		s.table.add("access-revokes", 1, p.name+", median, s", percentile(revokes, 50).Seconds())
		if n := p.violations(); n != "" {
			fmt.Fprintf(os.Stderr, "bench: violations of %s: %s\n", p.name, n)
		}
	}
	return nil
}

// unrecorded counts the fulfilments of each kind that are not done in the
// ledger's eyes; one that waits for an invitation to be accepted is.
func (s *subject) unrecorded() (map[string]int, error) {
	ctx, cancel := context.WithTimeout(s.ctx, recordedIn)
	defer cancel()
	for {
		n, err := s.memory.(*ledgerMemory).undone(ctx)
		if err != nil || len(n) == 0 {
			return n, err
		}
		select {
		case <-ctx.Done():
			return n, s.ctx.Err()
		case <-time.After(lookEvery):
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

// waits are how long it took from each webhook to the change at the provider,
// sorted. A revoke may settle first, which does not count.
func (p *provider) waits(all []*buyer, changed map[string]time.Time) (waits []time.Duration) {
	for _, b := range all {
		at, from := changed[b.path], b.bought
		if !b.left.IsZero() && at.After(b.left) {
			from = b.left.Add(settle)
		}
		if !at.IsZero() {
			waits = append(waits, max(0, at.Sub(from)))
		}
	}
	slices.Sort(waits)
	return waits
}
