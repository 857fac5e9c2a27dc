// Package throttle lets everybody in so many times a second, and shuts out for a
// while who comes more often.
//
// Its memory is bounded: of more than a given number it forgets who came longest
// ago. It must not know who they are, nor what they come for.
package throttle

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// Limits are how often, how long, and of how many.
type Limits struct {
	Rate   int           // times a second, and at once; at least 1
	Block  time.Duration // how long who comes more often is shut out
	Guests int           // how many are remembered, at some 200 bytes each; at least 1
}

// Gate is where they come in. It is safe for concurrent use.
type Gate[K comparable] struct {
	limits Limits
	now    func() time.Time

	mu    sync.Mutex
	known *simplelru.LRU[K, *guest]
}

type guest struct {
	pace *rate.Limiter
	out  time.Time // shut out until then
}

// New makes a gate; now is its clock. Limits below 1 panic.
func New[K comparable](l Limits, now func() time.Time) *Gate[K] {
	known, err := simplelru.NewLRU[K, *guest](l.Guests, nil)
	if err != nil || l.Rate < 1 {
		panic("throttle: limits below 1")
	}
	return &Gate[K]{limits: l, now: now, known: known}
}

// Enter counts one more time, and returns for how long they are shut out; 0 lets
// them in. Who comes while shut out is not shut out for longer.
func (g *Gate[K]) Enter(k K) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	who, ok := g.known.Get(k)
	if !ok {
		who = &guest{pace: rate.NewLimiter(rate.Limit(g.limits.Rate), g.limits.Rate)}
		g.known.Add(k, who)
	}
	if wait := who.out.Sub(now); wait > 0 {
		return wait
	}
	if who.pace.AllowN(now, 1) {
		return 0
	}
	who.out = now.Add(g.limits.Block)
	return g.limits.Block
}

// Out returns for how long they are shut out, and counts nothing.
func (g *Gate[K]) Out(k K) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	who, ok := g.known.Get(k)
	if !ok {
		return 0
	}
	return max(0, who.out.Sub(g.now()))
}
