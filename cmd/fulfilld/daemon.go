package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"fulfilld/config"
	"fulfilld/fulfillers"
	"fulfilld/fulfillers/licensekeys"
	"fulfilld/grant"
	"fulfilld/handlers"
	"fulfilld/internal/alarm"
	"fulfilld/internal/bucket"
	"fulfilld/internal/memredis"
	"fulfilld/ledger"
	"fulfilld/polar"
	"fulfilld/tasks"
)

// daemon is everything running. Its fields stand in the order data flows.
type daemon struct {
	cfg       *config.Config
	log       *slog.Logger
	metrics   *prometheus.Registry
	alarms    *alarm.Board
	health    *handlers.Health
	public    *http.Server
	admin     *http.Server
	ledger    *ledger.Ledger
	route     fulfillers.Router // with the kinds that are switched on
	redis     *memredis.Server  // nil when a real one is used
	queue     *tasks.Queue
	queues    dashboard
	deliverer *tasks.Deliverer
	blobs     *bucket.Bucket  // nil where there are no downloads
	files     *handlers.Files // the same

	publicAddr, adminAddr net.Addr
	failed                chan error
	stopHouse             context.CancelFunc
	house                 sync.WaitGroup
}

// startDaemon opens the ledger, connects the queue and listens, in that order:
// when it returns, webhooks are accepted.
func startDaemon(ctx context.Context, o *options, log *slog.Logger, single bool) (d *daemon, err error) {
	d = &daemon{log: log, metrics: prometheus.NewRegistry(), failed: make(chan error, 2)}
	defer func(begun *daemon) { // d is nil by then
		if err != nil {
			begun.close()
		}
	}(d)
	var route fulfillers.Router // the ledger routes by kinds, and kinds keep their keys in the ledger
	d.cfg, _, err = o.load(config.Serve, kinds(nil))
	if err != nil {
		return nil, err
	}
	if d.cfg.Embedded() && ledgerIsShared(d.cfg) && !single {
		return nil, errors.New("redis.url: empty, with a Postgres ledger; name a Redis, or pass --single if this is the only daemon")
	}
	d.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	d.alarms = alarm.NewBoard(alarm.Options{Registerer: d.metrics, Log: log, URL: d.cfg.Alerts.URL})
	commits := newCommitMetrics(d.metrics)
	d.ledger, err = ledger.Open(ctx, d.cfg.Database.URL, ledger.Options{
		Route:      func(b grant.Benefit) grant.Route { return route.Route(b) },
		Settle:     d.cfg.Settle,
		Words:      words(d.cfg.Identity),
		OnCommit:   commits.observe,
		Listeners:  listeners(d.cfg.Endpoints),
		OnDelivery: func() { d.deliverer.Wake() },
	})
	if err != nil {
		return nil, err
	}
	d.deliverer = tasks.NewDeliverer(tasks.DeliverOptions{
		Outbox: d.ledger, Endpoints: endpoints(d.cfg.Endpoints), Alarms: d.alarms, Log: log,
		Metrics: tasks.NewDeliverMetrics(d.metrics, endpointNames(d.cfg.Endpoints)),
	})
	built := buildKinds(d.cfg, kinds(d.ledger))
	route = router(d.cfg, built)
	d.route = route
	if n, err := d.ledger.Reroute(ctx); err != nil {
		return nil, fmt.Errorf("reroute: %w", err)
	} else if n > 0 {
		log.Info("benefits are fulfilled differently now", slog.Int("benefits", n))
	}
	if err := d.openFiles(ctx, built); err != nil {
		return nil, err
	}
	if err := d.startQueue(built); err != nil {
		return nil, err
	}
	d.deliverer.Start()
	d.metrics.MustRegister(newLedgerCollector(d.ledger, slices.Sorted(maps.Keys(built)), endpointNames(d.cfg.Endpoints), log))
	return d, d.listen()
}

// words are where customers write which account is theirs.
func words(c config.Identity) map[string]grant.Words {
	return map[string]grant.Words{"github": grant.Words(c.GitHub), "discord": grant.Words(c.Discord)}
}

// ledgerIsShared reports whether other daemons may work on the same ledger.
func ledgerIsShared(cfg *config.Config) bool { return !strings.HasPrefix(cfg.Database.URL, "sqlite:") }

