package main

import (
	"slices"
	"time"
)

// share is how much of what a limit allows was used while there was work: the
// calls before s, by those that it allows from `from` until s, where s is when
// the last window begins. That one is left out, for work may end within it. A
// window begins, as Discord's do, with the first call after the one before; with
// one call a window, s is the last call.
//
//	share = calls before s / (limit × (s − from) / window)
//
// calls are sorted. What fits into one window is not limited at all.
func share(calls []time.Time, from time.Time, limit int, window time.Duration) float64 {
	before, began := 0, time.Time{}
	for i, at := range calls {
		if at.Sub(began) >= window {
			before, began = i, at
		}
	}
	if before == 0 {
		return 1
	}
	return float64(before) / (float64(limit) * float64(began.Sub(from)) / float64(window))
}

// lane is one installation, or one guild, over its time with work: from its
// first webhook to its last grant.
type lane struct {
	from, to       time.Time
	changes, reads []time.Time // of that time, sorted
}

// lanes are a provider's. The spy's lock is held.
func (p *provider) lanes() []lane {
	all, lanes := make([]lane, lanesEach), map[string]int{}
	for _, b := range p.buyers {
		l, at := &all[b.lane], p.spy.gave[b.path]
		if l.from.IsZero() || b.bought.Before(l.from) {
			l.from = b.bought
		}
		if at.After(l.to) {
			l.to = at
		}
		l.changes = append(l.changes, at, p.spy.took[b.path])
		lanes[b.read] = b.lane
	}
	for _, r := range p.spy.reads {
		if n, ok := lanes[r.path]; ok {
			all[n].reads = append(all[n].reads, r.at)
		}
	}
	for i := range all {
		all[i].changes, all[i].reads = all[i].within(all[i].changes), all[i].within(all[i].reads)
	}
	return all
}

// within sorts times and leaves out those that are not of the lane's; the zero
// time stands for never.
func (l lane) within(all []time.Time) []time.Time {
	all = slices.DeleteFunc(all, func(at time.Time) bool { return at.Before(l.from) || at.After(l.to) })
	slices.SortFunc(all, time.Time.Compare)
	return all
}

// figures are a provider's column of the table.
func (p *provider) figures() map[string]float64 {
	p.spy.mu.Lock()
	defer p.spy.mu.Unlock()
	var changes, reads []float64
	var ends []time.Duration
	for _, l := range p.lanes() {
		changes = append(changes, share(l.changes, l.from, p.limit, p.window))
		reads = append(reads, share(l.reads, l.from, p.limit, p.window))
		ends = append(ends, l.to.Sub(l.from))
	}
	grants := p.grantWaits()
	all := map[string]float64{
		usedHalf:  median(changes),
		usedLeast: slices.Min(changes),
		beyond:    float64(p.violations()),
		refused:   float64(p.spy.invalid),
		waitP50:   percentile(grants, 50).Seconds(),
		waitMost:  percentile(grants, 100).Seconds(),
		fairness:  slices.Max(ends).Seconds() / slices.Min(ends).Seconds(),
		calls:     float64(p.spy.calls) / float64(len(p.buyers)),
	}
	if p.reads {
		all[usedReads] = median(reads)
	}
	return all
}
