//go:build unix

package testserver

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// AppendOnly is the option of a Redis that finds its keys again after Stop and
// Start: every write is on disk before it is answered.
const AppendOnly = "appendonly yes\nappendfsync always"

const redisRemedy = "install redis-server (Debian: apt-get install redis-server) or set REDIS_ADDR to one with an empty database"

// RedisServer is one Redis, or one database of a foreign Redis. Call its methods
// from the test's own goroutine: they end the test when they fail.
type RedisServer struct {
	t       testing.TB
	dir     string // empty: foreign
	port    int
	addr    string
	db      int
	mode    []string // arguments after the configuration file
	process *process // nil while stopped
}

// Redis starts a redis-server of the test's own, empty and without persistence.
// Each option is a line of redis.conf, as in "maxmemory 5mb" or AppendOnly.
// With REDIS_ADDR set it takes an empty database of that server instead, unless
// there are options.
func Redis(t testing.TB, options ...string) *RedisServer {
	t.Helper()
	if addr := os.Getenv("REDIS_ADDR"); addr != "" && len(options) == 0 {
		return claim(t, addr)
	}
	return newRedis(t, nil, func(int) []string { return options })
}

// newRedis starts a redis-server whose options may depend on its port.
func newRedis(t testing.TB, mode []string, options func(port int) []string) *RedisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		Missing(t, "a redis-server", redisRemedy)
	}
	r := &RedisServer{t: t, dir: t.TempDir(), mode: mode}
	t.Cleanup(r.Stop)
	var err error
	for range 5 { // another may be quicker to take the port
		if err = r.settle(options); err == nil {
			return r
		}
	}
	t.Fatalf("testserver: %v", err)
	return nil
}

// settle chooses the port, writes the configuration and starts.
func (r *RedisServer) settle(options func(port int) []string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	r.port, r.addr = port, loopback(port)
	lines := append([]string{
		fmt.Sprintf("port %d", port),
		"bind 127.0.0.1",
		fmt.Sprintf("dir %q", r.dir),
		`save ""`,
	}, options(port)...)
	if err := os.WriteFile(r.file("redis.conf"), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	return r.run()
}

func (r *RedisServer) file(name string) string { return filepath.Join(r.dir, name) }

func (r *RedisServer) run() error {
	cmd := exec.Command("redis-server", append([]string{r.file("redis.conf")}, r.mode...)...)
	cmd.Dir = r.dir
	p, err := start(cmd, r.file("log"), `kill -KILL "$0"`)
	if err != nil {
		return err
	}
	if err := p.await(r.answers(cmd)); err != nil {
		p.stop()
		return fmt.Errorf("redis-server at %s: %w\n%s", r.addr, err, tail(r.file("log")))
	}
	r.process = p
	return nil
}

// answers asks for the process id as well: the one that answers may be another's.
func (r *RedisServer) answers(cmd *exec.Cmd) func(context.Context) error {
	return func(ctx context.Context) error {
		info, err := ask(ctx, r.addr, r.db, func(c *redis.Client) (string, error) { return c.Info(ctx, "server").Result() })
		if err != nil {
			return err
		}
		if !strings.Contains(info, fmt.Sprintf("\nprocess_id:%d\r\n", cmd.Process.Pid)) {
			return fmt.Errorf("another redis-server has %s", r.addr)
		}
		// PING is refused for as long as the server reads its keys from disk.
		_, err = ask(ctx, r.addr, r.db, func(c *redis.Client) (string, error) { return c.Ping(ctx).Result() })
		return err
	}
}

// ask has one short conversation with a Redis.
func ask[T any](ctx context.Context, addr string, db int, question func(*redis.Client) (T, error)) (T, error) {
	c := redis.NewClient(&redis.Options{Addr: addr, DB: db, MaxRetries: -1, DialerRetries: 1, PoolSize: 1})
	defer c.Close()
	return question(c)
}

// Addr is the server's host:port.
func (r *RedisServer) Addr() string { return r.addr }

// DB is the number of the database: 0 unless the server is foreign.
func (r *RedisServer) DB() int { return r.db }

// URL is the server's address and database as redis://host:port/db.
func (r *RedisServer) URL() string { return fmt.Sprintf("redis://%s/%d", r.addr, r.db) }

// Stop kills the server with SIGKILL, as a crash would. Stopping twice is fine.
// A test that stops a foreign server is skipped.
func (r *RedisServer) Stop() {
	if r.dir == "" {
		r.t.Helper()
		Missing(r.t, "a Redis of its own to stop", "unset REDIS_ADDR")
	}
	if r.process != nil {
		r.process.stop()
		r.process = nil
	}
}

// Start starts a stopped server again at the same address, empty unless it was
// started with AppendOnly.
func (r *RedisServer) Start() {
	r.t.Helper()
	if r.process != nil {
		return
	}
	if err := r.run(); err != nil {
		r.t.Fatalf("testserver: %v", err)
	}
}

// FlushAll removes every key; of a foreign server, those of its database.
func (r *RedisServer) FlushAll() {
	r.t.Helper()
	ctx := context.Background()
	_, err := ask(ctx, r.addr, r.db, func(c *redis.Client) (any, error) {
		if r.dir == "" {
			return nil, renew(ctx, c)
		}
		return nil, c.FlushAll(ctx).Err()
	})
	if err != nil {
		r.t.Fatalf("testserver: flush %s: %v", r.addr, err)
	}
}
