package main

import (
	"cmp"
	"slices"
	"time"
)

// provider is one side of the outside: who buys there, and what came of it.
type provider struct {
	name, kind string
	url        string
	spy        *spy
	buyers     []*buyer
	half       time.Time // when half of them had access
	leaving    []*buyer  // who are to lose it from then on
	revoked    []*buyer  // who of them has been told of

	// What it allows in each lane: so many changes in each window.
	limit  int
	window time.Duration
	reads  bool // looking at a member has the same limit

	violations func() int // requests beyond any limit
}

// given is how many have been given access, whatever came then.
func (p *provider) given() int { return p.count(p.buyers, p.spy.gave) }

func (p *provider) taken() int { return p.count(p.revoked, p.spy.took) }

func (p *provider) count(whose []*buyer, changed map[string]time.Time) (n int) {
	p.spy.mu.Lock()
	defer p.spy.mu.Unlock()
	for _, b := range whose {
		if !changed[b.path].IsZero() {
			n++
		}
	}
	return n
}

// chosen are those who lose access in mid-run: who got it first in each of the
// lanes where most still wait, so that there is something to go before.
func (p *provider) chosen() (all []*buyer) {
	p.spy.mu.Lock()
	defer p.spy.mu.Unlock()
	var waiting [lanesEach]int
	var first [lanesEach]*buyer
	for _, b := range p.buyers {
		at, f := p.spy.gave[b.path], first[b.lane]
		switch {
		case at.IsZero():
			waiting[b.lane]++
		case f == nil || at.Before(p.spy.gave[f.path]):
			first[b.lane] = b
		}
	}
	for _, b := range first {
		if b != nil {
			all = append(all, b)
		}
	}
	slices.SortFunc(all, func(a, b *buyer) int { return cmp.Compare(waiting[b.lane], waiting[a.lane]) })
	return all[:min(len(all), revokesEach)]
}

// wrong counts who has no access and should, or the other way round.
func (p *provider) wrong() (n int) {
	for _, b := range p.buyers {
		if b.has() != b.left.IsZero() {
			n++
		}
	}
	return n
}

// grantWaits are how long it took from each webhook to the access, sorted. The
// spy's lock is held.
func (p *provider) grantWaits() (all []time.Duration) {
	for _, b := range p.buyers {
		if at := p.spy.gave[b.path]; !at.IsZero() {
			all = append(all, at.Sub(b.bought))
		}
	}
	slices.Sort(all)
	return all
}

// priority is how much longer it took for those who waited when half had access,
// and how long from each webhook to the end of the access, without what the
// daemon lets settle. Both are sorted.
func (p *provider) priority() (rest, revokes []time.Duration) {
	p.spy.mu.Lock()
	defer p.spy.mu.Unlock()
	for _, b := range p.buyers {
		if at := p.spy.gave[b.path]; !p.half.IsZero() && at.After(p.half) {
			rest = append(rest, at.Sub(p.half))
		}
	}
	for _, b := range p.revoked {
		if at := p.spy.took[b.path]; !at.IsZero() {
			revokes = append(revokes, at.Sub(b.left)-settle)
		}
	}
	slices.Sort(rest)
	slices.Sort(revokes)
	return rest, revokes
}
