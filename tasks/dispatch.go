package tasks

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"fulfilld/grant"
)

// dueTime is how long the ledger may take to tell what is due: a connection
// that is dead without saying so must not hold up a kind for ever.
const dueTime = 30 * time.Second

// Dispatcher puts what is due into the queue of its kind, one task each.
type Dispatcher struct {
	due    func(ctx context.Context, kind string, limit int) ([]grant.Due, error)
	client *asynq.Client
	redis  redis.UniversalClient
	kinds  []string
	log    *slog.Logger
	wake   chan struct{}
	room   int                      // maxQueued
	lost   time.Duration            // lostAfter
	sent   map[string]chan struct{} // kind -> a task of it has just reached Redis

	mu     sync.Mutex
	queues map[string]*known // by kind
}

func newDispatcher(o Options, client redis.UniversalClient) *Dispatcher {
	d := &Dispatcher{due: o.Ledger.Due, client: asynq.NewClientFromRedisClient(client), redis: client,
		log: o.Log, wake: make(chan struct{}, 1), room: maxQueued, lost: lostAfter, sent: map[string]chan struct{}{}}
	for kind := range o.Kinds {
		d.sent[kind] = make(chan struct{}, 1)
		d.kinds = append(d.kinds, kind)
	}
	d.Reset()
	return d
}

// Reset forgets what is thought to be queued, for when Redis was emptied, and
// has everything due looked up and queued again.
func (d *Dispatcher) Reset() {
	d.mu.Lock()
	d.queues = map[string]*known{}
	for _, k := range d.kinds {
		d.queues[k] = &known{queued: map[string]time.Time{}, behind: true}
	}
	d.mu.Unlock()
	d.Wake()
}

// Wake has the dispatcher look. It never blocks.
func (d *Dispatcher) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Offer hands over what just became due. It never blocks; beyond what the queue
// may hold, the ledger remembers it.
func (d *Dispatcher) Offer(due []grant.Due) {
	if len(due) == 0 {
		return
	}
	d.mu.Lock()
	for _, item := range due {
		switch q := d.queues[item.Kind]; {
		case q == nil: // no fulfiller of this kind here
		case q.fits(item, d.room):
			q.offered = append(q.offered, item)
		default:
			q.behind = true
		}
	}
	d.mu.Unlock()
	d.Wake()
}

// Done says that a worker here has seen to a task.
func (d *Dispatcher) Done(kind, task string) {
	d.mu.Lock()
	q := d.queues[kind]
	task, _, _ = strings.Cut(task, renamed)
	delete(q.queued, task)
	q.waiting = max(0, q.waiting-1)
	refill := q.behind && q.low(d.room)
	d.mu.Unlock()
	if refill {
		d.Wake()
	}
}

// Busy reports whether tasks of a kind are queued, as far as this process knows.
func (d *Dispatcher) Busy(kind string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.queues[kind]
	return q.waiting > 0 || len(q.queued) > 0
}

// Crowded reports whether a kind's retries take up as much room as there is.
func (d *Dispatcher) Crowded(kind string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.queues[kind].retrying >= d.room
}

// Sweep has everything that is due looked up.
func (d *Dispatcher) Sweep() {
	d.mu.Lock()
	for _, q := range d.queues {
		q.behind = true
		q.forget(time.Now().Add(-d.lost))
	}
	d.mu.Unlock()
	d.Wake()
}

// Run queues what is due until ctx ends.
func (d *Dispatcher) Run(ctx context.Context) {
	tick := time.NewTicker(countEvery)
	defer tick.Stop()
	for {
		select {
		case <-d.wake:
			d.dispatchAll(ctx)
		case <-tick.C:
			d.countAll(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (d *Dispatcher) dispatchAll(ctx context.Context) {
	for _, kind := range d.kinds {
		if err := d.dispatch(ctx, kind); err != nil && ctx.Err() == nil {
			d.log.Warn("not dispatched; the ledger keeps it and the sweep tries again", slog.String("kind", kind), slog.Any("err", err))
		}
	}
}

// dispatch queues what was offered, then refills from the ledger.
func (d *Dispatcher) dispatch(ctx context.Context, kind string) error {
	if err := d.enqueue(ctx, kind, d.take(kind)); err != nil {
		return err
	}
	return d.refill(ctx, kind)
}

// take returns what was offered, what is to be taken away first.
func (d *Dispatcher) take(kind string) []grant.Due {
	d.mu.Lock()
	defer d.mu.Unlock()
	items := d.queues[kind].offered
	d.queues[kind].offered = nil
	slices.SortStableFunc(items, revokesFirst)
	return items
}

func (d *Dispatcher) refill(ctx context.Context, kind string) error {
	d.mu.Lock()
	q := d.queues[kind]
	refill := q.behind && q.low(d.room)
	if refill {
		q.behind = false
	}
	d.mu.Unlock()
	if !refill {
		return nil
	}
	items, err := d.lookUp(ctx, kind)
	if err == nil {
		err = d.enqueue(ctx, kind, items)
	}
	if err != nil || len(items) == d.room {
		d.mu.Lock()
		d.queues[kind].behind = true
		d.mu.Unlock()
	}
	return err
}

func (d *Dispatcher) lookUp(ctx context.Context, kind string) ([]grant.Due, error) {
	ctx, cancel := context.WithTimeout(ctx, dueTime)
	defer cancel()
	return d.due(ctx, kind, d.room)
}

func revokesFirst(a, b grant.Due) int {
	switch {
	case a.Revoke == b.Revoke:
		return 0
	case a.Revoke:
		return -1
	}
	return 1
}
