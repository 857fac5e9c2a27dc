package memredis_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"fulfilld/internal/memredis"
)

func start(t *testing.T) (*memredis.Server, *redis.Options) {
	t.Helper()
	s, err := memredis.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	o, err := redis.ParseURL(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	return s, o
}

func client(t *testing.T, o *redis.Options) *redis.Client {
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestOnlyThePasswordOpens(t *testing.T) {
	t.Parallel()
	s, o := start(t)
	if err := client(t, o).Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
	for _, password := range []string{"", "guess"} {
		wrong := *o
		wrong.Password = password
		if err := client(t, &wrong).Set(t.Context(), "key", 1, 0).Err(); err == nil {
			t.Errorf("password %q opens", password)
		}
	}
	if other, _ := start(t); other.URL() == s.URL() || len(o.Password) < 20 {
		t.Errorf("the password of %s is not random", s.URL())
	}
}

func TestOnlyLoopbackListens(t *testing.T) {
	t.Parallel()
	_, o := start(t)
	host, _, err := net.SplitHostPort(o.Addr)
	if err != nil || !net.ParseIP(host).IsLoopback() {
		t.Errorf("listens on %s: %v", o.Addr, err)
	}
}

func TestKeysExpire(t *testing.T) {
	t.Parallel()
	_, o := start(t)
	c := client(t, o)
	if err := c.Set(t.Context(), "key", 1, 200*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for c.Exists(t.Context(), "key").Val() == 1 {
		if time.Now().After(deadline) {
			t.Fatal("the key is still there")
		}
	}
}

func TestScriptsRun(t *testing.T) {
	t.Parallel()
	_, o := start(t)
	got, err := redis.NewScript(`return redis.call("INCR", KEYS[1])`).Run(t.Context(), client(t, o), []string{"n"}).Int()
	if got != 1 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
}

func TestCloseEndsIt(t *testing.T) {
	t.Parallel()
	s, err := memredis.Start()
	if err != nil {
		t.Fatal(err)
	}
	addr := s.URL()[strings.LastIndex(s.URL(), "@")+1 : len(s.URL())-len("/0")]
	s.Close()
	if c, err := net.Dial("tcp", addr); err == nil {
		_ = c.Close()
		t.Error("still listens")
	}
	s.Close() // once more is harmless
}
