package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// lane says whose work a write is: intake goes first, but never starves work.
type lane int

const (
	intake lane = iota
	work
)

var errClosed = errors.New("ledger: closed")

// job is one caller's write. It may run more than once, so it must set its
// results afresh each time.
type job struct {
	lane lane
	run  func(*tx) error
	err  error
	done chan struct{}
}

// writers combine concurrent writes into shared commits: each caller is
// answered after the fsync of the commit that carries its write.
type writers struct {
	log      *walLog // makes commits durable; nil where COMMIT does
	lanes    [2]chan *job
	waiting  atomic.Int64 // callers of intake not answered yet
	closing  chan struct{}
	ended    chan struct{} // every write handed in has been answered
	wg       sync.WaitGroup
	once     sync.Once
	onCommit func(int, time.Duration, error)
	spare    chan *tx      // for writes that are alone; nil where there is one writer
	keys     chan struct{} // who may ask for one about a license key
}

func newWriters(ctx context.Context, db *sql.DB, e engine, log *walLog, onCommit func(int, time.Duration, error)) (*writers, error) {
	w := &writers{log: log, closing: make(chan struct{}), ended: make(chan struct{}), onCommit: onCommit}
	for i := range w.lanes {
		w.lanes[i] = make(chan *job, maxBatch)
	}
	if e.writers > 1 {
		w.spare, w.keys = make(chan *tx, aloneWriters), make(chan struct{}, keyWriters)
		for range aloneWriters {
			w.spare <- &tx{db: db, engine: e} // it connects when it is needed
		}
	}
	for range e.writers {
		t := &tx{db: db, engine: e}
		if err := t.connect(ctx); err != nil {
			return nil, errors.Join(err, w.stop())
		}
		w.wg.Go((&writer{writers: w, tx: t}).loop)
	}
	return w, nil
}

// do runs fn in a shared commit and returns once it is durable. When ctx ends
// first the outcome is uncertain: the write is not taken back.
func (w *writers) do(ctx context.Context, l lane, fn func(*tx) error) error {
	if l == intake {
		w.waiting.Add(1)
		defer w.waiting.Add(-1)
	}
	j, err := w.hand(ctx, l, fn)
	if err != nil {
		return err
	}
	return w.wait(ctx, j)
}

// hand puts a write in line. Those handed in one after another run in that order
// where there is one writer.
func (w *writers) hand(ctx context.Context, l lane, fn func(*tx) error) (*job, error) {
	j := &job{lane: l, run: fn, done: make(chan struct{})}
	select {
	case w.lanes[l] <- j:
		return j, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-w.closing:
		return nil, errClosed
	}
}

// wait returns once a write is durable, or has failed.
func (w *writers) wait(ctx context.Context, j *job) error {
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
	if got, ok, err := inside(ctx, fn); ok {
		return got, err
	}
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
		w.closeSpare()
		close(w.ended)
	})
	return nil
}

func (j *job) finish(err error) {
	j.err = err
	close(j.done)
}
