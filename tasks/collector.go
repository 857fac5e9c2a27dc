package tasks

import (
	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
)

var (
	queueSize = prometheus.NewDesc("fulfilld_queue_size", "Tasks in a queue, by state.", []string{"queue", "state"}, nil)
	queueLag  = prometheus.NewDesc("fulfilld_queue_latency_seconds", "Age of a queue's oldest pending task.", []string{"queue"}, nil)
	redisUp   = prometheus.NewDesc("fulfilld_redis_up", "Whether Redis answered the last probe.", nil, nil)
)

// Collector reads the queues' sizes when scraped. A Redis that does not answer
// costs only these series.
type Collector struct {
	queue     *Queue
	inspector *asynq.Inspector
}

// NewCollector makes a collector over a running queue.
func NewCollector(q *Queue) *Collector {
	c := &Collector{q, asynq.NewInspector(q.Redis)}
	q.closes = append(q.closes, c.inspector.Close)
	return c
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	ch <- queueSize
	ch <- queueLag
	ch <- redisUp
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	if c.queue.RedisDown() {
		ch <- prometheus.MustNewConstMetric(redisUp, prometheus.GaugeValue, 0)
		return
	}
	ch <- prometheus.MustNewConstMetric(redisUp, prometheus.GaugeValue, 1)
	for kind := range c.queue.pools {
		info, err := c.inspector.GetQueueInfo(kind)
		if err != nil { // nothing was ever queued there
			info = &asynq.QueueInfo{}
		}
		ch <- prometheus.MustNewConstMetric(queueLag, prometheus.GaugeValue, info.Latency.Seconds(), kind)
		for state, n := range map[string]int{
			"pending": info.Pending, "active": info.Active, "scheduled": info.Scheduled, "retry": info.Retry, "archived": info.Archived,
		} {
			ch <- prometheus.MustNewConstMetric(queueSize, prometheus.GaugeValue, float64(n), kind, state)
		}
	}
}
