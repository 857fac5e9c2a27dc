package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// shutdown stops in the order data flows: no more webhooks, then no more work,
// then the memory. What was accepted is kept; what runs may finish. All of it
// together takes no longer than shutdown_timeout.
func (d *daemon) shutdown() error {
	d.health.Drain()
	ctx, cancel := context.WithTimeout(context.Background(), d.cfg.ShutdownTimeout)
	defer cancel()
	err := d.stopIntake(ctx)
	d.log.Info("stopped taking in webhooks")
	d.release(ctx)
	if err != nil {
		return fmt.Errorf("some requests were cut off: %w", err)
	}
	d.log.Info("stopped")
	return nil
}

// stopIntake lets requests under way finish, within half of the time: the rest
// is for work. Downloads are cut after half of that, and resumed elsewhere or later.
func (d *daemon) stopIntake(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.ShutdownTimeout/2)
	defer cancel()
	if d.files != nil {
		defer time.AfterFunc(d.cfg.ShutdownTimeout/4, d.files.Stop).Stop()
	}
	return d.public.Shutdown(ctx)
}

// close ends a daemon that cannot go on.
func (d *daemon) close() {
	if d.cfg == nil { // nothing is open yet
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), d.cfg.ShutdownTimeout)
	defer cancel()
	d.release(ctx)
}

// release closes whatever is open, by the end of ctx.
func (d *daemon) release(ctx context.Context) {
	if d.stopHouse != nil {
		d.stopHouse()
	}
	if d.queue != nil {
		d.stopWork(ctx)
	}
	if d.deliverer != nil {
		d.stopDeliveries(ctx)
	}
	d.queues.close()
	for _, s := range []*http.Server{d.public, d.admin} {
		if s != nil {
			_ = s.Close()
		}
	}
	if d.blobs != nil {
		_ = d.blobs.Close()
	}
	if d.redis != nil {
		d.redis.Close()
	}
	if d.ledger != nil {
		d.closeLedger(ctx)
	}
	if d.alarms != nil {
		d.alarms.Close()
	}
}

// stopWork leaves a tenth of the time to the ledger.
func (d *daemon) stopWork(ctx context.Context) {
	end, _ := ctx.Deadline()
	ctx, cancel := context.WithDeadline(ctx, end.Add(-d.cfg.ShutdownTimeout/10))
	defer cancel()
	d.queue.Shutdown(ctx)
}

// stopDeliveries comes after the work that causes them.
func (d *daemon) stopDeliveries(ctx context.Context) {
	end, _ := ctx.Deadline()
	ctx, cancel := context.WithDeadline(ctx, end.Add(-d.cfg.ShutdownTimeout/20))
	defer cancel()
	d.deliverer.Shutdown(ctx)
}

// closeLedger does not wait for ever for a disk that hangs: what was answered
// is on it, and the rest is not lost by an end without a good-bye.
func (d *daemon) closeLedger(ctx context.Context) {
	closed := make(chan error, 1)
	go func() {
		d.house.Wait()
		closed <- d.ledger.Close()
	}()
	select {
	case err := <-closed:
		if err != nil {
			d.log.Error("ledger not closed cleanly", slog.Any("err", err))
		}
	case <-ctx.Done():
		d.log.Error("ledger not closed in time; it is mended when it is opened again")
	}
}
