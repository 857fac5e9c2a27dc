package tasks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"fulfilld/grant"
)

const (
	findBatch   = 128 // events looked up at once
	applyBatch  = 32  // events handed over at once: while they are applied, the next are decoded
	spreadBatch = 500 // grants told of a benefit's edit in one commit
	ownOnly     = 400 * 24 * 3600 * time.Second
	settled     = 5 * time.Second  // a process that has not applied its event by then is taken for dead
	findTime    = 30 * time.Second // how long the ledger may take to tell: its connection may be dead without saying so
)

// Relay turns accepted events into what is owed, and tells the dispatcher what
// became due.
type Relay struct {
	ledger events
	decode Decoder
	offer  func([]grant.Due)
	log    *slog.Logger
	wake   chan struct{}
	others atomic.Bool // what other processes have left lying is to be applied too
}

// NewRelay makes a relay; offer is told of what became due.
func NewRelay(o Options, offer func([]grant.Due)) *Relay {
	return &Relay{ledger: o.Ledger, decode: o.Decode, offer: offer, log: o.Log, wake: make(chan struct{}, 1)}
}

// Wake says that an event was accepted. It never blocks.
func (r *Relay) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run applies events as they come, until ctx ends. Its first round takes over
// what a process before it left behind.
func (r *Relay) Run(ctx context.Context) {
	r.drain(ctx, 0)
	for {
		select {
		case <-r.wake:
			r.drain(ctx, ownOnly)
		case <-ctx.Done():
			return
		}
	}
}

// Sweep has Run apply what other processes have left lying, too.
func (r *Relay) Sweep() {
	r.others.Store(true)
	r.Wake()
}

// drain applies until nothing is left, or something stands in the way: then
// the sweep tries again.
func (r *Relay) drain(ctx context.Context, othersAfter time.Duration) {
	for ctx.Err() == nil {
		after := othersAfter
		if r.others.Swap(false) {
			after = min(after, settled)
		}
		n, err := r.Step(ctx, after)
		if err != nil && ctx.Err() == nil {
			r.log.Error("events not applied; the sweep tries again", slog.Any("err", err))
		}
		if err != nil || n == 0 {
			return
		}
		if after != othersAfter {
			r.others.Store(true) // there may be more of theirs
		}
	}
}

// Step applies one batch of events and tells one portion of a changed
// benefit's grants. It returns how much it found to do.
func (r *Relay) Step(ctx context.Context, othersAfter time.Duration) (n int, err error) {
	found, err := r.find(ctx, othersAfter)
	if err != nil {
		return 0, err
	}
	failed := r.apply(ctx, found)
	due, more, err := r.ledger.Spread(ctx, spreadBatch)
	r.offer(due)
	if more {
		n++
	}
	return n + len(found), errors.Join(failed, err)
}

func (r *Relay) find(ctx context.Context, othersAfter time.Duration) ([]grant.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	return r.ledger.Unapplied(ctx, othersAfter, findBatch)
}

// apply decodes the next events while the last ones are being applied. Those
// that cannot be applied do not hold up the ones after them.
func (r *Relay) apply(ctx context.Context, found []grant.Event) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	decoded := make(chan []grant.Decoded)
	go func() {
		defer close(decoded)
		for some := range slices.Chunk(found, applyBatch) {
			select {
			case decoded <- r.read(some):
			case <-ctx.Done():
				return
			}
		}
	}()
	for batch := range decoded {
		due, failed := r.ledger.Apply(ctx, batch)
		r.offer(due)
		err = errors.Join(err, failed)
	}
	return errors.Join(err, ctx.Err())
}

func (r *Relay) read(events []grant.Event) []grant.Decoded {
	out := make([]grant.Decoded, len(events))
	for i, ev := range events {
		out[i] = grant.Decoded{Event: ev}
		out[i].News, out[i].Err = r.decoded(ev)
		if err := out[i].Err; err != nil {
			r.log.Error("event cannot be read; it is kept, see `fulfilld events list --state failed`",
				slog.String("event", ev.ID), slog.String("type", ev.Type), slog.Any("err", err))
		}
	}
	return out
}

// decoded keeps an event that makes the decoder panic from ending every
// process that meets it.
func (r *Relay) decoded(ev grant.Event) (n grant.News, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic in the decoder: %v", v)
		}
	}()
	return r.decode(ev)
}
