package handlers

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// otherType stands for every event type that is not in the closed set.
const otherType = "other"

// WebhookMetrics counts deliveries by type and result.
type WebhookMetrics struct {
	known   map[string]bool
	total   *prometheus.CounterVec
	seconds prometheus.Histogram
}

// NewWebhookMetrics registers the metrics; types is the closed set of event
// types that get a series of their own.
func NewWebhookMetrics(reg prometheus.Registerer, types []string) *WebhookMetrics {
	m := &WebhookMetrics{
		known: map[string]bool{},
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fulfilld_webhooks_total", Help: "Webhook deliveries, by event type and what came of them.",
		}, []string{"type", "result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "fulfilld_webhook_seconds", Help: "Time from a delivery's headers to its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .02, .05, .1, .25, .5, 1, 5, 10},
		}),
	}
	reg.MustRegister(m.total, m.seconds)
	for _, t := range types {
		m.known[t] = true
		for _, r := range [...]string{"accepted", "duplicate", "conflict", "failed"} {
			m.total.WithLabelValues(t, r)
		}
	}
	for _, r := range [...]string{"accepted", "duplicate", "conflict", "failed", "busy", "invalid", "unauthorized", "timeout", "too_large"} {
		m.total.WithLabelValues(otherType, r)
	}
	return m
}

func (m *WebhookMetrics) observe(typ, result string, took time.Duration) {
	if !m.known[typ] {
		typ = otherType
	}
	m.total.WithLabelValues(typ, result).Inc()
	m.seconds.Observe(took.Seconds())
}
