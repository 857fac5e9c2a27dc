package tasks

import "github.com/prometheus/client_golang/prometheus"

// DeliverMetrics counts deliveries.
type DeliverMetrics struct{ total *prometheus.CounterVec }

// NewDeliverMetrics registers the metrics, every series at zero.
func NewDeliverMetrics(reg prometheus.Registerer, endpoints []string) *DeliverMetrics {
	m := &DeliverMetrics{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fulfilld_deliveries_total", Help: "Posts to endpoints, by what came of them.",
	}, []string{"endpoint", "outcome"})}
	reg.MustRegister(m.total)
	for _, e := range endpoints {
		for _, o := range sentOutcomes {
			m.total.WithLabelValues(e, o)
		}
	}
	return m
}

func (m *DeliverMetrics) count(endpoint, outcome string) {
	if m != nil {
		m.total.WithLabelValues(endpoint, outcome).Inc()
	}
}
