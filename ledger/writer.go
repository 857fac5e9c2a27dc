package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"
)

// lane says whose work a write is: intake goes first, but never starves the rest.
type lane int

const (
	intake lane = iota
	work
)

const (
	maxBatch  = 256                   // writes combined into one commit
	restShare = 3                     // the rest gets one part for three of intake: a quarter
	maxCredit = 10 * time.Millisecond // what the rest may save up
)

var errClosed = errors.New("ledger: closed")

// job is one caller's write. It may run more than once, so it must set its
// results afresh each time.
type job struct {
	run  func(*tx) error
	err  error
	done chan struct{}
}

// writers combine concurrent writes into shared commits: each caller is
// answered after the fsync of the commit that carries its write.
type writers struct {
	lanes    [2]chan *job
	closing  chan struct{}
	wg       sync.WaitGroup
	once     sync.Once
	onCommit func(int, time.Duration, error)
}

func newWriters(ctx context.Context, db *sql.DB, e engine, onCommit func(int, time.Duration, error)) (*writers, error) {
	w := &writers{closing: make(chan struct{}), onCommit: onCommit}
	for i := range w.lanes {
		w.lanes[i] = make(chan *job, 2*maxBatch)
	}
	for range e.writers {
		t := &tx{db: db, engine: e}
		if err := t.connect(ctx); err != nil {
			w.stopWith(w.wg.Wait)
			return nil, err
		}
		w.wg.Go(func() { w.loop(t) })
	}
	return w, nil
}

// do runs fn in a shared commit and returns once it is durable. When ctx ends
// first the outcome is uncertain: the write is not taken back.
func (w *writers) do(ctx context.Context, l lane, fn func(*tx) error) error {
	j := &job{run: fn, done: make(chan struct{})}
	select {
	case w.lanes[l] <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.closing:
		return errClosed
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		return fmt.Errorf("ledger: commit uncertain: %w", ctx.Err())
	}
}

func (w *writers) stop() error {
	w.stopWith(w.wg.Wait)
	return nil
}

func (w *writers) stopWith(wait func()) {
	w.once.Do(func() { close(w.closing) })
	wait()
	for _, c := range w.lanes { // whoever slipped in while closing
		for {
			select {
			case j := <-c:
				j.finish(errClosed)
				continue
			default:
			}
			break
		}
	}
}

func (j *job) finish(err error) {
	j.err = err
	close(j.done)
}

// loop is one writer. credit is the time the rest has earned while intake was busy.
func (w *writers) loop(t *tx) {
	defer t.close()
	var credit time.Duration
	for {
		first, rest, ok := w.next()
		if !ok {
			return
		}
		if len(first) == 0 {
			credit = maxCredit
		}
		credit = w.commit(t, first, rest, credit)
	}
}

// next waits for work and takes what is there.
func (w *writers) next() (first, rest []*job, ok bool) {
	select {
	case j := <-w.lanes[intake]:
		first = append(first, j)
	case j := <-w.lanes[work]:
		rest = append(rest, j)
	case <-w.closing:
		select { // finish what was handed in before
		case j := <-w.lanes[intake]:
			first = append(first, j)
		case j := <-w.lanes[work]:
			rest = append(rest, j)
		default:
			return nil, nil, false
		}
	}
	first = drain(w.lanes[intake], first)
	return first, rest, true
}

func drain(c chan *job, into []*job) []*job {
	for len(into) < maxBatch {
		select {
		case j := <-c:
			into = append(into, j)
		default:
			return into
		}
	}
	return into
}

// commit runs the batch in one transaction. When it fails, each write gets a
// transaction of its own, so that one bad write never fails its neighbours.
func (w *writers) commit(t *tx, first, rest []*job, credit time.Duration) time.Duration {
	started := time.Now()
	batch, credit, err := w.attempt(t, first, rest, credit)
	w.onCommit(len(batch), time.Since(started), err)
	if err == nil || len(batch) == 1 {
		for _, j := range batch {
			j.finish(err)
		}
		return credit
	}
	for _, j := range batch {
		started := time.Now()
		err := t.transact(func() error { return j.run(t) })
		w.onCommit(1, time.Since(started), err)
		j.finish(err)
	}
	return credit
}

// attempt runs intake, then as much of the rest as its credit pays for.
func (w *writers) attempt(t *tx, first, rest []*job, credit time.Duration) (batch []*job, left time.Duration, err error) {
	batch = first
	err = t.transact(func() error {
		started := time.Now()
		for _, j := range first {
			if err := j.run(t); err != nil {
				return err
			}
		}
		credit = min(credit+time.Since(started)/restShare, maxCredit)
		for {
			if len(rest) == 0 && (credit > 0 || len(first) == 0) && len(batch) < 2*maxBatch {
				rest = one(w.lanes[work])
			}
			if len(rest) == 0 {
				return nil
			}
			started := time.Now()
			j := rest[0]
			batch, rest = append(batch, j), rest[1:]
			if err := j.run(t); err != nil {
				return err
			}
			if len(first) > 0 {
				credit -= time.Since(started)
			}
		}
	})
	if err != nil { // what was not begun is tried by itself, too
		batch = append(batch, rest...)
	}
	return batch, credit, err
}

func one(c chan *job) []*job {
	select {
	case j := <-c:
		return []*job{j}
	default:
		return nil
	}
}
