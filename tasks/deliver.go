package tasks

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"fulfilld/grant"
	"fulfilld/internal/outbound"
	"fulfilld/internal/secret"
)

const (
	deliverAtOnce = 4                  // posts under way to one endpoint
	deliverLease  = time.Minute        // longer than a post may take
	deliverFor    = 3 * 24 * time.Hour // of failing in a row: then a person must look
)

// outbox is what the deliverer needs of the ledger.
type outbox interface {
	Claim(ctx context.Context, endpoint string, limit int, lease time.Duration) ([]grant.Delivery, error)
	Delivered(ctx context.Context, d grant.Delivery) error
	Postpone(ctx context.Context, d grant.Delivery, wait, patience time.Duration, why string) (givenUp bool, err error)
	Release(ctx context.Context, d grant.Delivery, why string) error
}

// Endpoint is somebody who is told of what happens.
type Endpoint struct {
	Name    string
	URL     string
	Secrets []secret.Text
	Client  *outbound.Client
}

// DeliverOptions is what a deliverer is made of.
type DeliverOptions struct {
	Outbox    outbox
	Endpoints []Endpoint
	Metrics   *DeliverMetrics
	Alarms    Alarms
	Log       *slog.Logger
}

// Deliverer tells endpoints, each in a lane of its own: one that hangs holds up
// no other. What it is told to send, the ledger remembers until it was taken.
type Deliverer struct {
	DeliverOptions
	lanes    []*lane
	sweep    time.Duration // how often it looks without being woken
	patience time.Duration // deliverFor

	stop, callOff context.CancelFunc
	wg            sync.WaitGroup
}

// NewDeliverer makes a deliverer. It may be woken before it is started.
func NewDeliverer(o DeliverOptions) *Deliverer {
	d := &Deliverer{DeliverOptions: o, sweep: sweepEvery, patience: deliverFor}
	for _, e := range o.Endpoints {
		d.lanes = append(d.lanes, &lane{Deliverer: d, Endpoint: e, wake: make(chan struct{}, 1)})
	}
	return d
}

// Start runs it until Shutdown.
func (d *Deliverer) Start() {
	ctx, stop := context.WithCancel(context.Background())
	posts, callOff := context.WithCancel(context.Background())
	d.stop, d.callOff = stop, callOff
	for _, l := range d.lanes {
		d.wg.Go(func() { l.run(ctx, posts) })
	}
}

// Wake says that there may be something to deliver. It never blocks.
func (d *Deliverer) Wake() {
	for _, l := range d.lanes {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// Resume has endpoints called again that have said that they are gone, or that
// wanted to be left alone.
func (d *Deliverer) Resume() {
	for _, l := range d.lanes {
		l.gone.Store(false)
		l.until.Store(0)
	}
	d.Alarms.Resolve("endpoint_gone")
	d.Wake()
}

// tellGone raises the alarm that names all endpoints that are switched off.
func (d *Deliverer) tellGone() {
	var names []string
	for _, l := range d.lanes {
		if l.gone.Load() {
			names = append(names, l.Name)
		}
	}
	slices.Sort(names)
	d.Alarms.Raise("endpoint_gone", "switched off, because they answered 410: "+strings.Join(names, ", "),
		"Correct the URL under endpoints and restart, or take the entry out; if the receiver is back, `fulfilld deliveries retry`.")
}

// Shutdown stops taking up deliveries and waits for what is under way. Once ctx
// has ended that is called off: what was not recorded is sent again, under the
// same id.
func (d *Deliverer) Shutdown(ctx context.Context) {
	if d.stop == nil { // it was never started
		return
	}
	d.stop()
	done := beside(d.wg.Wait)
	await(ctx, done)
	d.callOff()
	soon, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	await(soon, done)
	for _, l := range d.lanes {
		l.Client.Close()
	}
}

// lane is one endpoint's.
type lane struct {
	*Deliverer
	Endpoint
	wake  chan struct{}
	gone  atomic.Bool  // it has answered 410
	until atomic.Int64 // it wants to be left alone until then, in microseconds
}

func (l *lane) run(ctx, posts context.Context) {
	var again time.Time // what has failed is due then, whatever wakes it before
	for {
		wait := l.drain(ctx, posts)
		if left := time.Until(again); left > 0 {
			wait = min(wait, left)
		}
		again = time.Now().Add(wait)
		t := time.NewTimer(wait)
		select {
		case <-l.wake:
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
		t.Stop()
	}
}

// drain delivers until nothing is due, or the endpoint wants none of it. It
// returns when to look again.
func (l *lane) drain(ctx, posts context.Context) (next time.Duration) {
	next = l.sweep
	for ctx.Err() == nil && !l.rests() {
		batch, err := l.Outbox.Claim(ctx, l.Name, deliverAtOnce, deliverLease)
		if err != nil && ctx.Err() == nil {
			l.Log.Warn("the ledger does not tell what is to be delivered; it is asked again", slog.String("endpoint", l.Name), slog.Any("err", err))
		}
		if err != nil || len(batch) == 0 {
			return next
		}
		var all sync.WaitGroup
		waits := make([]time.Duration, len(batch))
		for i, d := range batch {
			all.Go(func() { waits[i] = l.deliver(posts, d) })
		}
		all.Wait()
		for _, w := range waits {
			if w > 0 {
				next = min(next, punctual(w))
			}
		}
	}
	return next
}

func (l *lane) rests() bool {
	return l.gone.Load() || time.Now().UnixMicro() < l.until.Load()
}
