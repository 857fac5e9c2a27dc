//go:build unix

package testserver

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// owner is the key by which a test marks a database of a foreign Redis as its
// own, so that others, also of other processes, leave it alone.
const owner = "testserver:owner"

var errTaken = errors.New("every database holds keys of others")

// claim takes an empty database of a foreign Redis, waiting for one if need be,
// and empties it at the end of the test. One that holds keys is never touched.
func claim(t testing.TB, addr string) *RedisServer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	db, err := claimAny(ctx, addr)
	for errors.Is(err, errTaken) && pause(ctx) {
		db, err = claimAny(ctx, addr)
	}
	if err != nil {
		t.Fatalf("testserver: REDIS_ADDR=%s: %v", addr, err)
	}
	r := &RedisServer{t: t, addr: addr, db: db}
	t.Cleanup(func() { release(t, r) })
	return r
}

func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(50 * time.Millisecond):
		return true
	}
}

func claimAny(ctx context.Context, addr string) (int, error) {
	for db := range 16 { // as many as a Redis has by default
		ours, err := ask(ctx, addr, db, func(c *redis.Client) (bool, error) { return mark(ctx, c) })
		if err != nil {
			return 0, fmt.Errorf("database %d: %w", db, err)
		}
		if ours {
			return db, nil
		}
	}
	return 0, errTaken
}

// mark claims a database if it is empty, in one step.
func mark(ctx context.Context, c *redis.Client) (bool, error) {
	const script = `if redis.call("DBSIZE") > 0 then return 0 end redis.call("SET", KEYS[1], 1) return 1`
	return c.Eval(ctx, script, []string{owner}).Bool()
}

// renew empties a database that is ours and keeps it ours.
func renew(ctx context.Context, c *redis.Client) error {
	_, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.FlushDB(ctx)
		p.Set(ctx, owner, 1, 0)
		return nil
	})
	return err
}

func release(t testing.TB, r *RedisServer) {
	ctx := context.Background()
	_, err := ask(ctx, r.addr, r.db, func(c *redis.Client) (string, error) { return c.FlushDB(ctx).Result() })
	if err != nil {
		t.Errorf("testserver: flush database %d of %s: %v", r.db, r.addr, err)
	}
}
