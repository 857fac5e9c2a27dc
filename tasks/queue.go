package tasks

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hibiken/asynq"

	"fulfilld/grant"
)

const sweepEvery = 10 * time.Second

// Queue is the whole of it, running: relay, dispatcher, pools, sweep.
type Queue struct {
	Relay      *Relay
	Dispatcher *Dispatcher
	Worker     *Worker
	Redis      *Connector

	watch  *watch
	pools  map[string]*asynq.Server
	closes []func() error
	stop   context.CancelFunc
	wg     sync.WaitGroup

	handlers map[string]asynq.Handler
	working  sync.RWMutex // held for reading by all work under way
}

// Start connects and runs everything. Redis may be down: it is waited for.
// private says that Redis is this process's own.
func Start(o Options, private bool) (*Queue, error) {
	q, err := assemble(o, private)
	if err != nil {
		return nil, err
	}
	if err := q.run(); err != nil {
		return nil, err
	}
	return q, nil
}

func assemble(o Options, private bool) (*Queue, error) {
	connector, err := NewConnector(o.RedisURL)
	if err != nil {
		return nil, err
	}
	client := connector.Client()
	q := &Queue{Redis: connector, pools: map[string]*asynq.Server{}, handlers: map[string]asynq.Handler{}, closes: []func() error{client.Close}}
	q.Dispatcher = newDispatcher(o, client)
	q.Relay = NewRelay(o, q.Dispatcher.Offer)
	q.Worker = NewWorker(o, func(d grant.Due) { q.Dispatcher.Offer([]grant.Due{d}) })
	q.watch = &watch{client: client, kinds: q.Dispatcher.kinds, alarms: o.Alarms, reset: q.Dispatcher.Reset, private: private}
	slow := connector.with(brake{100 * time.Millisecond})
	for kind, k := range o.Kinds {
		q.pools[kind] = newPool(kind, k.Concurrency, slow.with(idle{kind, q.Dispatcher.Busy, q.Dispatcher.sent[kind]}), o.Shutdown, o.Log)
		q.handlers[kind] = handler(kind, q.Worker, &q.working, q.Dispatcher.Done)
	}
	return q, nil
}

func (q *Queue) run() error {
	ctx, cancel := context.WithCancel(context.Background())
	q.stop = cancel
	for _, run := range []func(context.Context){q.watch.Run, q.Dispatcher.Run, q.Relay.Run, q.sweep} {
		q.wg.Go(func() { run(ctx) })
	}
	if err := startPools(q.pools, q.handlers); err != nil {
		q.Shutdown()
		return fmt.Errorf("tasks: %w", err)
	}
	return nil
}

// NewWorker makes a worker; again is told of what is due at once.
func NewWorker(o Options, again func(grant.Due)) *Worker {
	return &Worker{ledger: o.Ledger, kinds: o.Kinds, metrics: o.Metrics, log: o.Log, again: again}
}

// sweep finds whatever was forgotten: unapplied events, and everything due.
func (q *Queue) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			q.Relay.Sweep(ctx)
			q.Dispatcher.Sweep()
		case <-ctx.Done():
			return
		}
	}
}

// RedisDown reports whether Redis did not answer the last probe.
func (q *Queue) RedisDown() bool { return q.watch.down.Load() }

// Shutdown stops taking up work and waits for what is under way, as long as
// Options.Shutdown allows; then it is called off, goes back to the queue, and
// gets a moment to record how far it came.
func (q *Queue) Shutdown() {
	q.stop()
	var pools sync.WaitGroup
	for _, p := range q.pools {
		pools.Go(p.Shutdown)
	}
	pools.Wait()
	q.wg.Wait()
	q.recorded(recordTime + time.Second)
	for _, c := range q.closes {
		_ = c()
	}
}

// recorded waits up to d until no work is under way.
func (q *Queue) recorded(d time.Duration) {
	idle := make(chan struct{})
	go func() {
		q.working.Lock()
		defer q.working.Unlock()
		close(idle)
	}()
	select {
	case <-idle:
	case <-time.After(d):
	}
}
