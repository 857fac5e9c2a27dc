package tasks

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

func TestNewConnector(t *testing.T) {
	type settings struct {
		Addrs                              []string
		User, Password, Master, SentinelPW string
		DB                                 int
		TLS, Cluster                       bool
	}
	for address, want := range map[string]settings{
		"redis://localhost":                         {Addrs: []string{"localhost:6379"}},
		"redis://user:p%40w@host/2":                 {Addrs: []string{"host:6379"}, User: "user", Password: "p@w", DB: 2},
		"redis://:pw@[::1]:7000/0":                  {Addrs: []string{"[::1]:7000"}, Password: "pw"},
		"rediss://user:pw@host":                     {Addrs: []string{"host:6379"}, User: "user", Password: "pw", TLS: true},
		"redis-sentinel://:pw@h1:1,h2:2/3?master=m": {Addrs: []string{"h1:1", "h2:2"}, Password: "pw", Master: "m", DB: 3},
		"redis-sentinel://h1,[::2]?master=m&sentinel_password=sp": {
			Addrs: []string{"h1:26379", "[::2]:26379"}, Master: "m", SentinelPW: "sp",
		},
		"redis-sentinel+tls://h1?master=m":      {Addrs: []string{"h1:26379"}, Master: "m", TLS: true},
		"redis-cluster://h1,h2":                 {Addrs: []string{"h1:6379", "h2:6379"}, Cluster: true},
		"redis-cluster://u:pw@[::1]:1,[::2]:2/": {Addrs: []string{"[::1]:1", "[::2]:2"}, User: "u", Password: "pw", Cluster: true},
		"redis-cluster+tls://h1:1":              {Addrs: []string{"h1:1"}, TLS: true, Cluster: true},
	} {
		t.Run(address, func(t *testing.T) {
			c, err := NewConnector(address)
			if err != nil {
				t.Fatal(err)
			}
			o := c.options
			got := settings{o.Addrs, o.Username, o.Password, o.MasterName, o.SentinelPassword, o.DB, o.TLSConfig != nil, o.IsClusterMode}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if !o.ContextTimeoutEnabled {
				t.Error("contexts are not honoured")
			}
			client := c.Client()
			defer client.Close()
			if _, ok := client.(*redis.ClusterClient); ok != want.Cluster {
				t.Errorf("a %T", client)
			}
		})
	}
}

func TestNewConnectorQuotesNoPassword(t *testing.T) {
	const pw = "hunter2"
	for _, address := range []string{
		"", "localhost:6379", ":" + pw + "@host", "user:" + pw + "@host:6379", "https://u:" + pw + "@host", "valkey://:" + pw + "@host",
		"redis://:" + pw + "%zz@host", "redis://:" + pw + "@host/db", "redis://:" + pw + "@host:port", "redis://:" + pw + "@h1,h2",
		"redis://:" + pw + "/x@host", "redis://:" + pw + "#x@host", "redis://:" + pw + "@", "redis://:" + pw + "@host?nonsense=1",
		"redis+tls://:" + pw + "@host",
		"redis-sentinel://:" + pw + "@h1:1,h2:2", "redis-sentinel://:" + pw + "@h1/x?master=m", "redis-sentinel://:" + pw + "@h1?master=m&" + pw + "=1",
		"redis-cluster://:" + pw + "@", "redis-cluster://:" + pw + "@h1:x,h2", "redis-cluster://:" + pw + "@h1,,h2",
		"redis-cluster://u:1?" + pw + "@h1", "redis-cluster://:" + pw + "\x7f@h1",
	} {
		_, err := NewConnector(address)
		if err == nil {
			t.Errorf("%q is taken", address)
			continue
		}
		if strings.Contains(err.Error(), pw) || !strings.HasPrefix(err.Error(), "redis.url: ") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func FuzzNewConnectorQuotesNoPassword(f *testing.F) {
	for _, s := range []string{"redis://:", "rediss://u:", "redis-sentinel://:", "redis-cluster://u:", ""} {
		f.Add(s, "@h1:1,h2:2/3?master=m")
	}
	const pw = "hunter2hunter2"
	f.Fuzz(func(t *testing.T, before, after string) {
		if strings.Contains(before, pw) || strings.Contains(after, pw) {
			return
		}
		if _, err := NewConnector(before + pw + after); err != nil && strings.Contains(err.Error(), pw) {
			t.Error(err)
		}
	})
}
