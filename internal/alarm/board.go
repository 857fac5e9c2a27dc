package alarm

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options is what a board is made of. The zero value is a board that only
// remembers and logs.
type Options struct {
	Registerer prometheus.Registerer // takes the gauge fulfilld_alarm; nil for none
	Log        *slog.Logger          // nil for the default
	URL        string                // takes a POST for each alarm; empty for none
	Now        func() time.Time      // nil for time.Now
}

// Board remembers alarms until they are resolved. It is safe for concurrent
// use, and none of its methods waits for the network.
type Board struct {
	log    *slog.Logger
	now    func() time.Time
	poster *poster

	mu       sync.Mutex
	standing map[string]*Alarm
}

// NewBoard makes an empty board. Close ends what it does in the background.
func NewBoard(o Options) *Board {
	b := &Board{log: o.Log, now: o.Now, standing: map[string]*Alarm{}}
	if b.log == nil {
		b.log = slog.Default()
	}
	if b.now == nil {
		b.now = time.Now
	}
	if o.URL != "" {
		b.poster = startPoster(o.URL, b.log)
	}
	if o.Registerer != nil {
		o.Registerer.MustRegister(gauge{b})
	}
	return b
}

// Raise says that a condition stands. The first time writes the one log line;
// later ones only refresh it.
func (b *Board) Raise(code, text, next string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	a := b.standing[code]
	first := a == nil || a.over(now)
	if first {
		a = &Alarm{Code: code, Since: now}
		b.standing[code] = a
	}
	a.Text, a.Next, a.Last = text, next, now
	a.Count++
	if first {
		b.log.LogAttrs(context.Background(), slog.LevelWarn, "alarm",
			slog.String("code", code), slog.String("text", text), slog.String("next", next))
	}
	if b.poster != nil {
		b.poster.offer(*a, now)
	}
}

// Resolve says that a condition is gone; that there was none is fine.
func (b *Board) Resolve(code string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.standing[code]
	if a == nil {
		return
	}
	delete(b.standing, code)
	b.log.LogAttrs(context.Background(), slog.LevelInfo, "alarm resolved",
		slog.String("code", code), slog.Duration("after", b.now().Sub(a.Since)))
}

// List returns the alarms that stand, the longest standing first.
func (b *Board) List() []Alarm {
	b.mu.Lock()
	defer b.mu.Unlock()
	now, all := b.now(), make([]Alarm, 0, len(b.standing))
	for code, a := range b.standing {
		if a.over(now) {
			delete(b.standing, code)
			continue
		}
		all = append(all, *a)
	}
	slices.SortFunc(all, func(x, y Alarm) int {
		return cmp.Or(x.Since.Compare(y.Since), cmp.Compare(x.Code, y.Code))
	})
	return all
}

// Close ends a POST under way and drops those that wait. It may be called twice.
func (b *Board) Close() {
	if b.poster != nil {
		b.poster.close()
	}
}

// gauge shows the board to Prometheus; it reads, so that it cannot drift.
type gauge struct{ board *Board }

var desc = prometheus.NewDesc("fulfilld_alarm", "Whether an alarm stands; the code says which.", []string{"code"}, nil)

// Describe implements prometheus.Collector.
func (g gauge) Describe(ch chan<- *prometheus.Desc) { ch <- desc }

// Collect implements prometheus.Collector. Every code has a series.
func (g gauge) Collect(ch chan<- prometheus.Metric) {
	value := map[string]float64{}
	for _, code := range Codes {
		value[code] = 0
	}
	for _, a := range g.board.List() {
		value[a.Code] = 1
	}
	for code, v := range value {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, code)
	}
}
