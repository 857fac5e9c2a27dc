//go:build unix

package testserver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// SentinelServers is a Redis with one replica, watched by one sentinel that
// takes half a second to see that the master is gone.
type SentinelServers struct {
	Name     string   // of the master, as the sentinel knows it
	Addrs    []string // of the sentinels
	Master   *RedisServer
	Replica  *RedisServer
	Sentinel *RedisServer
}

// Sentinel starts a master, its replica and a sentinel, and returns once the
// sentinel could promote the replica: Master.Stop makes it.
func Sentinel(t testing.TB) *SentinelServers {
	t.Helper()
	quick := "repl-diskless-sync-delay 0" // else a replica waits 5 s for others to join
	master := newRedis(t, nil, func(int) []string { return []string{quick} })
	replica := newRedis(t, nil, func(int) []string {
		return []string{quick, fmt.Sprintf("replicaof 127.0.0.1 %d", master.port)}
	})
	s := &SentinelServers{Name: "mymaster", Master: master, Replica: replica}
	s.Sentinel = newRedis(t, []string{"--sentinel"}, func(int) []string { return s.watch() })
	s.Addrs = []string{s.Sentinel.addr}
	if err := s.Sentinel.process.await(s.ready); err != nil {
		t.Fatalf("testserver: sentinel at %s: %v\n%s", s.Addrs[0], err, tail(s.Sentinel.file("log")))
	}
	return s
}

// watch is the sentinel's own part of its configuration.
func (s *SentinelServers) watch() []string {
	return []string{
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 1", s.Name, s.Master.port),
		fmt.Sprintf("sentinel down-after-milliseconds %s 500", s.Name),
		fmt.Sprintf("sentinel failover-timeout %s 5000", s.Name),
	}
}

// ready reports whether the replica has what the master has and the sentinel
// knows that it does.
func (s *SentinelServers) ready(ctx context.Context) error {
	info, err := ask(ctx, s.Master.addr, 0, func(c *redis.Client) (string, error) { return c.Info(ctx, "replication").Result() })
	if err != nil {
		return err
	}
	if !strings.Contains(info, "state=online") {
		return errors.New("the replica is not in step")
	}
	c := redis.NewSentinelClient(&redis.Options{Addr: s.Addrs[0]})
	defer c.Close()
	replicas, err := c.Replicas(ctx, s.Name).Result()
	if err != nil {
		return err
	}
	if len(replicas) != 1 || replicas[0]["master-link-status"] != "ok" {
		return fmt.Errorf("the sentinel sees %d replicas, none in step", len(replicas))
	}
	return nil
}

const slots = 16384 // of a Redis cluster; its specification

// Cluster starts a Redis cluster of three masters and returns once each of them
// knows that all slots are served.
func Cluster(t testing.TB) []*RedisServer {
	t.Helper()
	nodes := make([]*RedisServer, 3)
	for i := range nodes {
		nodes[i] = newRedis(t, nil, func(port int) []string {
			return []string{"cluster-enabled yes", "cluster-announce-ip 127.0.0.1", "cluster-node-timeout 2000"}
		})
	}
	for i, n := range nodes {
		if err := n.join(i, nodes); err != nil {
			t.Fatalf("testserver: cluster node %s: %v", n.addr, err)
		}
	}
	for _, n := range nodes {
		if err := n.process.await(n.clustered(len(nodes))); err != nil {
			t.Fatalf("testserver: cluster node %s: %v\n%s", n.addr, err, tail(n.file("log")))
		}
	}
	return nodes
}

// join gives the i-th node its share of the slots and introduces it to the first.
func (r *RedisServer) join(i int, nodes []*RedisServer) error {
	ctx := context.Background()
	_, err := ask(ctx, r.addr, 0, func(c *redis.Client) (any, error) {
		return c.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1) // equal ones would have to be settled by an election
			p.ClusterAddSlotsRange(ctx, slots*i/len(nodes), slots*(i+1)/len(nodes)-1)
			if i > 0 {
				p.ClusterMeet(ctx, "127.0.0.1", fmt.Sprint(nodes[0].port))
			}
			return nil
		})
	})
	return err
}

func (r *RedisServer) clustered(nodes int) func(context.Context) error {
	return func(ctx context.Context) error {
		info, err := ask(ctx, r.addr, 0, func(c *redis.Client) (string, error) { return c.ClusterInfo(ctx).Result() })
		if err != nil {
			return err
		}
		for _, want := range []string{"cluster_state:ok", fmt.Sprintf("cluster_size:%d", nodes), fmt.Sprintf("cluster_slots_ok:%d", slots)} {
			if !strings.Contains(info, want+"\r\n") {
				return fmt.Errorf("no %s yet", want)
			}
		}
		return nil
	}
}
