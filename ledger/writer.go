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
	ended    chan struct{} // every write handed in has been answered
	wg       sync.WaitGroup
	once     sync.Once
	onCommit func(int, time.Duration, error)
}

func newWriters(ctx context.Context, db *sql.DB, e engine, onCommit func(int, time.Duration, error)) (*writers, error) {
	w := &writers{closing: make(chan struct{}), ended: make(chan struct{}), onCommit: onCommit}
	for i := range w.lanes {
		w.lanes[i] = make(chan *job, 2*maxBatch)
	}
	for range e.writers {
		t := &tx{db: db, engine: e}
		if err := t.connect(ctx); err != nil {
			return nil, errors.Join(err, w.stop())
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
	case <-w.ended:
	}
	select {
	case <-j.done:
		return j.err
	default: // it slipped in while closing, and nobody takes it any more
		return errClosed
	}
}

// ask is do for a write with a result. The writer may still be at a write that
// was not waited for, so the result of one that failed is never looked at.
func ask[T any](ctx context.Context, w *writers, l lane, fn func(*tx) (T, error)) (T, error) {
	var got, none T
	if err := w.do(ctx, l, func(t *tx) (err error) {
		got, err = fn(t)
		return err
	}); err != nil {
		return none, err
	}
	return got, nil
}

func (w *writers) stop() error {
	w.once.Do(func() {
		close(w.closing)
		w.wg.Wait()
		close(w.ended)
	})
	return nil
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
// transaction of its own, so that one bad write never fails its neighbours;
// where none can be begun, that would only take longer.
func (w *writers) commit(t *tx, first, rest []*job, credit time.Duration) time.Duration {
	started := time.Now()
	batch, credit, err := w.attempt(t, first, rest, credit)
	w.onCommit(len(batch), time.Since(started), err)
	if err == nil || len(batch) == 1 || errors.Is(err, errBegin) {
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
			if len(rest) == 0 && w.more(len(first), len(batch), credit) {
				rest = take(w.lanes[work])
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

// more reports whether a batch takes on more of the rest: beside intake as much
// as it has credit for, without intake until some comes.
func (w *writers) more(first, batch int, credit time.Duration) bool {
	if batch >= 2*maxBatch {
		return false
	}
	return credit > 0 && first > 0 || first == 0 && len(w.lanes[intake]) == 0
}

func take(c chan *job) []*job {
	select {
	case j := <-c:
		return []*job{j}
	default:
		return nil
	}
}
