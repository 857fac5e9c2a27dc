package throttle

import (
	"testing"
	"time"
)

// clock is moved by hand.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func gate(guests int) (*Gate[string], *clock) {
	c := &clock{at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	return New[string](Limits{Rate: 3, Block: time.Minute, Guests: guests}, c.now), c
}

func TestWhoComesMoreOftenIsShutOutForAWhile(t *testing.T) {
	t.Parallel()
	g, c := gate(10)
	for range 3 {
		if g.Enter("a") != 0 {
			t.Error("shut out within the limit")
		}
	}
	if wait := g.Enter("a"); wait != time.Minute {
		t.Errorf("the fourth at once waits %v", wait)
	}
	c.at = c.at.Add(59 * time.Second)
	if in, out := g.Enter("a"), g.Out("a"); in != time.Second || out != time.Second {
		t.Errorf("a second before the end: %v, %v", in, out)
	}
	if g.Enter("b") != 0 || g.Out("b") != 0 || g.Out("c") != 0 {
		t.Error("others are shut out, too")
	}
	c.at = c.at.Add(time.Second)
	if out, in := g.Out("a"), g.Enter("a"); in != 0 || out != 0 {
		t.Errorf("after it: %v, %v", in, out)
	}
}

func TestASteadyPaceIsLetIn(t *testing.T) {
	t.Parallel()
	g, c := gate(10)
	for n := range 300 {
		if g.Enter("a") != 0 {
			t.Fatalf("shut out at the %dth", n)
		}
		c.at = c.at.Add(time.Second / 3)
	}
}

func TestOnlySoManyAreRemembered(t *testing.T) {
	t.Parallel()
	g, _ := gate(2)
	for range 4 {
		g.Enter("a")
	}
	g.Enter("b")
	if g.Out("a") == 0 {
		t.Error("forgotten too early")
	}
	g.Enter("c")
	g.Enter("d")
	if g.Out("a") != 0 || g.known.Len() != 2 {
		t.Errorf("%d are remembered", g.known.Len())
	}
}
