package discord

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/internal/fakediscord"
)

func window(n int, per time.Duration) fakediscord.Window {
	return fakediscord.Window{Requests: n, Per: per}
}

func limited(l fakediscord.Limits) func(*fakediscord.Options, *Config) {
	return func(o *fakediscord.Options, _ *Config) { o.Limits = l }
}

func TestABurstStaysWithinEveryLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, limited(fakediscord.Limits{
		MemberRoles: window(10, 300*time.Millisecond), Members: window(10, 200*time.Millisecond),
	}))
	var wg sync.WaitGroup
	for i := range 24 {
		user := w.NewUser(fakediscord.User{Username: fmt.Sprint("u", i)}).ID
		w.join(user)
		f := w.owed(user, w.params(w.role))
		wg.Go(func() {
			for wait := w.tries(f); wait > 0; wait = w.tries(f) {
				time.Sleep(wait)
			}
		})
	}
	wg.Wait()
	if n := w.Violations(); n != 0 {
		t.Errorf("%d calls beyond a limit", n)
	}
}

// tries grants and returns how long that is put off.
func (w *world) tries(f grant.Fulfilment) time.Duration {
	_, err := w.d.Grant(w.t.Context(), f)
	e := fulfillers.Classify(err)
	if e == nil {
		return 0
	}
	if e.Class != fulfillers.ClassThrottled {
		w.t.Errorf("Grant: %s", describe(e))
		return 0
	}
	return e.Wait
}

func TestAFarTurnIsPutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, limited(fakediscord.Limits{Members: window(1, 30*time.Second)}))
	w.grant(w.owed(w.ada, w.params(w.role))) // one read
	f := w.owed(w.ada, w.params(w.vip))
	_, err := w.d.Grant(t.Context(), f)
	throttled(t, err, laneOf(w.guild), 29*time.Second, "takes no more for now")
	w.clock.move(30 * time.Second)
	w.grant(f)
	if n := w.Violations(); n != 0 {
		t.Errorf("%d calls beyond a limit", n)
	}
}

func TestOneGuildsLimitIsNotAnothers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, limited(fakediscord.Limits{Members: window(2, 30*time.Second)}))
	w.grant(w.owed(w.ada, w.params(w.role)))
	w.guild = w.NewGuild(fakediscord.Guild{}).ID
	role := w.NewRole(w.guild, fakediscord.Role{}).ID
	w.AddBot(w.guild, rights, 5)
	w.join(w.ada)
	w.grant(w.owed(w.ada, w.params(role)))
}

// told is an answer with these limits.
func told(limit, remaining int, after time.Duration) *trip {
	return &trip{status: 200, limits: limits{limit, remaining, after}}
}

func TestRevokesGoFirstWhenABucketIsShort(t *testing.T) {
	t.Parallel()
	l, now := newLimiter(), time.Now()
	first := &place{key: "k"}
	l.take(first, now)
	l.back(first, told(10, 9, 5*time.Second), now)
	if n := l.grants("k", 8, now); n != 8 {
		t.Fatalf("takes %d grants, though there are 8 places", n)
	}
	last := &place{key: "k", user: "t", urgent: true}
	if wait, _, _ := l.take(last, now); wait != 0 {
		t.Errorf("a revoke waits %v for the last place", wait)
	}
	l.back(last, &trip{}, now)
	waiting := &place{key: "k", user: "u", urgent: true}
	if wait, _, _ := l.take(waiting, now); wait != 5*time.Second {
		t.Errorf("a revoke waits %v without a place", wait)
	}
	now = now.Add(5 * time.Second)
	if n := l.grants("k", 10, now); n != 9 {
		t.Errorf("the next window takes %d grants, want one place for the revoke", n)
	}
	if wait, _, _ := l.take(waiting, now); wait != 0 {
		t.Errorf("a revoke waits %v for the place kept for it", wait)
	}
	if n := len(l.bucket("k").kept); n != 0 {
		t.Errorf("%d places are kept for it yet", n)
	}
}

// grants takes as many places as there are for so many grants.
func (l *limiter) grants(key string, most int, now time.Time) (n int) {
	for range most {
		if wait, _, _ := l.take(&place{key: key}, now); wait == 0 {
			n++
		}
	}
	for range n {
		l.back(&place{key: key}, &trip{}, now)
	}
	return n
}

func TestAPlaceForARevokesLastCallIsKeptForAWhile(t *testing.T) {
	t.Parallel()
	l, now := newLimiter(), time.Now()
	l.take(&place{key: "k"}, now)
	l.back(&place{key: "k"}, told(10, 9, 5*time.Second), now)
	l.expect(place{key: "k", user: "u"}, now)
	l.expect(place{key: "k", user: "u"}, now)
	if n := l.grants("k", 9, now); n != 8 {
		t.Errorf("takes %d grants, want 8 and a place kept", n)
	}
	now = now.Add(5*time.Second + keptFor + time.Millisecond)
	if n := l.grants("k", 12, now); n != 10 {
		t.Errorf("takes %d grants, want 10: nobody came for the place", n)
	}
}

