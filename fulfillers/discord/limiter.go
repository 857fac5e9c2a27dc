package discord

import (
	"maps"
	"sync"
	"time"
)

const (
	perSecond  = 45 // of the 50 that Discord allows a bot
	forRevokes = 4  // of these, which grants leave alone

	// soon is when to look again where only an answer can tell how long it takes.
	soon = 100 * time.Millisecond

	// longestQueue is the longest a grant is put off for those before it.
	longestQueue = 10 * time.Minute

	// ahead is how long before its turn a call is expected, if that matters.
	ahead = waitHere * 3 / 4

	// openers are expected at the beginning of each window.
	openers = 2

	// keptFor is how long an urgent call's place is kept once it could be taken.
	keptFor = 5 * time.Second
)

// limiter keeps this process within Discord's limits, as the answers tell them:
// https://discord.com/developers/docs/topics/rate-limits. What is urgent goes
// first when a bucket is short.
type limiter struct {
	mu      sync.Mutex
	buckets map[string]*bucket
	flying  int                  // calls that have not come back
	bot     [perSecond]time.Time // when the last ones came back, as a ring
	next    int
	changed chan struct{} // closed, and made anew, when a call has come back
}

// bucket is a limit that routes share within one guild.
type bucket struct {
	limit  int           // 0: not known yet, so one call at a time
	free   bool          // has no limit, it seems
	used   int           // calls since the window began
	seen   int           // how many more Discord would take, by the last answer
	flying int           // calls that have not come back
	ends   time.Time     // of the window; zero: it has begun, nobody knows when
	per    time.Duration // the longest window seen
	turned int           // calls put off, to come back one window after another

	kept map[string]time.Time // places for urgent calls to come, until when, by user
}

// place is one call's place in its bucket.
type place struct {
	key    string
	user   string
	urgent bool
}

func newLimiter() *limiter {
	return &limiter{buckets: map[string]*bucket{}, changed: make(chan struct{})}
}

func (l *limiter) bucket(key string) *bucket {
	b := l.buckets[key]
	if b == nil {
		b = &bucket{kept: map[string]time.Time{}}
		l.buckets[key] = b
	}
	return b
}

// take takes a place when there is one, and else says when to ask again and
// what closes when that may be earlier. whole is set when it is for the bot.
func (l *limiter) take(p *place, now time.Time) (wait time.Duration, whole bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bucket(p.key)
	wait = b.wait(p.urgent, now)
	if wait == 0 {
		wait = l.botWait(p.urgent, now)
		whole = wait > 0
	}
	switch {
	case p.urgent && wait > 0:
		b.kept[p.user] = now.Add(wait + keptFor)
	case p.urgent:
		delete(b.kept, p.user)
	}
	if wait == 0 {
		b.used, b.flying = b.used+1, b.flying+1
		l.flying++
	}
	return wait, whole, l.changed
}

// expect keeps a place for an urgent call that follows another.
func (l *limiter) expect(p place, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bucket(p.key)
	if wait := b.wait(true, now); b.limit > 0 {
		b.kept[p.user] = now.Add(max(wait, b.per) + keptFor)
	}
}

// putOff is when to come back after wait: what is urgent, in time to wait here
// for its place, and else behind those who were put off before. The first of
// each window come in time too, so that it begins when it may.
func (l *limiter) putOff(p *place, wait time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bucket(p.key)
	early := max(0, wait-ahead)
	switch {
	case p.urgent:
		return early
	case b.limit == 0:
		return wait
	}
	if b.turned%b.limit < openers {
		wait = early
	}
	behind := b.per * time.Duration(b.turned/b.limit)
	b.turned++
	return wait + min(behind, longestQueue)
}

// back notes what an answer told.
func (l *limiter) back(p *place, t *trip, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bucket(p.key).back(t, now)
	l.flying--
	l.bot[l.next], l.next = now, (l.next+1)%perSecond
	close(l.changed)
	l.changed = make(chan struct{})
}

// botWait leaves the last calls of each second to what is urgent. Nobody knows
// when a call counts at Discord: it may until it comes back, so its second begins
// then.
func (l *limiter) botWait(urgent bool, now time.Time) time.Duration {
	taken := l.flying
	if !urgent {
		taken += forRevokes
	}
	if taken >= perSecond {
		return soon
	}
	return max(0, l.bot[(l.next+taken)%perSecond].Add(time.Second).Sub(now))
}

func (b *bucket) wait(urgent bool, now time.Time) time.Duration {
	b.renew(now)
	switch {
	case b.free:
		return 0
	case b.limit == 0 && b.flying == 0 && b.others(urgent, now) == 0:
		return 0
	case b.limit > 0 && min(b.limit-b.used, b.seen) > b.others(urgent, now):
		return 0
	case b.ends.IsZero():
		return soon
	}
	return b.ends.Sub(now)
}

// others is how many places are not for this call: those kept for urgent ones.
func (b *bucket) others(urgent bool, now time.Time) int {
	if urgent {
		return 0
	}
	maps.DeleteFunc(b.kept, func(_ string, until time.Time) bool { return now.After(until) })
	return len(b.kept)
}

// renew begins a new window once the old one is over. Calls still out may count
// in either.
func (b *bucket) renew(now time.Time) {
	if b.ends.IsZero() || now.Before(b.ends) {
		return
	}
	b.ends, b.used, b.seen = time.Time{}, b.flying, b.limit
	b.turned = max(0, b.turned-b.limit)
}

func (b *bucket) back(t *trip, now time.Time) {
	b.flying--
	switch {
	case t.wait > 0 && !t.whole:
		b.limit, b.seen, b.ends, b.free = max(b.limit, 1), 0, now.Add(t.wait), false
	case t.limits.Limit > 0:
		b.learn(t.limits, now)
	case t.status > 0 && b.limit == 0:
		b.free = true
	}
	if b.flying == 0 && b.ends.IsZero() {
		b.limit = 0 // no answer told when the window ends: begin again
	}
}

// learn takes an answer's word. One that names a clearly later end is from the
// next window, which began earlier than we thought.
func (b *bucket) learn(l limits, now time.Time) {
	ends := now.Add(l.ResetAfter)
	const jitter = 250 * time.Millisecond
	switch {
	case b.limit == 0:
		b.used, b.seen = b.flying+1, l.Remaining
	case b.ends.IsZero():
		b.seen = l.Remaining
	case ends.After(b.ends.Add(jitter)):
		b.used, b.seen = b.flying+1, l.Remaining
	default:
		b.seen = min(b.seen, l.Remaining)
		ends = b.ends
	}
	b.limit, b.ends, b.per, b.free = l.Limit, ends, max(b.per, l.ResetAfter), false
}
