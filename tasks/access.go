package tasks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// approvalWait is how often to look whether the operator has approved.
const approvalWait = time.Hour

// busyWait is when to come again where another worker has a resource's lease.
const busyWait = time.Second

// accounts is what a kind needs that deals with accounts at a provider.
type accounts interface {
	Take(ctx context.Context, h grant.Held, wanted []grant.Resource, lease time.Duration) ([]grant.Hold, error)
	Hold(ctx context.Context, h grant.Held) error
	Found(ctx context.Context, g grant.Grant, words string, a grant.Account) error
	Removal(ctx context.Context, r grant.Resource, who string, limit grant.Limit) (ok bool, err error)
}

// access brings what an account may have in line with what is owed: it finds
// the account, leases every resource concerned, commits what is about to be
// held, and only then lets the fulfiller change anything. What is not wanted any
// more goes after what is wanted works.
func (w *Worker) access(ctx context.Context, k fulfillers.Resourceful, act grant.Action, f *grant.Held) (props grant.Properties, letGo []grant.Resource, err error) {
	ctx = grant.WithCaller(ctx, f.ID)
	var wanted []grant.Resource
	if act == grant.DoGrant {
		if wanted, err = w.wanted(ctx, k, f); err != nil {
			return nil, nil, err
		}
	}
	if f.Holds, err = w.ledger.Take(ctx, *f, wanted, lease); err != nil {
		return nil, nil, busy(err)
	}
	if act == grant.DoRevoke {
		if edited(f.Verdict.Because) {
			err = w.mayRemove(ctx, f.Fulfilment)
		}
		if err != nil {
			return nil, nil, err
		}
		return nil, keys(f.Holds), k.Revoke(ctx, f.Fulfilment)
	}
	if err := w.hold(ctx, k, f); err != nil {
		return nil, nil, err
	}
	if props, err = k.Grant(ctx, f.Fulfilment); err != nil {
		return props, nil, err
	}
	old := f.Fulfilment
	old.Holds = unwanted(f.Holds)
	if len(old.Holds) == 0 {
		return props, nil, nil
	}
	if err := w.mayRemove(ctx, old); err != nil {
		return props, nil, err
	}
	return props, keys(old.Holds), k.Revoke(ctx, old)
}

// edited reports whether a removal comes from an edit, which may be a mistake that
// concerns everybody. What the shop says of one customer, and that something was
// deleted, is its word.
func edited(because string) bool { return because == "unrouted" || because == "dropped_by_product" }

// mayRemove stops a mass of removals from one resource until it is approved.
func (w *Worker) mayRemove(ctx context.Context, f grant.Fulfilment) error {
	if w.removals.Calls == 0 {
		return nil
	}
	for _, h := range f.Holds {
		if h.Owed() > 0 {
			continue
		}
		ok, err := w.ledger.Removal(ctx, h.Resource, f.ID, w.removals)
		if err != nil {
			return err
		}
		if !ok {
			return &fulfillers.Error{Class: fulfillers.ClassThrottled, Code: grant.ApprovalCode, Wait: approvalWait,
				Text: fmt.Sprintf("more than %d removals from %s:%s; `fulfilld grants approve %[2]s:%[3]s` lets them go on", w.removals.Calls, h.Provider, h.Name)}
		}
	}
	return nil
}

// wanted is what the account is to have.
func (w *Worker) wanted(ctx context.Context, k fulfillers.Resourceful, f *grant.Held) ([]grant.Resource, error) {
	if f.Account.ID == "" && f.Account.Name == "" {
		return nil, fulfillers.ActionRequired("no_account", fmt.Sprintf("which %s account is the customer's is not known; `fulfilld customers link %s %s:…` says it",
			k.Provider(), f.Grant.CustomerID, k.Provider()))
	}
	if f.Account.ID == "" {
		words := f.Account.Name
		a, err := k.Identify(ctx, words)
		if err != nil {
			return nil, err
		}
		a.Provider, a.How, a.Verified = k.Provider(), f.Account.How, false
		if err := w.ledger.Found(ctx, f.Grant, words, a); err != nil {
			return nil, fmt.Errorf("remember the account: %w", err)
		}
		f.Account = a
	}
	return k.Resources(f.Fulfilment)
}

// hold judges what has not been judged, and commits the holds.
func (w *Worker) hold(ctx context.Context, k fulfillers.Resourceful, f *grant.Held) error {
	var new []grant.Resource
	for _, h := range f.Holds {
		if h.Origin == "" {
			new = append(new, h.Resource)
		}
	}
	if len(new) > 0 {
		levels, err := k.Observe(ctx, f.Fulfilment, new)
		if err != nil {
			return err
		}
		judge(f, levels)
	}
	return busy(w.ledger.Hold(ctx, *f))
}

// judge says where what is there before us comes from. levels are of the holds
// that have not been judged, in order.
func judge(f *grant.Held, levels []int) {
	platform := f.Grant.GrantedTo(f.Account.ID)
	for i := range f.Holds {
		h := &f.Holds[i]
		if h.Origin != "" {
			continue
		}
		level := levels[0]
		levels = levels[1:]
		switch {
		case platform:
			h.Origin = grant.FromPlatform
		case level > 0:
			h.Origin, h.Before = grant.FromBefore, level
		default:
			h.Origin = grant.FromUs
		}
	}
}

// busy makes losing a race no failure.
func busy(err error) error {
	if errors.Is(err, grant.ErrBusy) || errors.Is(err, grant.ErrNotFound) {
		return fulfillers.Throttled("", busyWait, err)
	}
	return err
}

func unwanted(all []grant.Hold) (old []grant.Hold) {
	for _, h := range all {
		if h.Level == 0 {
			old = append(old, h)
		}
	}
	return old
}

func keys(all []grant.Hold) []grant.Resource {
	out := make([]grant.Resource, len(all))
	for i, h := range all {
		out[i] = h.Key()
	}
	return out
}

// settles is until when a removal waits for a grant of the same access, which is
// what a change of plan looks like; zero when it does not.
func settles(f grant.Held, act grant.Action, settle time.Duration, now time.Time) time.Time {
	shop := f.Verdict.Because == "revoked" || f.Verdict.Because == "dropped_by_product" || strings.HasPrefix(f.Verdict.Because, "subscription_")
	if act != grant.DoRevoke || !shop || f.EventAt.IsZero() {
		return time.Time{}
	}
	until := f.EventAt.Add(settle)
	if latest := now.Add(settle); until.After(latest) { // the shop's clock is ahead
		until = latest
	}
	if !now.Before(until) {
		return time.Time{}
	}
	return until
}

// audit is how often what was granted outside is looked at again: somebody may
// have changed it by hand.
const audit = 24 * time.Hour

// outside reports whether a kind's access stands where others can change it.
func (w *Worker) outside(kind string) bool {
	_, ok := w.kinds[kind].Fulfiller.(fulfillers.Resourceful)
	return ok
}

// lookAgain is when an outcome's access is looked at again, not all at one time.
func lookAgain(o grant.Outcome, now time.Time) time.Time {
	if o.State != grant.Granted || !o.Done {
		return o.DueAt
	}
	again := now.Add(audit*9/10 + rand.N(audit/5))
	if !o.DueAt.IsZero() && o.DueAt.Before(again) {
		return o.DueAt
	}
	return again
}
