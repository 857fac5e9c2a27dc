package tasks

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// Metrics counts attempts and measures how long the shop's word takes to
// become true.
type Metrics struct {
	attempts *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	effect   *prometheus.HistogramVec
	lost     *prometheus.CounterVec
}

var actions = [...]grant.Action{grant.DoGrant, grant.DoRevoke, grant.DoCycle}

// NewMetrics registers the metrics, every series at zero.
func NewMetrics(reg prometheus.Registerer, kinds []string) *Metrics {
	m := &Metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fulfilld_attempts_total", Help: "Attempts to fulfil, by their outcome's class.",
		}, []string{"kind", "action", "class"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "fulfilld_attempt_seconds", Help: "How long an attempt took.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"kind", "action"}),
		effect: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "fulfilld_event_to_effect_seconds", Help: "Time from the arrival of the shop's event to its effect, recorded.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 86400},
		}, []string{"kind", "action"}),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fulfilld_leases_lost_total", Help: "Attempts whose lease had passed to another worker.",
		}, []string{"kind"}),
	}
	reg.MustRegister(m.attempts, m.seconds, m.effect, m.lost)
	for _, kind := range kinds {
		m.lost.WithLabelValues(kind)
		for _, a := range actions {
			m.seconds.WithLabelValues(kind, string(a))
			m.effect.WithLabelValues(kind, string(a))
			for _, c := range fulfillers.Classes {
				m.attempts.WithLabelValues(kind, string(a), string(c))
			}
		}
	}
	return m
}

// attempt counts one, and returns the time since the shop's event when this was its effect.
func (m *Metrics) attempt(f grant.Held, o grant.Outcome, lost bool) (effect time.Duration) {
	if m == nil {
		return 0
	}
	action := string(o.Action)
	m.attempts.WithLabelValues(f.Kind, action, class(o)).Inc()
	m.seconds.WithLabelValues(f.Kind, action).Observe(o.Took.Seconds())
	if lost {
		m.lost.WithLabelValues(f.Kind).Inc()
	}
	if lost || !o.Done || f.Seen || f.EventAt.IsZero() {
		return 0
	}
	effect = max(0, time.Since(f.EventAt))
	m.effect.WithLabelValues(f.Kind, action).Observe(effect.Seconds())
	return effect
}

// class is the outcome's, as metrics and the log name it.
func class(o grant.Outcome) string {
	if o.Class == "" {
		return string(fulfillers.ClassNone)
	}
	return o.Class
}
