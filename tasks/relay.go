package tasks

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"fulfilld/grant"
)

const (
	applyBatch  = 64  // events applied in one commit: small, so that intake waits little
	spreadBatch = 500 // grants told of a benefit's edit in one commit
	ownOnly     = 400 * 24 * 3600 * time.Second
	settled     = 5 * time.Second // a process that has not applied its event by then is taken for dead
)

// Relay turns accepted events into what is owed, and tells the dispatcher what
// became due.
type Relay struct {
	ledger events
	decode Decoder
	offer  func([]grant.Due)
	log    *slog.Logger
	wake   chan struct{}
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

// Sweep also applies what other processes have left lying.
func (r *Relay) Sweep(ctx context.Context) { r.drain(ctx, settled) }

// drain applies until nothing is left, or something stands in the way: then
// the sweep tries again.
func (r *Relay) drain(ctx context.Context, othersAfter time.Duration) {
	for ctx.Err() == nil {
		n, err := r.Step(ctx, othersAfter)
		if err != nil && ctx.Err() == nil {
			r.log.Error("events not applied; the sweep tries again", slog.Any("err", err))
		}
		if n == 0 || err != nil {
			return
		}
	}
}

// Step applies one batch of events and tells one portion of a changed
// benefit's grants. It returns how much it found to do.
func (r *Relay) Step(ctx context.Context, othersAfter time.Duration) (n int, err error) {
	found, err := r.ledger.Unapplied(ctx, othersAfter, applyBatch)
	if err != nil {
		return 0, err
	}
	if len(found) > 0 {
		due, err := r.ledger.Apply(ctx, r.read(found))
		r.offer(due)
		if err != nil {
			return 0, err
		}
	}
	due, more, err := r.ledger.Spread(ctx, spreadBatch)
	r.offer(due)
	if more {
		n++
	}
	return n + len(found), err
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
