package tasks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"fulfilld/grant"
)

const (
	maxQueued   = 4000             // tasks of a kind kept in Redis; the ledger keeps the rest
	enqueuers   = 16               // enqueues under way at a time
	enqueueTime = 5 * time.Second  // for one batch to reach Redis
	lostAfter   = 60 * time.Second // a task not seen for so long is queued again: a conflict does no harm
	taskTimeout = actWithin + 2*recordTime
	maxRetry    = 1000      // the ledger decides when to stop
	waitsLong   = time.Hour // a task pending for longer may have been lost
	renamed     = "~"       // in a task's id: what follows makes it another
)

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

	mu      sync.Mutex
	offered map[string][]grant.Due          // due, not yet queued
	queued  map[string]map[string]time.Time // kind -> task id -> since when
	behind  map[string]bool                 // the ledger may hold more that is due
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
	d.offered, d.queued, d.behind = map[string][]grant.Due{}, map[string]map[string]time.Time{}, map[string]bool{}
	for _, k := range d.kinds {
		d.queued[k], d.behind[k] = map[string]time.Time{}, true
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
		if d.queued[item.Kind] == nil {
			continue // no fulfiller of this kind here
		}
		if len(d.queued[item.Kind])+len(d.offered[item.Kind]) >= d.room && !item.Revoke {
			d.behind[item.Kind] = true
			continue
		}
		d.offered[item.Kind] = append(d.offered[item.Kind], item)
	}
	d.mu.Unlock()
	d.Wake()
}

// Done says that a worker here has seen to a task.
func (d *Dispatcher) Done(kind, task string) {
	d.mu.Lock()
	task, _, _ = strings.Cut(task, renamed)
	delete(d.queued[kind], task)
	refill := d.behind[kind] && len(d.queued[kind]) < d.room/2
	d.mu.Unlock()
	if refill {
		d.Wake()
	}
}

// Busy reports whether tasks of a kind are queued, as far as this process knows.
func (d *Dispatcher) Busy(kind string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.queued[kind]) > 0
}

// Sweep has everything that is due looked up.
func (d *Dispatcher) Sweep() {
	d.mu.Lock()
	now := time.Now()
	for _, k := range d.kinds {
		d.behind[k] = true
		for task, since := range d.queued[k] {
			if now.Sub(since) > d.lost {
				delete(d.queued[k], task)
			}
		}
	}
	d.mu.Unlock()
	d.Wake()
}

// Run queues what is due until ctx ends.
func (d *Dispatcher) Run(ctx context.Context) {
	for {
		select {
		case <-d.wake:
		case <-ctx.Done():
			return
		}
		for _, kind := range d.kinds {
			if err := d.dispatch(ctx, kind); err != nil && ctx.Err() == nil {
				d.log.Warn("not dispatched; the ledger keeps it and the sweep tries again", slog.String("kind", kind), slog.Any("err", err))
			}
		}
	}
}

// dispatch queues what was offered, then refills from the ledger.
func (d *Dispatcher) dispatch(ctx context.Context, kind string) error {
	d.mu.Lock()
	items := d.offered[kind]
	d.offered[kind] = nil
	d.mu.Unlock()
	if err := d.enqueue(ctx, kind, items); err != nil {
		return err
	}
	return d.refill(ctx, kind)
}

func (d *Dispatcher) refill(ctx context.Context, kind string) error {
	d.mu.Lock()
	n := len(d.queued[kind])
	refill := d.behind[kind] && n < d.room/2
	if refill {
		d.behind[kind] = false
	}
	d.mu.Unlock()
	if !refill {
		return nil
	}
	items, err := d.due(ctx, kind, d.room)
	if err == nil {
		err = d.enqueue(ctx, kind, items)
	}
	if err != nil || len(items) == d.room {
		d.mu.Lock()
		d.behind[kind] = true
		d.mu.Unlock()
	}
	return err
}

// enqueue sends a batch. Whatever does not arrive stays due in the ledger.
func (d *Dispatcher) enqueue(ctx context.Context, kind string, items []grant.Due) error {
	ctx, cancel := context.WithTimeout(ctx, enqueueTime)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(enqueuers)
	for _, item := range d.fresh(kind, items) {
		group.Go(func() error { return d.send(ctx, item) })
	}
	return group.Wait()
}

// fresh marks items as queued and returns those that were not.
func (d *Dispatcher) fresh(kind string, items []grant.Due) (fresh []grant.Due) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for _, item := range items {
		id := taskID(item)
		if _, ok := d.queued[kind][id]; !ok {
			d.queued[kind][id] = now
			fresh = append(fresh, item)
		}
	}
	return fresh
}

func (d *Dispatcher) send(ctx context.Context, item grant.Due) error {
	id := taskID(item)
	err := d.add(ctx, item, id)
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		err = d.rename(ctx, item, id)
	}
	if err == nil {
		select {
		case d.sent[item.Kind] <- struct{}{}:
		default:
		}
		return nil
	}
	d.mu.Lock()
	delete(d.queued[item.Kind], id)
	d.behind[item.Kind] = true
	d.mu.Unlock()
	return fmt.Errorf("enqueue %s: %w", id, err)
}

func (d *Dispatcher) add(ctx context.Context, item grant.Due, id string) error {
	_, err := d.client.EnqueueContext(ctx, asynq.NewTask(taskType(item), []byte(item.ID)),
		asynq.TaskID(id), asynq.Queue(item.Kind), asynq.MaxRetry(maxRetry), asynq.Timeout(taskTimeout))
	return err
}

// rename sees to a task whose id is taken. One that waits for its turn is what
// we want. One that was archived by hand, or of which Redis lost a part, will
// never run, and its id would swallow the work: that gets another name.
func (d *Dispatcher) rename(ctx context.Context, item grant.Due, id string) error {
	had, err := d.redis.HMGet(ctx, "asynq:{"+item.Kind+"}:t:"+id, "state", "pending_since").Result()
	if err != nil {
		return err
	}
	now := time.Now()
	switch had[0] {
	case "retry", "scheduled":
		return nil
	case "pending":
		text, _ := had[1].(string)
		since, _ := strconv.ParseInt(text, 10, 64) // what cannot be read says nothing: let it be
		if since == 0 || now.Sub(time.Unix(0, since)) < waitsLong {
			return nil
		}
	}
	err = d.add(ctx, item, fmt.Sprint(id, renamed, now.Unix()/60))
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		return nil
	}
	return err
}

// taskID names one piece of work: a stale task never swallows a new one.
func taskID(d grant.Due) string { return fmt.Sprintf("%s:%d:%d", d.ID, d.Generation, d.Starts) }

// taskType is for people who look at the dashboard; only the ledger decides
// what is done.
func taskType(d grant.Due) string {
	if d.Revoke {
		return d.Kind + ":revoke"
	}
	return d.Kind + ":grant"
}
