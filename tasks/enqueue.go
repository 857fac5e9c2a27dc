package tasks

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"fulfilld/grant"
)

const (
	enqueuers   = 16              // enqueues under way at a time
	enqueueTime = 5 * time.Second // for one batch to reach Redis
	taskTimeout = actWithin + 2*recordTime
	maxRetry    = 1000      // the ledger decides when to stop
	waitsLong   = time.Hour // a task pending for longer may have been lost
	renamed     = "~"       // in a task's id: what follows makes it another
)

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

// fresh marks items as queued and returns those that were not, as far as there
// is room.
func (d *Dispatcher) fresh(kind string, items []grant.Due) (fresh []grant.Due) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now, q := time.Now(), d.queues[kind]
	for _, item := range items {
		id := taskID(item)
		if _, ok := q.queued[id]; ok {
			continue
		}
		if !q.fits(item, d.room) {
			q.behind = true
			continue
		}
		q.queued[id] = now
		q.waiting++
		fresh = append(fresh, item)
	}
	return fresh
}

func (d *Dispatcher) send(ctx context.Context, item grant.Due) error {
	id := taskID(item)
	err := d.add(ctx, item, id)
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		err = d.rename(ctx, item, id)
	}
	if err == nil && item.Revoke {
		d.first(ctx, item.Kind, id)
	}
	if err == nil {
		select {
		case d.sent[item.Kind] <- struct{}{}:
		default:
		}
		return nil
	}
	d.mu.Lock()
	q := d.queues[item.Kind]
	delete(q.queued, id)
	q.waiting = max(0, q.waiting-1)
	q.behind = true
	d.mu.Unlock()
	return fmt.Errorf("enqueue %s: %w", id, err)
}

// toFront moves a task that still waits to the front of its line.
var toFront = redis.NewScript(`
	if redis.call("LREM", KEYS[1], 1, ARGV[1]) > 0 then
		redis.call("RPUSH", KEYS[1], ARGV[1])
	end
	return 0`)

// first has a task go before all that wait: what is to be taken away does. Where
// that fails, it goes in its turn.
func (d *Dispatcher) first(ctx context.Context, kind, id string) {
	_ = toFront.Run(ctx, d.redis, []string{"asynq:{" + kind + "}:pending"}, id).Err()
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
