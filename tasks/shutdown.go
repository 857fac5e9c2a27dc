package tasks

import (
	"context"
	"sync"
	"time"

	"github.com/hibiken/asynq"
)

const (
	callOffTime = recordTime + time.Second // for work that is called off to break off and be recorded
	handBack    = 100 * time.Millisecond   // after that asynq gives back the tasks of work that goes on
)

// Shutdown stops taking up work and waits for what is under way. Some seconds
// before ctx ends that is called off, goes back to the queue, and may record how
// far it came. Once ctx has ended Shutdown returns, whatever still runs: its
// lease runs out, and the sweep finds it.
func (q *Queue) Shutdown(ctx context.Context) {
	q.stop()
	defer q.close()
	patient, cancel := beforeEnd(ctx, callOffTime)
	defer cancel()
	await(patient, q.eachPool((*asynq.Server).Stop))
	idle := beside(func() {
		q.working.Lock()
		defer q.working.Unlock()
	})
	await(patient, idle)
	closed := q.eachPool((*asynq.Server).Shutdown)
	defer time.AfterFunc(time.Second, q.callOff).Stop() // asynq does so first, unless Redis keeps it waiting
	await(ctx, idle)
	await(ctx, closed)
	await(ctx, beside(q.wg.Wait))
}

func (q *Queue) close() {
	q.callOff()
	for _, c := range q.closes {
		_ = c()
	}
}

// eachPool does something to every pool at once.
func (q *Queue) eachPool(do func(*asynq.Server)) (done <-chan struct{}) {
	var pools sync.WaitGroup
	for _, p := range q.pools {
		pools.Go(func() { do(p) })
	}
	return beside(pools.Wait)
}

// beforeEnd returns a context that ends so long before ctx does, but not in the
// first half of what is left of it.
func beforeEnd(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, end.Add(-min(d, time.Until(end)/2)))
}

// beside runs f in a goroutine of its own, and closes done when that has ended.
func beside(f func()) (done <-chan struct{}) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f()
	}()
	return ended
}

func await(ctx context.Context, done <-chan struct{}) {
	select {
	case <-done:
	case <-ctx.Done():
	}
}
