package tasks

import (
	"fmt"
	"testing"
	"time"

	"fulfilld/grant"
)

// lamps is n pieces of work.
func lamps(n int, revoke bool) (due []grant.Due) {
	for i := range n {
		due = append(due, grant.Due{ID: fmt.Sprintf("g%d.%v", i, revoke), Kind: "lamp", Revoke: revoke})
	}
	return due
}

func newRoom(room int) (*Dispatcher, *known) {
	d := &Dispatcher{room: room, lost: lostAfter, kinds: []string{"lamp"}, wake: make(chan struct{}, 1)}
	d.Reset()
	d.queues["lamp"].behind = false
	return d, d.queues["lamp"]
}

func TestRevocationsKeepToTheRoom(t *testing.T) {
	d, q := newRoom(16)
	d.Offer(lamps(100, true))
	if len(q.offered) != 16 || !q.behind {
		t.Errorf("%d are taken on, the rest is the ledger's: %v", len(q.offered), q.behind)
	}
	if n := len(d.fresh("lamp", lamps(100, true))); n != 0 {
		t.Errorf("%d more are queued", n)
	}
}

func TestAFloodOfGrantsLeavesRoomForRevocations(t *testing.T) {
	d, q := newRoom(16)
	d.Offer(lamps(100, false))
	if len(q.offered) != 14 || !q.behind {
		t.Errorf("%d are taken on, the rest is the ledger's: %v", len(q.offered), q.behind)
	}
	d.Offer(lamps(1, true))
	if last := q.offered[len(q.offered)-1]; !last.Revoke {
		t.Error("no room for a revocation")
	}
}

func TestRevocationsAreQueuedFirst(t *testing.T) {
	d, _ := newRoom(16)
	d.Offer(lamps(2, false))
	d.Offer(lamps(2, true))
	d.Offer(lamps(1, false))
	var order string
	for _, item := range d.take("lamp") {
		order += item.ID + " "
	}
	if order != "g0.true g1.true g0.false g1.false g0.false " {
		t.Errorf("queued in the order %s", order)
	}
}

func TestRoomIsWhatWaitsInRedis(t *testing.T) {
	d, q := newRoom(16)
	q.counted(16, 0, d.room, time.Now()) // queued by another daemon
	d.Offer(lamps(1, true))
	if len(q.offered) != 0 || !q.behind || !d.Busy("lamp") {
		t.Errorf("%d are taken on, the rest is the ledger's: %v", len(q.offered), q.behind)
	}
}

func TestWhatNoLongerWaitsInRedisIsForgotten(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name           string
		queued         int
		age            time.Duration
		waiting        int
		left           int
		behind, lookUp bool
	}{
		{"All", 10, 2 * forgetAfter, 0, 0, true, true},
		{"Most", 10, 2 * forgetAfter, 4, 0, true, true},
		{"Half", 10, 2 * forgetAfter, 5, 10, false, false},
		{"JustNow", 10, forgetAfter / 2, 0, 10, false, false},
		{"Paused", 10, time.Hour, 10, 10, false, false},
		{"Nothing", 0, 0, 0, 0, false, false},
	} {
		d, q := newRoom(100)
		for i := range c.queued {
			q.queued[fmt.Sprint(i)] = now.Add(-c.age)
		}
		lookUp := q.counted(c.waiting, 0, d.room, now)
		if len(q.queued) != c.left || q.behind != c.behind || lookUp != c.lookUp {
			t.Errorf("%s: %d left, behind %v, looked up %v", c.name, len(q.queued), q.behind, lookUp)
		}
		if busy := c.left > 0 || c.waiting > 0; d.Busy("lamp") != busy {
			t.Errorf("%s: busy %v", c.name, !busy)
		}
	}
}

func TestRoomThatBecameFreeIsFilledUp(t *testing.T) {
	d, q := newRoom(16)
	q.behind = true
	for _, c := range []struct {
		waiting int
		lookUp  bool
	}{{16, false}, {8, false}, {7, true}, {3, false}, {16, false}, {0, true}} {
		if got := q.counted(c.waiting, 0, d.room, time.Now()); got != c.lookUp {
			t.Errorf("%d wait: looked up %v", c.waiting, got)
		}
	}
}
