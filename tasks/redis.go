package tasks

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Connector makes Redis clients for one address. It implements
// asynq.RedisConnOpt, whose own options can neither honour contexts nor say the
// user's name.
type Connector struct {
	options redis.UniversalOptions
	hooks   []redis.Hook
}

// NewConnector reads redis://, rediss://, redis-sentinel://host,host/db?master=name
// and redis-cluster://host,host, each with optional user and password; "+tls"
// after the scheme of the last two encrypts. No error quotes the address, which
// holds a password.
func NewConnector(address string) (*Connector, error) {
	u, hosts, err := parse(address)
	if err != nil {
		return nil, err
	}
	c := &Connector{options: redis.UniversalOptions{
		ContextTimeoutEnabled:    true,
		DialTimeout:              2 * time.Second,
		ReadTimeout:              2 * time.Second,
		WriteTimeout:             2 * time.Second,
		PoolSize:                 64,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}, // most servers refuse it, at every connection
		ReadBufferSize:           4 << 10,                                                           // of each connection: what goes over them is small
		WriteBufferSize:          4 << 10,
		Username:                 u.User.Username(),
	}}
	c.options.Password, _ = u.User.Password()
	scheme, secure := strings.CutSuffix(u.Scheme, "+tls")
	if secure {
		c.options.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	switch {
	case u.Scheme == "redis" || u.Scheme == "rediss":
		err = c.single(address, hosts)
	case scheme == "redis-sentinel":
		err = c.sentinel(u, hosts)
	case scheme == "redis-cluster":
		c.options.IsClusterMode = true
		c.options.Addrs = withPort(hosts, "6379")
		err = onlyKnows(u)
	default:
		err = errors.New("redis.url: its scheme is none of redis, rediss, redis-sentinel, redis-cluster")
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// parse takes the hosts out before net/url sees them: it knows of one only.
func parse(address string) (u *url.URL, hosts []string, err error) {
	scheme, rest, _ := strings.Cut(address, "://")
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	at := strings.LastIndexByte(rest[:end], '@') + 1
	hosts = strings.Split(rest[at:end], ",")
	for _, h := range hosts {
		one, err := url.Parse("//" + h)
		if err != nil || one.Hostname() == "" || one.User != nil {
			return nil, nil, errors.New("redis.url: not scheme://user:password@host:port; percent-encode / ? # in a password")
		}
	}
	u, err = url.Parse(scheme + "://" + rest[:at] + "host" + rest[end:])
	if err != nil {
		return nil, nil, errors.New("redis.url: not a URL; percent-encode what is special in a password")
	}
	return u, hosts, nil
}

func (c *Connector) single(address string, hosts []string) error {
	if len(hosts) > 1 {
		return errors.New("redis.url: several hosts; write redis-sentinel:// or redis-cluster:// before them")
	}
	one, err := redis.ParseURL(address)
	if err != nil {
		return errors.New("redis.url: not a valid redis:// address; its path is the number of a database")
	}
	c.options.Addrs, c.options.DB, c.options.TLSConfig = []string{one.Addr}, one.DB, one.TLSConfig
	return nil
}

func (c *Connector) sentinel(u *url.URL, hosts []string) (err error) {
	c.options.Addrs = withPort(hosts, "26379")
	c.options.MasterName = u.Query().Get("master")
	c.options.SentinelPassword = u.Query().Get("sentinel_password")
	if c.options.MasterName == "" {
		return errors.New("redis.url: redis-sentinel:// needs ?master=<name>")
	}
	if db := strings.Trim(u.Path, "/"); db != "" {
		if c.options.DB, err = strconv.Atoi(db); err != nil {
			return errors.New("redis.url: its path is not the number of a database")
		}
	}
	return onlyKnows(u, "master", "sentinel_password")
}

func onlyKnows(u *url.URL, names ...string) error {
	for name := range u.Query() {
		if !slices.Contains(names, name) {
			return errors.New("redis.url: an unknown parameter; known are master and sentinel_password, of redis-sentinel://")
		}
	}
	return nil
}

func withPort(hosts []string, port string) []string {
	out := make([]string, len(hosts))
	for i, h := range hosts {
		out[i] = h
		if one, err := url.Parse("//" + h); err == nil && one.Port() == "" {
			out[i] = net.JoinHostPort(one.Hostname(), port)
		}
	}
	return out
}

// Client makes a client of its own connections.
func (c *Connector) Client() redis.UniversalClient {
	o := c.options
	client := redis.NewUniversalClient(&o)
	for _, h := range c.hooks {
		client.AddHook(h)
	}
	return client
}

// LogRedis has go-redis say what it has to say at debug level: with Redis gone
// it tells of every connection that is refused, and an alarm stands already.
// It is for the whole process, so call it before anything connects.
func LogRedis(log *slog.Logger) { redis.SetLogger(redisLog{log}) }

type redisLog struct{ log *slog.Logger }

// Printf implements go-redis's logger.
func (r redisLog) Printf(ctx context.Context, format string, v ...any) {
	r.log.DebugContext(ctx, "go-redis", slog.String("says", fmt.Sprintf(format, v...)))
}

// MakeRedisClient implements asynq.RedisConnOpt.
func (c *Connector) MakeRedisClient() any { return c.Client() }

// with returns a connector whose clients have a hook.
func (c *Connector) with(h redis.Hook) *Connector {
	return &Connector{c.options, append(c.hooks[:len(c.hooks):len(c.hooks)], h)}
}
