package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

const (
	lookEvery   = 10 * time.Second
	retainEvery = 10 * time.Minute
	behindAfter = time.Minute // an event that waits longer to be applied is worth an alarm
)

// keepHouse raises the alarms that the ledger's contents call for, and forgets
// what is past retention.
func (d *daemon) keepHouse(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var retained time.Time
	for {
		d.look(ctx)
		if time.Since(retained) > retainEvery {
			retained = time.Now()
			if n, err := d.ledger.Retain(ctx, d.cfg.Retention.Bodies, d.cfg.Retention.IDs); err != nil {
				d.log.Warn("retention did not finish; it goes on later", slog.Any("err", err))
			} else if n > 0 {
				d.log.Info("forgot what is past retention", slog.Int64("rows", n))
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look compares the ledger with what should be so.
func (d *daemon) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	if err := d.ledger.Probe(ctx); err != nil {
		d.alarm("ledger_down", ctx.Err() == nil, fmt.Sprintf("the ledger cannot commit: %v", err),
			"Webhooks are answered 503 and sent again. Free disk space, or mend the database; the daemon recovers by itself.")
		return
	}
	d.alarms.Resolve("ledger_down")
	if n, oldest, err := d.ledger.Backlog(ctx); err == nil {
		d.alarm("unapplied_events", n > 0 && time.Since(oldest) > behindAfter,
			fmt.Sprintf("%d events wait to be applied, the oldest since %s", n, oldest.Format(time.RFC3339)),
			"Look at the log for the cause; they are applied as soon as it is gone.")
	}
	if n, err := d.ledger.FailedEvents(ctx); err == nil {
		d.alarm("events_failed", n > 0, fmt.Sprintf("%d events could not be applied", n),
			"See `fulfilld events list --state failed`; after an upgrade or a mend, `fulfilld events replay --failed`.")
	}
	if refused, err := d.ledger.RefusedBenefits(ctx); err == nil {
		d.alarm("bad_spec", len(refused) > 0, fmt.Sprintf("the parameters of %d benefits are refused, among them %s", len(refused), first(refused)),
			"See `fulfilld grants list --state failed` for the reason; correct the benefit, or its entry in the config.")
	}
	if failed, stuck, err := d.ledger.Troubles(ctx); err == nil {
		d.alarm("fulfilments_failed", failed > 0, fmt.Sprintf("%d grants could not be fulfilled", failed),
			"See `fulfilld grants list --state failed`, mend what it says, then `fulfilld grants retry ID`.")
		d.alarm("revocations_stuck", stuck > 0, fmt.Sprintf("%d revocations are refused by their provider; access may still stand", stuck),
			"See `fulfilld grants list --state revoking`; they are tried every hour until the provider confirms.")
	}
}

func (d *daemon) alarm(code string, on bool, text, next string) {
	if on {
		d.alarms.Raise(code, text, next)
	} else {
		d.alarms.Resolve(code)
	}
}

func first(ids []string) string {
	if len(ids) == 0 {
		return "none"
	}
	return ids[0]
}
