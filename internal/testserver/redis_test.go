//go:build unix

package testserver_test

import (
	"fmt"
	"testing"
	"time"

	"fulfilld/internal/testserver"

	"github.com/redis/go-redis/v9"
)

func client(t *testing.T, r *testserver.RedisServer) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(r.URL())
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(options)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func set(t *testing.T, r *testserver.RedisServer) {
	t.Helper()
	if err := client(t, r).Set(t.Context(), "key", 1, 0).Err(); err != nil {
		t.Fatal(err)
	}
}

func has(t *testing.T, r *testserver.RedisServer, want bool) {
	t.Helper()
	n, err := client(t, r).Exists(t.Context(), "key").Result()
	if err != nil {
		t.Fatal(err)
	}
	if got := n == 1; got != want {
		t.Errorf("the key is there: %v, want %v", got, want)
	}
}

func TestRedisForgetsWithoutAppendOnly(t *testing.T) {
	t.Parallel()
	r := testserver.Redis(t, `save ""`) // an option, so that it is our own
	set(t, r)
	r.Stop()
	if err := client(t, r).Ping(t.Context()).Err(); err == nil {
		t.Error("a stopped server answers")
	}
	r.Stop()
	r.Start()
	has(t, r, false)
}

func TestRedisRemembersWithAppendOnly(t *testing.T) {
	t.Parallel()
	r := testserver.Redis(t, testserver.AppendOnly)
	addr := r.Addr()
	set(t, r)
	r.Stop()
	r.Start()
	if r.Addr() != addr {
		t.Errorf("moved from %s to %s", addr, r.Addr())
	}
	has(t, r, true)
}

func TestFlushAll(t *testing.T) {
	t.Parallel()
	r := testserver.Redis(t)
	set(t, r)
	r.FlushAll()
	has(t, r, false)
}

func TestForeignRedisIsTakenByDatabase(t *testing.T) {
	foreign := testserver.Redis(t, `save ""`)
	set(t, foreign) // somebody's keys, in database 0
	t.Setenv("REDIS_ADDR", foreign.Addr())
	t.Run("Tests", func(t *testing.T) {
		first, second := testserver.Redis(t), testserver.Redis(t)
		if first.DB() == 0 || second.DB() == 0 || first.DB() == second.DB() {
			t.Errorf("databases %d and %d are not ours alone", first.DB(), second.DB())
		}
		set(t, first)
		first.FlushAll()
		has(t, first, false)
		if third := testserver.Redis(t); third.DB() == first.DB() {
			t.Error("a flushed database was given away")
		}
	})
	has(t, foreign, true)
	info, err := client(t, foreign).Info(t.Context(), "keyspace").Result()
	if err != nil {
		t.Fatal(err)
	}
	if want := "# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n"; info != want {
		t.Errorf("left behind %q, want %q", info, want)
	}
}

func TestSentinelPromotesTheReplica(t *testing.T) {
	t.Parallel()
	s := testserver.Sentinel(t)
	c := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: s.Name, SentinelAddrs: s.Addrs})
	defer c.Close()
	if err := c.Set(t.Context(), "key", 1, 0).Err(); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Wait(t.Context(), 1, 10*time.Second).Result(); n != 1 {
		t.Fatalf("%d replicas have the key: %v", n, err)
	}
	promoted := redis.NewSentinelClient(&redis.Options{Addr: s.Addrs[0]})
	defer promoted.Close()
	events := promoted.Subscribe(t.Context(), "+switch-master")
	defer events.Close()
	if _, err := events.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Master.Stop()
	if _, err := events.ReceiveMessage(t.Context()); err != nil {
		t.Fatal(err)
	}
	has(t, s.Replica, true)
}

func TestClusterServesEverySlot(t *testing.T) {
	t.Parallel()
	var addrs []string
	for _, n := range testserver.Cluster(t) {
		addrs = append(addrs, n.Addr())
	}
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
	defer c.Close()
	for i := range 50 { // keys enough for every node
		if err := c.Set(t.Context(), fmt.Sprint("key:", i), 1, 0).Err(); err != nil {
			t.Error(err)
		}
	}
}
