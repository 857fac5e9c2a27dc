//go:build unix

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"fulfilld/internal/testserver"
)

// issued waits until a grant is fulfilled, and returns how long that took.
func (d *daemon) issued(n int, limit time.Duration) time.Duration {
	d.t.Helper()
	return within(d.t, limit, "a key is issued", func() error { return d.shows(n, "granted") })
}

// shows reports, by the admin API, whether a grant is in a state.
func (d *daemon) shows(n int, state string) error {
	var g grantItem
	if err := d.api(http.MethodGet, "/v1/benefit-grants/"+grantID(n), &g); err != nil {
		return err
	}
	if g.State != state {
		return fmt.Errorf("the grant is %s, last error %s", g.State, g.LastError)
	}
	return nil
}

func TestThroughASentinel(t *testing.T) {
	t.Parallel()
	s := testserver.Sentinel(t)
	d := started(t, "", fmt.Sprintf("redis-sentinel://%s?master=%s", strings.Join(s.Addrs, ","), s.Name))
	p := newPlatform(d)
	p.send(t, buys(1))
	d.issued(1, patience)
	s.Master.Stop() // and everything in it that the replica has not heard
	for n := 2; n < 20; n++ {
		p.send(t, buys(n))
	}
	for n := 2; n < 20; n++ {
		d.issued(n, patience)
	}
}

func TestThroughACluster(t *testing.T) {
	t.Parallel()
	var addrs []string
	for _, n := range testserver.Cluster(t) {
		addrs = append(addrs, n.Addr())
	}
	d := started(t, "", "redis-cluster://"+strings.Join(addrs, ","))
	p := newPlatform(d)
	for n := range 20 {
		p.send(t, buys(n))
	}
	for n := range 20 {
		d.issued(n, patience)
	}
}

// A Redis that is away costs nothing but time.
func TestWithoutRedisWebhooksAreAcceptedAndWorkWaits(t *testing.T) {
	t.Parallel()
	redis := testserver.Redis(t, `save ""`)
	d := started(t, "", redis.URL())
	p := newPlatform(d)
	p.send(t, buys(1))
	d.issued(1, patience)

	redis.Stop()
	d.raised("redis_down", true)
	within(t, patience, "degraded", func() error {
		if status, body := d.ready(); status != http.StatusOK || !strings.Contains(body, `"degraded"`) {
			return fmt.Errorf("/readyz: %d %s", status, body)
		}
		return nil
	})
	for n := 2; n < 50; n++ {
		resp, text, err := p.post(t.Context(), p.urls[0], buys(n))
		if err != nil || resp.StatusCode != http.StatusAccepted {
			t.Fatalf("while Redis is down: %v %s %v", resp, text, err)
		}
	}
	if err := d.shows(2, "granted"); err == nil {
		t.Error("a key was issued without the queue")
	}

	redis.Start() // empty
	for n := 2; n < 50; n++ {
		d.issued(n, 15*time.Second)
	}
	d.raised("redis_down", false)
	if status, body := d.ready(); status != http.StatusOK || !strings.Contains(body, `"ready"`) {
		t.Errorf("/readyz: %d %s", status, body)
	}
}

// A Redis that is full refuses tasks, and gives none out either.
func TestWithAFullRedisWebhooksAreAcceptedAndWorkWaits(t *testing.T) {
	t.Parallel()
	redis := testserver.Redis(t, "maxmemory-policy noeviction") // an option: it must be ours to fill
	d := started(t, "", redis.URL())
	p := newPlatform(d)
	p.send(t, buys(1))
	d.issued(1, patience)

	limit(t, redis, "1mb") // less than an empty one takes
	d.raised("redis_down", true)
	for n := 2; n < 50; n++ {
		resp, text, err := p.post(t.Context(), p.urls[0], buys(n))
		if err != nil || resp.StatusCode != http.StatusAccepted {
			t.Fatalf("while Redis is full: %v %s %v", resp, text, err)
		}
	}
	if standing, err := d.alarmed("redis_down"); err != nil || !standing {
		t.Errorf("the alarm stands: %v %v", standing, err)
	}

	limit(t, redis, "0")
	for n := 2; n < 50; n++ {
		d.issued(n, 15*time.Second)
	}
	d.raised("redis_down", false)
}

// limit sets how much memory a Redis may take.
func limit(t *testing.T, server *testserver.RedisServer, memory string) {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer c.Close()
	if err := c.ConfigSet(t.Context(), "maxmemory", memory).Err(); err != nil {
		t.Fatal(err)
	}
}

// The daemon starts before its Redis does.
func TestRedisComesLater(t *testing.T) {
	t.Parallel()
	redis := testserver.Redis(t, `save ""`)
	redis.Stop()
	d := started(t, "", redis.URL())
	newPlatform(d).send(t, buys(1))
	d.raised("redis_down", true)
	redis.Start()
	d.issued(1, 15*time.Second)
}
