package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"fulfilld/grant"
)

const maxSold = 2000 // events in one transaction

// till combines the sales that come while others are being recorded: on Postgres a
// transaction takes as long for one event as for many, and two at once would wait for
// each other's meters. Its zero value is ready.
type till struct {
	mu      sync.Mutex
	waiting []*sale
	busy    bool // somebody serves
}

// queue waits in line, and returns once the sale is recorded or has failed. When
// ctx ends first the outcome is uncertain.
func (l *till) queue(ctx context.Context, w *writers, s *sale) (none grant.Consumption, err error) {
	l.mu.Lock()
	l.waiting = append(l.waiting, s)
	if !l.busy {
		l.busy = true
		go l.serve(w)
	}
	l.mu.Unlock()
	select {
	case <-s.done:
		return s.got, s.err
	case <-ctx.Done():
		return none, fmt.Errorf("ledger: commit uncertain: %w", ctx.Err())
	}
}

// serve records sales until nobody waits.
func (l *till) serve(w *writers) {
	for some := l.next(); len(some) > 0; some = l.next() {
		w.sell(some)
	}
}

// next takes who waits, in order.
func (l *till) next() []*sale {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, events := 0, 0
	for n < len(l.waiting) && (n == 0 || events+len(l.waiting[n].events) <= maxSold) {
		events += len(l.waiting[n].events)
		n++
	}
	some := l.waiting[:n:n]
	l.waiting, l.busy = l.waiting[n:], n > 0
	return some
}

// sell records sales in one transaction; when one is to blame that it fails, each
// in one of its own. After any other failure what is recorded is not certain.
func (w *writers) sell(all []*sale) {
	err := w.alone(context.Background(), func(t *tx) error { return t.sell(all) })
	if err != nil && len(all) > 1 && !errors.Is(err, errBegin) && (isConstraint(err) || isContention(err)) {
		for _, s := range all {
			w.sell([]*sale{s})
		}
		return
	}
	for _, s := range all {
		if s.err = err; err != nil {
			s.got = grant.Consumption{}
		}
		close(s.done)
	}
}
