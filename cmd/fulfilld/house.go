package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"fulfilld/grant"
)

const (
	lookEvery   = 10 * time.Second
	retainEvery = 10 * time.Minute
	probeEvery  = 10 * time.Minute
	behindAfter = time.Minute // an event that waits longer to be applied is worth an alarm
)

// house is kept in order while the daemon runs: alarms tell what the ledger's
// contents and the providers call for, and what is past retention is forgotten.
type house struct {
	ledger  books
	probes  func(ctx context.Context) []probe
	refused map[[2]string]string // by probe: what was wrong when it was last asked
	asked   int                  // where the next round of probes begins
	alarms  interface {
		Raise(code, text, next string)
		Resolve(code string)
	}
	bodies, ids time.Duration // how long the ledger keeps them
	log         *slog.Logger
}

// books are what the ledger can tell of itself.
type books interface {
	Probe(ctx context.Context) error
	Backlog(ctx context.Context) (n int64, oldest time.Time, err error)
	FailedEvents(ctx context.Context) (int64, error)
	RefusedBenefits(ctx context.Context) ([]string, error)
	Troubles(ctx context.Context) (failed, stuck int64, err error)
	Held(ctx context.Context) (byCode map[string]int64, err error)
	Undelivered(ctx context.Context) (waiting map[string]int64, failed int64, err error)
	Failing(ctx context.Context) (endpoints []string, err error)
	Resting(ctx context.Context) ([]grant.Lane, error)
	Unapproved(ctx context.Context) ([]grant.Lane, error)
	MissingFiles(ctx context.Context) (grants int64, file string, err error)
	Retain(ctx context.Context, bodies, ids time.Duration) (deleted int64, err error)
}

// keep does all of it until ctx ends. Neither a long retention nor a provider
// that hangs must hold up the alarms.
func (h *house) keep(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { repeat(ctx, lookEvery, h.look) })
	all.Go(func() { repeat(ctx, retainEvery, h.forget) })
	all.Go(func() { repeat(ctx, probeEvery, h.ask) })
	all.Wait()
}

// repeat does something now and every so often, until ctx ends.
func repeat(ctx context.Context, every time.Duration, do func(context.Context)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		do(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (h *house) forget(ctx context.Context) {
	n, err := h.ledger.Retain(ctx, h.bodies, h.ids)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		h.log.Warn("retention did not finish; it goes on later", slog.Any("err", err))
	case n > 0:
		h.log.Info("forgot what is past retention", slog.Int64("rows", n))
	}
}

// look compares the ledger with what should be so. A ledger that does not
// answer in time is as good as one that refuses.
func (h *house) look(daemon context.Context) {
	ctx, cancel := context.WithTimeout(daemon, lookEvery)
	defer cancel()
	err := h.ledger.Probe(ctx)
	if daemon.Err() != nil {
		return
	}
	h.alarm("ledger_down", err != nil, fmt.Sprintf("the ledger cannot commit: %v", err),
		"Webhooks are answered 503 and sent again. Free disk space, or mend the database; the daemon recovers by itself.")
	if err == nil {
		h.lookAtEvents(ctx)
		h.lookAtGrants(ctx)
		h.lookAtLanes(ctx)
		h.lookAtApprovals(ctx)
		h.lookAtDeliveries(ctx)
	}
}

func (h *house) lookAtEvents(ctx context.Context) {
	if n, oldest, err := h.ledger.Backlog(ctx); err == nil {
		h.alarm("unapplied_events", n > 0 && time.Since(oldest) > behindAfter,
			fmt.Sprintf("%d events wait to be applied, the oldest since %s", n, oldest.Format(time.RFC3339)),
			"Look at the log for the cause; they are applied as soon as it is gone.")
	}
	if n, err := h.ledger.FailedEvents(ctx); err == nil {
		h.alarm("events_failed", n > 0, fmt.Sprintf("%d events could not be applied", n),
			"See `fulfilld events list --state failed`; after an upgrade or a mend, `fulfilld events replay --failed`.")
	}
}

func (h *house) lookAtGrants(ctx context.Context) {
	if refused, err := h.ledger.RefusedBenefits(ctx); err == nil {
		h.alarm("bad_spec", len(refused) > 0, fmt.Sprintf("the parameters of %d benefits are refused, among them %s", len(refused), first(refused)),
			"See `fulfilld grants list --state failed` for the reason; correct the benefit, or its entry in the config.")
	}
	if failed, stuck, err := h.ledger.Troubles(ctx); err == nil {
		h.alarm("fulfilments_failed", failed > 0, fmt.Sprintf("%d grants could not be fulfilled", failed),
			"See `fulfilld grants list --state failed`, mend what it says, then `fulfilld grants retry ID`.")
		h.alarm("revocations_stuck", stuck > 0, fmt.Sprintf("%d revocations are refused by their provider, or not confirmed for an hour; access may still stand", stuck),
			"See `fulfilld grants list --state revoking`; they are tried until the provider confirms.")
	}
	if waiting, file, err := h.ledger.MissingFiles(ctx); err == nil {
		h.alarm("files_missing", waiting > 0, fmt.Sprintf("%d grants wait for a file that is not here, among those files %s", waiting, file),
			"`fulfilld files put --id "+file+" FILE` puts it; the grants go on by themselves. `fulfilld grants list --state waiting` names the others.")
	}
	if held, err := h.ledger.Held(ctx); err == nil {
		var why []string
		for _, code := range slices.Sorted(maps.Keys(held)) {
			why = append(why, fmt.Sprintf("%s (%d)", code, held[code]))
		}
		h.alarm("fulfilments_held", len(held) > 0, "grants wait until something is mended, or have failed for an hour: "+strings.Join(why, ", "),
			"`fulfilld grants list` shows them with their errors, and what to mend; they go on by themselves.")
	}
}

func (h *house) lookAtDeliveries(ctx context.Context) {
	if _, failed, err := h.ledger.Undelivered(ctx); err == nil {
		h.alarm("deliveries_failed", failed > 0, fmt.Sprintf("endpoints were not told %d things, and are not told again by themselves", failed),
			"See `fulfilld deliveries list --state failed` for why; mend that, then `fulfilld deliveries retry`.")
	}
	if failing, err := h.ledger.Failing(ctx); err == nil {
		h.alarm("endpoint_failing", len(failing) > 0, "endpoints have not taken something for an hour: "+strings.Join(failing, ", "),
			"See `fulfilld deliveries list --state waiting` for why. It is tried for three days; once mended, `fulfilld deliveries retry` does not wait.")
	}
}

func (h *house) alarm(code string, on bool, text, next string) {
	if on {
		h.alarms.Raise(code, text, next)
	} else {
		h.alarms.Resolve(code)
	}
}

func first(ids []string) string {
	if len(ids) == 0 {
		return "none"
	}
	return ids[0]
}
