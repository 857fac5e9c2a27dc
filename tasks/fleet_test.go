//go:build unix

package tasks

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// second starts another daemon's queue beside the stage's own.
func (s *stage) second(set func(*Queue)) *Queue {
	s.Helper()
	q, err := assemble(s.opts, false)
	if err != nil {
		s.Fatal(err)
	}
	set(q)
	if err := q.run(); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { shutdown(q, 10*time.Second) })
	return q
}

func (s *stage) count(key string) int64 {
	n, _ := s.client.ZCard(s.Context(), "asynq:{lamp}:"+key).Result()
	return n
}

// One daemon queues what is due and another does it: whoever queued it is told
// by nobody, and has to find out.
func TestABacklogThatAnotherDaemonDrains(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, url string) {
		const room, n = 20, 150
		s := newStage(t, url).start(func(q *Queue) { q.Dispatcher.room = room })
		<-s.eachPool((*asynq.Server).Stop)
		s.second(func(q *Queue) {
			q.Relay.offer = s.Dispatcher.Offer
			q.Dispatcher.due = func(context.Context, string, int) ([]grant.Due, error) { return nil, nil }
		})
		began := time.Now()
		for chunk := range slices.Chunk(names(n), 50) {
			s.say(grant.SaysGranted, chunk...)
		}
		s.awaitAll(n)
		if took := time.Since(began); took > lostAfter/2 {
			t.Errorf("took %v", took)
		}
		s.await("nothing is thought to be queued", func() bool { return !s.Dispatcher.Busy("lamp") })
	})
}

func TestTwoDaemonsDrainABacklogTogether(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, url string) {
		const room, n = 20, 400
		narrow := func(q *Queue) { q.Dispatcher.room = room }
		s := newStage(t, url).start(narrow)
		s.second(narrow)
		began := time.Now()
		for chunk := range slices.Chunk(names(n), 50) {
			s.say(grant.SaysGranted, chunk...)
		}
		s.awaitAll(n)
		if took := time.Since(began); took > lostAfter/2 {
			t.Errorf("took %v", took)
		}
	})
}

// A failover may lose tasks and keep the sentinel key.
func TestTasksThatRedisLostAreFoundAgain(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, url string) {
		s := newStage(t, url).start()
		release := s.hold()
		s.say(grant.SaysGranted, names(60)...)
		s.await("the rest waits in Redis", func() bool { _, running := s.world.counts(); return running == 4 && s.pending() == 56 })
		keys, err := s.client.Keys(t.Context(), "asynq:*").Result()
		if err != nil {
			t.Fatal(err)
		}
		if n, err := s.client.Del(t.Context(), keys...).Result(); n == 0 || err != nil {
			t.Fatal(n, err)
		}
		release()
		began := time.Now()
		s.awaitAll(60)
		if took := time.Since(began); took > sweepEvery {
			t.Errorf("took %v, longer than from one sweep to the next", took)
		}
		if s.alarms.stands("redis_emptied") {
			t.Error("the sentinel key is gone: this was to be the case without")
		}
	})
}

func TestAFloodOfRevocationsKeepsToTheRoom(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, url string) {
		const room, n = 20, 150
		s := newStage(t, url).start(func(q *Queue) { q.Dispatcher.room = room })
		for chunk := range slices.Chunk(names(n), 50) {
			s.say(grant.SaysGranted, chunk...)
		}
		s.awaitAll(n)
		release := s.hold()
		for chunk := range slices.Chunk(names(n), 50) {
			s.say(grant.SaysRevoked, chunk...)
		}
		s.await("all are applied", func() bool { n, _, err := s.ledger.Backlog(t.Context()); return err == nil && n == 0 })
		s.await("as many wait as may", func() bool { return s.pending() >= room-4 })
		if waiting := s.pending(); waiting > room {
			t.Errorf("%d tasks are in Redis, and there is room for %d", waiting, room)
		}
		release()
		s.awaitAll(0)
	})
}

// What is tried again in minutes or hours is the ledger's to remember; the
// dashboard shows what is tried again soon.
func TestLongWaitsLeaveTheQueue(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, url string) {
		s := newStage(t, url)
		s.world.set(func(_ context.Context, id string) error {
			if id == "soon" {
				return fulfillers.Throttled("lane", 30*time.Second, errAway)
			}
			return fulfillers.Throttled("lane", 5*time.Minute, errAway)
		})
		s.start().say(grant.SaysGranted, append(names(20), "soon")...)
		s.await("all were tried", func() bool { return strings.Count(s.log.String(), "class=throttled") == 21 })
		s.await("one is shown", func() bool { return s.pending() == 0 && s.count("retry") == 1 })
		s.await("nothing else is left in Redis", func() bool { // asynq forgets a task a little later than its worker
			tasks, err := s.client.Keys(t.Context(), "asynq:{lamp}:t:*").Result()
			return err == nil && len(tasks) == 1 && strings.Contains(tasks[0], ":soon.lamp:")
		})
	})
}

func TestRetriesKeepToTheRoom(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, url string) {
		const room, n = 20, 200
		s := newStage(t, url)
		s.world.set(func(context.Context, string) error {
			time.Sleep(20 * time.Millisecond) // a provider's refusal takes a moment
			return fulfillers.Throttled("lane", 30*time.Second, errAway)
		})
		s.start(func(q *Queue) { q.Dispatcher.room = room })
		for chunk := range slices.Chunk(names(n), 50) {
			s.say(grant.SaysGranted, chunk...)
		}
		s.await("all were tried", func() bool { return strings.Count(s.log.String(), "class=throttled") >= n })
		if got := s.count("retry"); got < room || got > n/2 { // some come while it is not yet known that there is no more room
			t.Errorf("%d of %d are kept in Redis, and there is room for %d", got, n, room)
		}
	})
}
