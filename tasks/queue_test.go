//go:build unix

package tasks

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

func TestEventBecomesAGrantAndEnds(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, url string) {
		s := newStage(t, url).start()
		s.say(grant.SaysGranted, "g1")
		s.awaitAll(1)
		s.say(grant.SaysRevoked, "g1")
		s.awaitAll(0)
		if s.world.grants["g1"] != 1 || s.world.revokes["g1"] != 1 {
			t.Errorf("granted %v, revoked %v", s.world.grants, s.world.revokes)
		}
		if strings.Contains(s.log.String(), url) {
			t.Errorf("the log holds Redis' address:\n%s", s.log)
		}
	})
}

// What a process before us accepted, applied or queued is seen to on start.
func TestPickUpFromAProcessThatDied(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, url string) {
		s := newStage(t, url)
		s.say(grant.SaysGranted, names(10)...)
		relay := &Relay{ledger: s.ledger, decode: decodeTest, offer: func([]grant.Due) {}, log: s.opts.Log}
		if n, err := relay.Step(t.Context(), 0); n == 0 || err != nil { // applied, never offered
			t.Fatal(n, err)
		}
		s.say(grant.SaysGranted, "late")
		s.start().awaitAll(11)
	})
}

func TestDuplicateTasksAreHarmless(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, url string) {
		s := newStage(t, url).start()
		release := s.hold()
		s.say(grant.SaysGranted, "g1")
		s.await("it is under way", func() bool { _, running := s.world.counts(); return running == 1 })
		client := asynq.NewClientFromRedisClient(s.client)
		for i := range 50 {
			if _, err := client.EnqueueContext(t.Context(), asynq.NewTask("lamp:grant", []byte("g1.lamp")), asynq.TaskID(fmt.Sprint(i)), asynq.Queue("lamp")); err != nil {
				t.Fatal(err)
			}
		}
		for range 50 {
			s.Dispatcher.Offer([]grant.Due{{ID: "g1.lamp", Kind: "lamp", Generation: 1}, {ID: "nobody.lamp", Kind: "lamp"}, {ID: "g1.sauna", Kind: "sauna"}})
			s.Dispatcher.Reset()
			s.Relay.Wake()
		}
		s.await("all were looked at", func() bool { return s.pending() == 0 })
		release()
		s.awaitAll(1)
		if n := s.world.granted("g1"); n != 1 {
			t.Errorf("granted %d times", n)
		}
	})
}

func TestFailureIsTriedAgain(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, url string) {
		s := newStage(t, url)
		s.world.set(func(context.Context, string) error {
			if s.world.granted("g1") < 2 {
				return fulfillers.Transient("bad_gateway", errAway)
			}
			return nil
		})
		s.start().say(grant.SaysGranted, "g1")
		s.awaitAll(1)
	})
}

func TestFlushWhileWorkIsDue(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, url string) {
		s := newStage(t, url).start()
		release := s.hold()
		s.say(grant.SaysGranted, names(60)...)
		s.await("the rest waits in Redis", func() bool { _, running := s.world.counts(); return running == 4 && s.pending() == 56 })
		if err := s.client.FlushDB(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		release()
		s.awaitAll(60)
		s.await("the dashboard shows the queue", func() bool {
			queues, err := s.inspector().Queues()
			return err == nil && slices.Contains(queues, "lamp")
		})
		for id, n := range s.world.grants {
			if n != 1 {
				t.Errorf("%s was granted %d times", id, n)
			}
		}
	})
}

func TestBacklogBeyondWhatRedisHolds(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, url string) {
		const room, n = 20, 150
		s := newStage(t, url)
		var most int64
		s.world.set(func(context.Context, string) error {
			waiting := s.pending()
			s.world.mu.Lock()
			defer s.world.mu.Unlock()
			most = max(most, waiting)
			return nil
		})
		s.start(func(q *Queue) { q.Dispatcher.room = room })
		for chunk := range slices.Chunk(names(n), 50) {
			s.say(grant.SaysGranted, chunk...)
		}
		s.awaitAll(n)
		if most > 2*room {
			t.Errorf("%d tasks were in Redis at a time, and there is room for %d", most, room)
		}
	})
}

// What a person deletes or archives on the dashboard is found again.
func TestInspectorLosesNothing(t *testing.T) {
	t.Parallel()
	for name, empty := range map[string]func(*asynq.Inspector) (int, error){
		"Delete":  func(i *asynq.Inspector) (int, error) { return i.DeleteAllPendingTasks("lamp") },
		"Archive": func(i *asynq.Inspector) (int, error) { return i.ArchiveAllPendingTasks("lamp") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachRedis(t, func(t *testing.T, url string) {
				s := newStage(t, url).start(func(q *Queue) { q.Dispatcher.lost = 0 })
				release := s.hold()
				s.say(grant.SaysGranted, names(20)...)
				s.await("the rest waits in Redis", func() bool { _, running := s.world.counts(); return running == 4 && s.pending() == 16 })
				if n, err := empty(s.inspector()); n != 16 || err != nil {
					t.Fatal(n, err)
				}
				release()
				s.Dispatcher.Sweep()
				s.awaitAll(20)
			})
		})
	}
}

