package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fulfilld/grant"
	"fulfilld/ledger"
)

// commitMetrics measures the ledger's shared commits.
type commitMetrics struct {
	size, seconds prometheus.Histogram
	failed        prometheus.Counter
}

func newCommitMetrics(reg prometheus.Registerer) *commitMetrics {
	m := &commitMetrics{
		size: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "fulfilld_commit_size", Help: "Writes that shared one commit.", Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512},
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "fulfilld_commit_seconds", Help: "How long a commit took, its fsync included.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5},
		}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{Name: "fulfilld_commit_failures_total", Help: "Commits that failed."}),
	}
	reg.MustRegister(m.size, m.seconds, m.failed)
	return m
}

func (m *commitMetrics) observe(size int, took time.Duration, err error) {
	if err != nil {
		m.failed.Inc()
		return
	}
	m.size.Observe(float64(size))
	m.seconds.Observe(took.Seconds())
}

var (
	unapplied    = prometheus.NewDesc("fulfilld_events_unapplied", "Events accepted and not yet applied.", nil, nil)
	unappliedAge = prometheus.NewDesc("fulfilld_events_unapplied_oldest_seconds", "Age of the oldest of them.", nil, nil)
	failedEvents = prometheus.NewDesc("fulfilld_events_failed", "Events that could not be applied.", nil, nil)
	fulfilments  = prometheus.NewDesc("fulfilld_fulfilments", "Fulfilments by kind and state.", []string{"kind", "state"}, nil)
	due          = prometheus.NewDesc("fulfilld_work_due", "Fulfilments that are due.", []string{"kind"}, nil)
	overdue      = prometheus.NewDesc("fulfilld_work_overdue", "Fulfilments due for more than a minute.", []string{"kind"}, nil)
	waiting      = prometheus.NewDesc("fulfilld_deliveries_waiting", "What endpoints are still to be told.", []string{"endpoint"}, nil)
	resting      = prometheus.NewDesc("fulfilld_lane_resting_seconds", "How long a provider's lanes still rest, at the longest.", []string{"provider"}, nil)
)

// providers are those that a lane's name may begin with.
var providers = [...]string{"custom", "discord", "github"}

// ledgerCollector counts what the ledger holds when scraped, at most once in a
// few seconds.
type ledgerCollector struct {
	ledger    *ledger.Ledger
	kinds     []string
	endpoints []string
	log       *slog.Logger
}

func newLedgerCollector(l *ledger.Ledger, kinds, endpoints []string, log *slog.Logger) *ledgerCollector {
	return &ledgerCollector{l, kinds, endpoints, log}
}

// Describe implements prometheus.Collector.
func (c *ledgerCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{unapplied, unappliedAge, failedEvents, fulfilments, due, overdue, waiting, resting} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. A ledger that does not answer costs
// only its own series.
func (c *ledgerCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := c.collect(ctx, ch); err != nil {
		c.log.Warn("the ledger's metrics are incomplete", slog.Any("err", err))
	}
}

func (c *ledgerCollector) collect(ctx context.Context, ch chan<- prometheus.Metric) error {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	n, oldest, err := c.ledger.Backlog(ctx)
	if err != nil {
		return err
	}
	gauge(unapplied, float64(n))
	age := 0.0
	if n > 0 {
		age = time.Since(oldest).Seconds()
	}
	gauge(unappliedAge, age)
	failed, err := c.ledger.FailedEvents(ctx)
	if err != nil {
		return err
	}
	gauge(failedEvents, float64(failed))
	states, err := c.ledger.FulfilmentStates(ctx)
	if err != nil {
		return err
	}
	for _, kind := range c.kinds {
		for _, s := range grant.States {
			key := [2]string{kind, string(s)}
			gauge(fulfilments, float64(states[key]), kind, string(s))
			delete(states, key)
		}
	}
	work, err := c.ledger.Overdue(ctx)
	if err != nil {
		return err
	}
	for _, kind := range c.kinds {
		gauge(due, float64(work[kind].Due), kind)
		gauge(overdue, float64(work[kind].Overdue), kind)
	}
	undelivered, _, err := c.ledger.Undelivered(ctx)
	if err != nil {
		return err
	}
	for _, name := range c.endpoints {
		gauge(waiting, float64(undelivered[name]), name)
	}
	lanes, err := c.ledger.Resting(ctx)
	if err != nil {
		return err
	}
	for _, provider := range providers {
		gauge(resting, longestRest(lanes, provider).Seconds(), provider)
	}
	return nil
}

func longestRest(lanes []grant.Lane, provider string) (longest time.Duration) {
	for _, lane := range lanes {
		if strings.HasPrefix(lane.Name, provider+":") {
			longest = max(longest, time.Until(lane.Until))
		}
	}
	return longest
}
