//go:build unix

package tasks

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"fulfilld/grant"
	"fulfilld/internal/testserver"
)

// ownRedis is a redis-server that the test may stop, freeze and reconfigure.
func ownRedis(t *testing.T) *testserver.RedisServer {
	t.Helper()
	return testserver.Redis(t, "hz 10") // an option, so that it is nobody else's
}

func (s *stage) configure(name, value string) {
	s.Helper()
	if err := s.client.ConfigSet(s.Context(), name, value).Err(); err != nil {
		s.Fatal(err)
	}
}

func (s *stage) info(section, name string) string {
	s.Helper()
	text, err := s.client.Info(s.Context(), section).Result()
	if err != nil {
		s.Fatal(err)
	}
	return field(text, name)
}

func TestRedisThatComesBackEmpty(t *testing.T) {
	t.Parallel()
	server := ownRedis(t)
	s := newStage(t, server.URL()).start()
	s.say(grant.SaysGranted, "before")
	s.awaitAll(1)
	release := s.hold()
	s.say(grant.SaysGranted, names(20)...)
	s.await("the rest waits in Redis", func() bool { _, running := s.world.counts(); return running == 4 && s.pending() == 16 })
	server.Stop()
	s.await("the alarm is raised", func() bool { return s.alarms.stands("redis_down") && s.RedisDown() })
	s.say(grant.SaysGranted, "meanwhile") // accepted and applied all the same
	s.await("it is applied", func() bool { n, _, err := s.ledger.Backlog(t.Context()); return err == nil && n == 0 })
	release()
	server.Start()
	s.awaitAll(22)
	s.await("the alarm is resolved", func() bool { return !s.alarms.stands("redis_down") && !s.RedisDown() })
	s.await("the dashboard shows the queue", func() bool {
		queues, err := s.inspector().Queues()
		return err == nil && slices.Contains(queues, "lamp")
	})
	if text := s.alarms.ever["redis_down"]; strings.Contains(text, "://") {
		t.Errorf("the alarm quotes the address: %s", text)
	}
}

func TestStartWithoutRedis(t *testing.T) {
	t.Parallel()
	server := ownRedis(t)
	s := newStage(t, server.URL())
	server.Stop()
	s.start().say(grant.SaysGranted, "g1")
	s.await("the alarm is raised", func() bool { return s.alarms.stands("redis_down") })
	server.Start()
	s.awaitAll(1)
}

func TestShutdownWithoutRedis(t *testing.T) {
	t.Parallel()
	server := ownRedis(t)
	s := newStage(t, server.URL()).start()
	s.say(grant.SaysGranted, "g1")
	s.awaitAll(1)
	server.Stop()
	if took := shutdown(s.Queue, 5*time.Second); took > 9*time.Second {
		t.Errorf("took %v", took)
	}
}