// A Redis that lost a part of a task keeps its id, which must not swallow the work.
func TestTaskOfWhichAPartIsLost(t *testing.T) {
	t.Parallel()
	for name, fields := range map[string][]any{
		"Active":  {"state", "active"},
		"Nothing": {"result", "x"},
		"Pending": {"state", "pending", "pending_since", time.Now().Add(-2 * waitsLong).UnixNano()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachRedis(t, func(t *testing.T, url string) {
				s := newStage(t, url)
				if err := s.client.HSet(t.Context(), "asynq:{lamp}:t:g1.lamp:1:0", fields...).Err(); err != nil {
					t.Fatal(err)
				}
				s.start().say(grant.SaysGranted, "g1")
				s.awaitAll(1)
				s.await("the dispatcher knows", func() bool {
					s.Dispatcher.mu.Lock()
					defer s.Dispatcher.mu.Unlock()
					return len(s.Dispatcher.queues["lamp"].queued) == 0
				})
			})
		})
	}
}

// A queue that is paused for hours does not fill Redis with copies.
func TestPausedQueueIsNotFilledUp(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, url string) {
		s := newStage(t, url).start(func(q *Queue) { q.Dispatcher.lost = 0 })
		s.await("the queue is known", func() bool { q, err := s.inspector().Queues(); return err == nil && len(q) == 1 })
		if err := s.inspector().PauseQueue("lamp"); err != nil {
			t.Fatal(err)
		}
		s.say(grant.SaysGranted, names(20)...)
		s.await("all wait in Redis", func() bool { return s.pending() == 20 })
		for range 5 {
			s.Dispatcher.Sweep()
			s.await("the dispatcher looked", func() bool {
				s.Dispatcher.mu.Lock()
				defer s.Dispatcher.mu.Unlock()
				lamps := s.Dispatcher.queues["lamp"]
				return !lamps.behind && len(lamps.queued) == 20
			})
		}
		if n := s.pending(); n != 20 {
			t.Errorf("%d tasks for 20 pieces of work", n)
		}
		if err := s.inspector().UnpauseQueue("lamp"); err != nil {
			t.Fatal(err)
		}
		s.awaitAll(20)
	})
}

func TestShutdownWaitsForRunningWork(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, url string) {
		s := newStage(t, url).start()
		release := s.hold()
		s.say(grant.SaysGranted, "g1")
		s.await("it is under way", func() bool { _, running := s.world.counts(); return running == 1 })
		down := make(chan struct{})
		go func() { shutdown(s.Queue, 10*time.Second); close(down) }()
		select {
		case <-down:
			t.Error("did not wait")
		case <-time.After(100 * time.Millisecond): // nothing may happen meanwhile
		}
		release()
		<-down
		s.awaitAll(1)
	})
}

func TestShutdownReturnsWorkThatTakesTooLong(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, url string) {
		s := newStage(t, url).start()
		s.world.set(func(ctx context.Context, _ string) error {
			<-ctx.Done()
			<-time.After(300 * time.Millisecond) // a provider call takes a moment to break off
			return ctx.Err()
		})
		s.say(grant.SaysGranted, "g1")
		s.await("it is under way", func() bool { _, running := s.world.counts(); return running == 1 })
		shutdown(s.Queue, 2*time.Second)
		if _, running := s.world.counts(); running != 0 || !strings.Contains(s.log.String(), "code=interrupted") {
			t.Errorf("%d running; not recorded before Shutdown returned:\n%s", running, s.log.tail())
		}
		if n := s.pending(); n != 1 {
			t.Errorf("%d tasks back in the queue", n)
		}
		s.world.set(nil)
		s.start().awaitAll(1)
		if strings.Contains(s.log.String(), "attempt=1 class=transient") {
			t.Errorf("the interruption counted as an attempt:\n%s", s.log.tail())
		}
	})
}

// A fulfiller that does not listen must not keep the process from ending.
func TestShutdownEndsInTimeWhateverStillRuns(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, url string) {
		s := newStage(t, url).start()
		open := make(chan struct{})
		s.Cleanup(func() { close(open) })
		s.world.set(func(context.Context, string) error { <-open; return nil })
		s.say(grant.SaysGranted, names(8)...)
		s.await("four are under way and four wait", func() bool { _, running := s.world.counts(); return running == 4 && s.pending() == 4 })
		const within = 2 * time.Second
		if took := shutdown(s.Queue, within); took < within || took > 2*within+time.Second {
			t.Errorf("took %v of %v", took, within)
		}
		if n := s.pending(); n != 8 {
			t.Errorf("%d tasks are in the queue", n)
		}
	})
}

func TestCollector(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, url string) {
		s := newStage(t, url).start()
		release := s.hold()
		s.say(grant.SaysGranted, names(10)...)
		s.await("six wait", func() bool { _, running := s.world.counts(); return running == 4 && s.pending() == 6 })
		got := series(t, registryOf(NewCollector(s.Queue)))
		for name, want := range map[string]float64{
			"fulfilld_redis_up": 1, "fulfilld_queue_size/lamp/pending": 6, "fulfilld_queue_size/lamp/active": 4, "fulfilld_queue_size/lamp/archived": 0,
		} {
			if got[name] != want {
				t.Errorf("%s is %v, want %v", name, got[name], want)
			}
		}
		s.watch.down.Store(true)
		if got := series(t, registryOf(NewCollector(s.Queue))); len(got) != 1 || got["fulfilld_redis_up"] != 0 {
			t.Errorf("with Redis away: %v", got)
		}
		release()
		s.awaitAll(10)
	})
}