func TestTheFirstCallOfABucketGoesAlone(t *testing.T) {
	t.Parallel()
	l, now := newLimiter(), time.Now()
	first := &place{key: "k"}
	l.take(first, now)
	wait, _, changed := l.take(&place{key: "k"}, now)
	if wait != soon {
		t.Errorf("the second waits %v, want %v", wait, soon)
	}
	l.back(first, &trip{status: 200}, now)
	<-changed
	for range 20 {
		if wait, _, _ := l.take(&place{key: "k"}, now); wait != 0 {
			t.Fatal("waits though there is no limit")
		}
	}
}

func TestABucketWhoseAnswersAreLostBeginsAgain(t *testing.T) {
	t.Parallel()
	l, now := newLimiter(), time.Now()
	p := &place{key: "k"}
	l.take(p, now)
	l.back(p, told(1, 0, time.Second), now)
	for range 3 {
		now = now.Add(time.Second)
		if wait, _, _ := l.take(p, now); wait != 0 {
			t.Fatalf("waits %v in a new window", wait)
		}
		l.back(p, &trip{}, now) // no answer
	}
}

func TestWhoIsPutOffComesBackBehindThoseBefore(t *testing.T) {
	t.Parallel()
	l, now := newLimiter(), time.Now()
	p := &place{key: "k"}
	l.take(p, now)
	l.back(p, told(10, 0, 10*time.Second), now)
	for i := range 25 {
		want := 10*time.Second + time.Duration(i/10)*10*time.Second
		if i%10 < openers {
			want -= ahead
		}
		if got := l.putOff(p, 10*time.Second); got != want {
			t.Errorf("number %d comes back after %v, want %v", i, got, want)
		}
	}
	if got := l.putOff(&place{key: "k", urgent: true}, 10*time.Second); got != 10*time.Second-ahead {
		t.Errorf("a revoke comes back after %v, too late or too early to wait for its place", got)
	}
	l.bucket("k").turned = 1e6
	if got := l.putOff(p, 0); got != longestQueue {
		t.Errorf("the last comes back after %v, want at most %v", got, longestQueue)
	}
}

func TestTheBotStaysBelowItsLimitAndLeavesSomeToRevokes(t *testing.T) {
	t.Parallel()
	l, now := newLimiter(), time.Now()
	guilds := 0
	took := func(urgent bool) (n int) {
		for range 100 {
			guilds++
			p := &place{key: fmt.Sprint(guilds), urgent: urgent}
			if wait, whole, _ := l.take(p, now); wait == 0 {
				n++
			} else if !whole || wait > time.Second {
				t.Fatalf("waits %v, whole %v", wait, whole)
			}
		}
		return n
	}
	comeBack := func(n int) {
		for range n {
			l.back(&place{key: "back"}, &trip{}, now)
		}
	}
	if n := took(false); n != perSecond-forRevokes {
		t.Errorf("%d grants at once, want %d", n, perSecond-forRevokes)
	}
	if n := took(true); n != forRevokes {
		t.Errorf("%d more revokes, want %d", n, forRevokes)
	}
	now = now.Add(time.Second)
	if n := took(true); n != 0 {
		t.Errorf("%d more while none has come back, want none", n)
	}
	comeBack(perSecond)
	now = now.Add(time.Second - time.Millisecond)
	if n := took(true); n != 0 {
		t.Errorf("%d within the second after they came back, want none", n)
	}
	now = now.Add(time.Millisecond)
	if n := took(true); n != perSecond {
		t.Errorf("%d revokes in the next second, want %d", n, perSecond)
	}
	comeBack(10)
	now = now.Add(time.Second)
	if n := took(true); n != 10 {
		t.Errorf("%d after 10 have come back, want as many", n)
	}
}

func TestWaitingForATurnEndsWithTheContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := &place{key: rolesLimit + " " + w.guild}
	w.d.session.limiter.take(p, w.clock.now())
	w.d.session.limiter.back(p, told(1, 0, 1500*time.Millisecond), w.clock.now())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := w.d.Grant(ctx, w.owed(w.ada, w.params(w.role)))
	want(t, err, fulfillers.ClassTransient, "cancelled", "")
	if d := time.Since(began); d > time.Second {
		t.Errorf("returned after %v", d)
	}
	if n := w.Count(giveRole); n != 0 {
		t.Error("the call went out")
	}
}