// A Redis that refuses every write at once must not be asked without end.
func TestRefusingRedisIsNotBesieged(t *testing.T) {
	t.Parallel()
	server := ownRedis(t)
	s := newStage(t, server.URL()).start()
	s.say(grant.SaysGranted, "before")
	s.awaitAll(1)
	s.configure("min-replicas-to-write", "1")
	s.await("the alarm is raised", func() bool { return s.alarms.stands("redis_down") })
	commands := func() int {
		n, err := strconv.Atoi(s.info("stats", "total_commands_processed"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	s.say(grant.SaysGranted, names(20)...)
	began, first := time.Now(), commands()
	s.await("two seconds are over", func() bool { return time.Since(began) > 2*time.Second }) // a rate needs its time
	rate := float64(commands()-first) / time.Since(began).Seconds()
	t.Logf("%.0f commands a second", rate)
	if rate > 300 {
		t.Errorf("%.0f commands a second while every one is refused", rate)
	}
	s.configure("min-replicas-to-write", "0")
	s.awaitAll(21)
	s.await("the alarm is resolved", func() bool { return !s.alarms.stands("redis_down") })
}

// A Redis that is full refuses tasks, those already in it included.
func TestFullRedisLosesNoWork(t *testing.T) {
	t.Parallel()
	s := newStage(t, ownRedis(t).URL()).start()
	s.say(grant.SaysGranted, "before")
	s.awaitAll(1)
	release := s.hold()
	s.say(grant.SaysGranted, names(20)...)
	s.await("the rest waits in Redis", func() bool { _, running := s.world.counts(); return running == 4 && s.pending() == 16 })
	s.configure("maxmemory-policy", "noeviction")
	s.configure("maxmemory", "1mb") // less than an empty one takes
	s.await("the alarm is raised", func() bool { return s.alarms.stands("redis_down") && s.RedisDown() })
	release()
	s.say(grant.SaysGranted, "meanwhile") // accepted and applied all the same
	s.await("it is applied", func() bool { n, _, err := s.ledger.Backlog(t.Context()); return err == nil && n == 0 })
	s.await("what was under way is done", func() bool { there, running := s.world.counts(); return there == 5 && running == 0 })
	if !s.alarms.stands("redis_down") {
		t.Error("the alarm is gone, and Redis is as full as before")
	}
	s.configure("maxmemory", "0")
	s.awaitAll(22)
	s.await("the alarm is resolved", func() bool { return !s.alarms.stands("redis_down") })
}

// A Redis that hangs holds up neither what comes in nor what is applied.
func TestHungRedisHoldsUpNobody(t *testing.T) {
	t.Parallel()
	server := ownRedis(t)
	s := newStage(t, server.URL()).start()
	s.say(grant.SaysGranted, "before")
	s.awaitAll(1)
	thaw := s.freeze()
	began := time.Now()
	for i := range 20 {
		s.say(grant.SaysGranted, fmt.Sprint("meanwhile", i))
	}
	s.Dispatcher.Offer([]grant.Due{{ID: "x.lamp", Kind: "lamp", Generation: 9}})
	s.await("all are applied", func() bool { n, _, err := s.ledger.Backlog(t.Context()); return err == nil && n == 0 })
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("events were applied after %v only", took)
	}
	s.await("the alarm is raised", func() bool { return s.alarms.stands("redis_down") })
	thaw()
	s.awaitAll(21)
}

func TestShutdownWithHungRedis(t *testing.T) {
	t.Parallel()
	server := ownRedis(t)
	s := newStage(t, server.URL()).start()
	s.say(grant.SaysGranted, "g1")
	s.awaitAll(1)
	s.freeze()
	if took := shutdown(s.Queue, 5*time.Second); took > 9*time.Second {
		t.Errorf("took %v", took)
	}
}

// Work is called off in time even when its task cannot be given back.
func TestShutdownWithHungRedisRecordsWhatWasUnderWay(t *testing.T) {
	t.Parallel()
	server := ownRedis(t)
	s := newStage(t, server.URL()).start()
	s.hold()
	s.say(grant.SaysGranted, "g1")
	s.await("it is under way", func() bool { _, running := s.world.counts(); return running == 1 })
	s.freeze()
	if took := shutdown(s.Queue, 5*time.Second); took > 9*time.Second {
		t.Errorf("took %v", took)
	}
	if _, running := s.world.counts(); running != 0 || !strings.Contains(s.log.String(), "code=interrupted") {
		t.Errorf("%d running; not recorded before Shutdown returned:\n%s", running, s.log.tail())
	}
}

// freeze has Redis answer nobody until the test ends or thaw is called.
func (s *stage) freeze() (thaw func()) {
	s.Helper()
	pid, err := strconv.Atoi(s.info("server", "process_id"))
	if err != nil {
		s.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		s.Fatal(err)
	}
	thaw = func() { _ = syscall.Kill(pid, syscall.SIGCONT) }
	s.Cleanup(thaw)
	return thaw
}

func TestInspectWarnsOfEviction(t *testing.T) {
	t.Parallel()
	server := ownRedis(t)
	s := newStage(t, server.URL())
	w := &watch{client: s.client, alarms: s.alarms}
	for _, c := range []struct {
		policy string
		warn   bool
	}{{"noeviction", false}, {"allkeys-lru", true}, {"volatile-ttl", true}, {"noeviction", false}} {
		s.configure("maxmemory-policy", c.policy)
		w.inspect(t.Context())
		if got := s.alarms.stands("redis_policy"); got != c.warn || s.alarms.stands("redis_version") {
			t.Errorf("%s: alarm %v; all: %v", c.policy, got, s.alarms.now)
		}
	}
	server.Stop()
	w.inspect(t.Context()) // that it is away is the probe's to say
	if len(s.alarms.now) != 0 {
		t.Errorf("alarms of a server that is away: %v", s.alarms.now)
	}
}

func TestRunInspectsByItself(t *testing.T) {
	t.Parallel()
	s := newStage(t, testserver.Redis(t, "maxmemory-policy allkeys-lru").URL()).start()
	s.await("the alarm is raised", func() bool { return s.alarms.stands("redis_policy") })
}

func TestOldVersions(t *testing.T) {
	for version, want := range map[string]bool{
		"": false, "5.0.7": true, "6.0.16": true, "6.1": true, "6.2.0": false, "6.2": false, "7.0.15": false, "8.2.1": false, "10.0": false, "unknown": false, "7": false,
	} {
		if got := old(version); got != want {
			t.Errorf("%q is old: %v", version, got)
		}
	}
	if got := field("# Server\r\nredis_version:7.0.15\r\nredis_version_x:1\r\n", "redis_version"); got != "7.0.15" {
		t.Errorf("version %q", got)
	}
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	servers := testserver.Sentinel(t)
	s := newStage(t, fmt.Sprintf("redis-sentinel://%s/0?master=%s", strings.Join(servers.Addrs, ","), servers.Name)).start()
	s.say(grant.SaysGranted, "g1")
	s.awaitAll(1)
	servers.Master.Stop()
	s.say(grant.SaysGranted, "g2")
	s.await("the replica is the master", func() bool {
		c := redis.NewClient(&redis.Options{Addr: servers.Replica.Addr()})
		defer c.Close()
		text, err := c.Info(context.Background(), "replication").Result()
		return err == nil && field(text, "role") == "master"
	})
	s.awaitAll(2)
}

func TestCluster(t *testing.T) {
	t.Parallel()
	var addrs []string
	for _, n := range testserver.Cluster(t) {
		addrs = append(addrs, n.Addr())
	}
	s := newStage(t, "redis-cluster://"+strings.Join(addrs, ",")).start()
	s.say(grant.SaysGranted, names(20)...)
	s.awaitAll(20)
	s.say(grant.SaysRevoked, names(20)...)
	s.awaitAll(0)
}
