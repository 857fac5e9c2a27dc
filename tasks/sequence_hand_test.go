package tasks_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/fulfillers/licensekeys"
	"fulfilld/grant"
	"fulfilld/ledger"
	"fulfilld/tasks"
)

// mortal is the relay's ledger.
type mortal struct {
	*ledger.Ledger
	r *run
}

func (m mortal) Apply(ctx context.Context, events []grant.Decoded) ([]grant.Due, error) {
	if m.r.relayDie == 1 {
		m.r.ends.relayDied.Add(1)
		return nil, errDied
	}
	due, err := m.Ledger.Apply(ctx, events)
	if m.r.relayDie == 2 {
		m.r.ends.relayDied.Add(1)
		return nil, errDied
	}
	return due, err
}

// hand is one worker on its way through one fulfilment. It stands between the
// worker and everything that lasts: it may pause, while others go on, and die.
type hand struct {
	*ledger.Ledger
	run             *run
	id              string
	pauseAt, dieAt  string
	refused         bool // the store refuses, once
	dead, overtaken bool
}

func (h *hand) kinds() map[string]fulfillers.Built {
	return map[string]fulfillers.Built{
		"license_keys": {Fulfiller: licensekeys.New(licensekeys.Config{}, h), Concurrency: 2, Local: h.pauseAt == "" && h.dieAt == ""},
		"tally":        {Fulfiller: tally{h}, Concurrency: 2},
	}
}

func (h *hand) worker() *tasks.Worker {
	return tasks.NewWorker(tasks.Options{Ledger: h, Kinds: h.kinds(), Log: slog.New(slog.DiscardHandler)}, func(grant.Due) {})
}

// at is a place between two lines. Whose lease was overtaken may die all the same
// with keys, which know what is owed; with a tally he lives to notice it, as a
// lease outlasts whatever is done under it, except when a process stands still.
func (h *hand) at(place string) error {
	if h.dead {
		return errDied
	}
	if place == h.pauseAt {
		before := h.run.expired
		h.meanwhile()
		h.overtaken = h.run.expired > before
	}
	if place == h.dieAt && (!h.overtaken || grant.KindOf(h.id) == "license_keys") {
		h.dead = true
		h.run.ends.died.Add(1)
		return errDied
	}
	return nil
}

// meanwhile others go on: there is news, and often another gets the lease.
func (h *hand) meanwhile() {
	r := h.run
	if pick(r, "news", true, false) {
		r.arrive(1 + r.below(8))
		r.drain()
	}
	for range r.below(3) {
		r.step(1)
	}
	if pick(r, "overtaken", true, false) {
		r.endLeases()
		r.work(h.id, 1)
	}
}

// act is what a fulfiller does to the world.
func (h *hand) act(do func() error) error {
	if err := h.at("acting"); err != nil {
		return err
	}
	if h.refused {
		h.refused = false
		return errors.New("not now")
	}
	if err := do(); err != nil {
		return err
	}
	return h.at("acted")
}

// Look implements tasks.Ledger.
func (h *hand) Look(ctx context.Context, id string, lease time.Duration) (grant.Held, error) {
	held, err := h.Ledger.Look(ctx, id, lease)
	if err == nil {
		err = h.at("looked")
	}
	return held, err
}

// Record implements tasks.Ledger.
func (h *hand) Record(ctx context.Context, held grant.Held, o grant.Outcome) (*grant.Due, bool, error) {
	if h.dead {
		return nil, false, errDied
	}
	again, lost, err := h.Ledger.Record(ctx, held, o)
	if lost {
		h.run.ends.lost.Add(1)
	}
	if err == nil {
		err = h.at("recorded")
	}
	return again, lost, err
}

// IssueLicenseKey implements licensekeys.Store. No fulfilment ever has two keys.
func (h *hand) IssueLicenseKey(ctx context.Context, want grant.LicenseKey, generation int64) (k grant.LicenseKey, err error) {
	err = h.act(func() error {
		k, err = h.Ledger.IssueLicenseKey(ctx, want, generation)
		return err
	})
	if k.Key == "" {
		return k, err
	}
	if had, ok := h.run.keys[k.FulfilmentID]; ok && had != k.Key {
		h.run.Fatalf("%s has another key than before", k.FulfilmentID)
	}
	h.run.keys[k.FulfilmentID] = k.Key
	return k, err
}

// RevokeLicenseKey implements licensekeys.Store.
func (h *hand) RevokeLicenseKey(ctx context.Context, id string, generation int64) error {
	return h.act(func() error { return h.Ledger.RevokeLicenseKey(ctx, id, generation) })
}

// tally is a kind that acts on renewals.
type tally struct{ h *hand }

func (t tally) Check(json.RawMessage) error { return nil }

func (t tally) Grant(_ context.Context, f grant.Fulfilment) (grant.Properties, error) {
	return nil, t.h.act(func() error { t.h.run.there[f.ID] = true; return nil })
}

func (t tally) Revoke(_ context.Context, f grant.Fulfilment) error {
	return t.h.act(func() error { t.h.run.there[f.ID] = false; return nil })
}

func (t tally) Cycle(_ context.Context, f grant.Fulfilment, key string) error {
	return t.h.act(func() error {
		if t.h.run.cycled[f.ID] == nil {
			t.h.run.cycled[f.ID] = map[string]bool{}
		}
		t.h.run.cycled[f.ID][key] = true
		return nil
	})
}