func (d *daemon) startQueue(built map[string]fulfillers.Built) (err error) {
	url := d.cfg.Redis.URL
	if d.cfg.Embedded() {
		if d.redis, err = memredis.Start(); err != nil {
			return err
		}
		url = d.redis.URL()
	}
	d.queue, err = tasks.Start(tasks.Options{
		Ledger: d.ledger, Decode: polar.Decode, Kinds: built, RedisURL: url,
		Metrics: tasks.NewMetrics(d.metrics, slices.Sorted(maps.Keys(built))),
		Alarms:  d.alarms, Settle: d.cfg.Settle, Log: d.log,
		Removals: grant.Limit{Calls: d.cfg.MaxRemovals, Per: 10 * time.Minute},
	}, d.cfg.Embedded())
	if err != nil {
		return err
	}
	d.metrics.MustRegister(tasks.NewCollector(d.queue))
	d.keepHouse()
	return nil
}

func (d *daemon) keepHouse() {
	ctx, cancel := context.WithCancel(context.Background())
	d.stopHouse = cancel
	h := &house{ledger: d.ledger, probes: d.probes, alarms: d.alarms, bodies: d.cfg.Retention.Bodies, ids: d.cfg.Retention.IDs, log: d.log}
	d.house.Go(func() { h.keep(ctx) })
	if d.files != nil {
		d.house.Go(func() { repeat(ctx, retainEvery, d.files.Sweep) })
	}
}

// listen opens both listeners, and serves.
func (d *daemon) listen() error {
	d.health = &handlers.Health{Probe: d.ledger.Probe, RedisDown: d.queue.RedisDown}
	public, err := d.publicHandler()
	if err != nil {
		return err
	}
	admin, err := d.adminHandler()
	if err != nil {
		return err
	}
	if d.public, d.publicAddr, err = d.serve("listen", d.cfg.Listen, public); err != nil {
		return err
	}
	d.admin, d.adminAddr, err = d.serve("admin.listen", d.cfg.Admin.Listen, admin)
	return err
}

func (d *daemon) serve(field, address string, h http.Handler) (*http.Server, net.Addr, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", field, err)
	}
	s := &http.Server{
		Handler:           handlers.Recovered(d.log, h),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second, // a sender that dribbles is cut
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(d.log.Handler(), slog.LevelDebug),
	}
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			d.failed <- fmt.Errorf("%s: %w", field, err)
		}
	}()
	return s, l.Addr(), nil
}

func (d *daemon) publicHandler() (http.Handler, error) {
	at := &door{alarms: d.alarms}
	open, err := polarEndpoint(d.cfg, at)
	if err != nil {
		return nil, err
	}
	receiver := handlers.Webhook(handlers.WebhookOptions{
		Store: d.ledger, Admit: admitPolar(d.cfg.Webhooks.Polar.Tolerance, at), Open: open, Accepted: d.queue.Relay.Wake,
		Reused: func(ev grant.Event) {
			d.alarms.Raise("webhook_conflict", "a webhook-id came again with another body: "+ev.ID,
				"Look at `fulfilld events show "+ev.ID+"`; the first body counts.")
		},
		Metrics: handlers.NewWebhookMetrics(d.metrics, polar.EventTypes), Log: d.log,
	})
	return handlers.Public(handlers.PublicOptions{
		Ledger: d.ledger, Tokens: tokens(d.cfg), Clients: d.clientLimits(), Meters: meters(d.route.Kinds), Files: d.files,
		Sessions: d.sessions(), Visits: d.visits(), Portal: d.portal(), KeyAdmin: licensekeys.CustomerAdmin, Webhook: receiver, Health: d.health, Log: d.log,
	}), nil
}

// clientLimits are those of apps without a token.
func (d *daemon) clientLimits() handlers.ClientLimits {
	c := d.cfg.LicenseAPI
	return handlers.ClientLimits{
		Rate: c.Rate, Guesses: c.Guesses, Block: c.Block, Clients: c.Clients, TrustedProxies: d.cfg.TrustedProxies,
		Unproxied: func(a netip.Addr) {
			d.alarms.Raise("proxy_not_trusted", "requests about license keys come by way of "+a.String()+", which is not trusted; all its clients are limited as one",
				"Add "+a.String()+" to trusted_proxies if it is your proxy, and restart.")
		},
	}
}

// tokens are the programs that may use the API.
func tokens(cfg *config.Config) (all []handlers.Token) {
	for _, t := range cfg.Tokens {
		all = append(all, handlers.Token{Name: t.Name, Text: t.Token.Reveal(), Scopes: t.Scopes})
	}
	return all
}

func (d *daemon) metricsHandler() http.Handler {
	return promhttp.HandlerFor(d.metrics, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelWarn)})
}
