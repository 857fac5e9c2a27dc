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

	working sync.RWMutex       // held for reading by all work under way
	callOff context.CancelFunc // ends the context of all work under way
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
	q := &Queue{Redis: connector, pools: map[string]*asynq.Server{}, closes: []func() error{client.Close}}
	q.Dispatcher = newDispatcher(o, client)
	q.Relay = NewRelay(o, q.Dispatcher.Offer)
	q.Worker = NewWorker(o, func(d grant.Due) { q.Dispatcher.Offer([]grant.Due{d}) })
	q.watch = &watch{client: client, kinds: q.Dispatcher.kinds, alarms: o.Alarms, reset: q.Dispatcher.Reset, private: private}
	slow := connector.with(brake{100 * time.Millisecond})
	working, callOff := context.WithCancel(context.Background())
	q.callOff = callOff
	for kind, k := range o.Kinds {
		q.pools[kind] = newPool(working, kind, k.Concurrency, slow.with(idle{kind, q.Dispatcher.Busy, q.Dispatcher.sent[kind]}), o.Log)
	}
	return q, nil
}

func (q *Queue) run() error {
	ctx, cancel := context.WithCancel(context.Background())
	q.stop = cancel
	for _, run := range []func(context.Context){q.watch.Run, q.Dispatcher.Run, q.Relay.Run, q.sweep} {
		q.wg.Go(func() { run(ctx) })
	}
	if err := q.startPools(); err != nil {
		soon, cancel := context.WithTimeout(context.Background(), callOffTime)
		defer cancel()
		q.Shutdown(soon)
		return fmt.Errorf("tasks: %w", err)
	}
	return nil
}

// NewWorker makes a worker; again is told of what is due at once.
func NewWorker(o Options, again func(grant.Due)) *Worker {
	return &Worker{ledger: o.Ledger, kinds: o.Kinds, metrics: o.Metrics, settle: o.Settle, removals: o.Removals, log: o.Log, again: again}
}

// sweep finds whatever was forgotten: unapplied events, and everything due.
func (q *Queue) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			q.Relay.Sweep()
			q.Dispatcher.Sweep()
		case <-ctx.Done():
			return
		}
	}
}

// RedisDown reports whether Redis did not answer the last probe.
func (q *Queue) RedisDown() bool { return q.watch.down.Load() }
