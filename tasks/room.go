package tasks

import (
	"context"
	"fmt"
	"time"

	"fulfilld/grant"
)

const (
	maxQueued   = 4000                   // tasks of a kind that wait in Redis; the ledger keeps the rest
	spare       = 8                      // one part in so many of the room is for revocations alone
	countEvery  = 250 * time.Millisecond // how often Redis is asked how many wait
	countTime   = time.Second
	forgetAfter = time.Second      // before that, a task may be with a worker that has not taken its lease yet
	lostAfter   = 60 * time.Second // a task not seen for so long is queued again: a conflict does no harm
)

// known is what a process knows of one kind's queue.
type known struct {
	offered  []grant.Due          // due, not yet queued
	queued   map[string]time.Time // what was queued here: task id -> since when
	behind   bool                 // the ledger may hold more that is due
	waiting  int                  // tasks that wait in Redis: as last counted, and what came and went since
	retrying int                  // tasks that wait there for another try: as last counted
}

// fits reports whether the queue may take one more. A flood of grants leaves
// room for what is to be taken away.
func (q *known) fits(item grant.Due, room int) bool {
	if !item.Revoke {
		room -= room / spare
	}
	return q.waiting+len(q.offered) < room
}

// low reports whether the queue is to be filled up.
func (q *known) low(room int) bool { return q.waiting < room/2 }

// forget drops what was queued before a time, and reports whether there was any.
func (q *known) forget(before time.Time) (any bool) {
	for task, since := range q.queued {
		if since.Before(before) {
			delete(q.queued, task)
			any = true
		}
	}
	return any
}

// counted takes over how many tasks really wait. Where far fewer do than were
// queued here, other daemons have seen to the rest, or Redis has lost it: what
// was queued a while ago is forgotten and looked up again, which costs at most
// a conflict. It reports whether that, or room for more, is news.
func (q *known) counted(waiting, retrying, room int, now time.Time) (news bool) {
	news = !q.low(room)
	q.waiting, q.retrying = waiting, retrying
	if 2*waiting < len(q.queued) && q.forget(now.Add(-forgetAfter)) {
		q.behind, news = true, true
	}
	return news && q.behind && q.low(room)
}

// countAll counts every queue. That Redis does not answer is the watch's to say.
func (d *Dispatcher) countAll(ctx context.Context) {
	for _, kind := range d.kinds {
		if d.count(ctx, kind) != nil {
			return
		}
	}
}

func (d *Dispatcher) count(ctx context.Context, kind string) error {
	ctx, cancel := context.WithTimeout(ctx, countTime)
	defer cancel()
	pipe := d.redis.Pipeline()
	waiting := pipe.LLen(ctx, fmt.Sprintf("asynq:{%s}:pending", kind))
	retrying := pipe.ZCard(ctx, fmt.Sprintf("asynq:{%s}:retry", kind))
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.queues[kind].counted(int(waiting.Val()), int(retrying.Val()), d.room, time.Now()) {
		d.Wake()
	}
	return nil
}
