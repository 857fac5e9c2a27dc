package tasks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// letGoWait is how long to wait after old access could not be taken away.
const letGoWait = 5 * time.Minute

// approvalWait is how often to look whether the operator has approved.
const approvalWait = time.Hour

// busyWait is when to come again where another worker has a resource's lease.
const busyWait = time.Second

// accounts is what a kind needs that deals with accounts at a provider.
type accounts interface {
	Take(ctx context.Context, h grant.Held, wanted []grant.Resource, lease time.Duration) ([]grant.Hold, error)
	Hold(ctx context.Context, h grant.Held) error
	Found(ctx context.Context, g grant.Grant, words string, a grant.Account) error
	Awaited(ctx context.Context, h grant.Held, until time.Time) (bool, error)
	Removal(ctx context.Context, r grant.Resource, who string, limit grant.Limit) (ok bool, err error)
}

// access brings what an account may have in line with what is owed: it finds
// the account, leases every resource concerned, commits what is about to be
// held, and only then lets the fulfiller change anything. What is not wanted any
// more goes after what is wanted works.
func (w *Worker) access(ctx context.Context, k fulfillers.Resourceful, act grant.Action, f *grant.Held) (did deed, err error) {
	ctx = grant.WithCaller(ctx, f.ID)
	var wanted []grant.Resource
	if act == grant.DoGrant {
		if wanted, err = w.wanted(ctx, k, f); err != nil {
			return did, err
		}
	}
	if f.Holds, err = w.ledger.Take(ctx, *f, wanted, lease); err != nil {
		return did, busy(err)
	}
	if act == grant.DoRevoke {
		if edited(f.Verdict.Because) {
			err = w.mayRemove(ctx, f.Fulfilment, f.Holds)
		}
		if err == nil {
			err = busy(w.ledger.Hold(ctx, *f))
		}
		if err != nil {
			return did, err
		}
		did.letGo = keys(f.Holds)
		return did, k.Revoke(ctx, f.Fulfilment)
	}
	if err := w.hold(ctx, k, f); err != nil {
		return did, err
	}
	did.props, err = k.Grant(ctx, f.Fulfilment)
	did.works = err == nil
	// What never worked is nothing to keep until the new works.
	old := unwanted(f.Holds, func(h grant.Hold) bool { return did.works || !h.Worked })
	var failed error
	did.letGo, failed = w.letGo(ctx, k, f.Fulfilment, old)
	if err == nil {
		err = failed
	}
	return did, err
}

// letGo takes away what is not wanted any more. While that fails no class ends
// the work, as with all that is to be gone; where waiting does not mend it, its
// code stays, for the alarm.
func (w *Worker) letGo(ctx context.Context, k fulfillers.Resourceful, f grant.Fulfilment, old []grant.Hold) ([]grant.Resource, error) {
	if len(old) == 0 {
		return nil, nil
	}
	f.Holds = slices.DeleteFunc(slices.Clone(f.Holds), func(h grant.Hold) bool { return h.Level == 0 && !slices.Contains(old, h) })
	err := w.mayRemove(ctx, f, old)
	if err == nil {
		err = k.Revoke(ctx, f)
	}
	if err == nil {
		return keys(old), nil
	}
	e := *fulfillers.Classify(err)
	switch e.Class {
	case fulfillers.ClassThrottled:
	case fulfillers.ClassActionRequired, fulfillers.ClassPermanent:
		e.Wait = letGoWait
	default:
		e.Wait, e.Code = max(e.Wait, letGoWait), fulfillers.CodeThrottled
	}
	return nil, &fulfillers.Error{Class: fulfillers.ClassThrottled, Code: e.Code, Lane: e.Lane, Wait: e.Wait, Text: "the old access is not gone yet: " + e.Error()}
}

// edited reports whether a removal comes from an edit, which may be a mistake that
// concerns everybody. What the shop says of one customer, and that something was
// deleted, is its word.
func edited(because string) bool { return because == "unrouted" || because == "dropped_by_product" }

// mayRemove stops a mass of removals from one resource until it is approved.
func (w *Worker) mayRemove(ctx context.Context, f grant.Fulfilment, holds []grant.Hold) error {
	if w.removals.Calls == 0 {
		return nil
	}
	for _, h := range holds {
		if h.Owed() > 0 || !h.Worked {
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

func forMember(g grant.Grant) string {
	if g.MemberID == "" {
		return ""
	}
	return " --member " + g.MemberID
}

// wanted is what the account is to have.
func (w *Worker) wanted(ctx context.Context, k fulfillers.Resourceful, f *grant.Held) ([]grant.Resource, error) {
	if f.Account.ID == "" && f.Account.Name == "" {
		return nil, fulfillers.ActionRequired("no_account", fmt.Sprintf("which %s account is the customer's is not known; `fulfilld customers link %s %[1]s:…%[3]s` says it",
			k.Provider(), f.Grant.CustomerID, forMember(f.Grant)))
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

// hold judges what has not been judged, and commits the holds. What was there
// before is looked at again: somebody may have taken it away since.
func (w *Worker) hold(ctx context.Context, k fulfillers.Resourceful, f *grant.Held) error {
	var unsure []*grant.Hold
	var resources []grant.Resource
	for i := range f.Holds {
		if h := &f.Holds[i]; h.Level > 0 && (h.Origin == "" || h.Before > 0) {
			unsure, resources = append(unsure, h), append(resources, h.Resource)
		}
	}
	if len(unsure) > 0 {
		found, err := k.Observe(ctx, f.Fulfilment, resources)
		if err != nil {
			return err
		}
		for i, h := range unsure {
			judge(h, f.Grant, found[i])
		}
	}
	return busy(w.ledger.Hold(ctx, *f))
}

// judge says where comes from what is there.
func judge(h *grant.Hold, g grant.Grant, found grant.Access) {
	switch {
	case h.Before > 0:
		h.Before = min(h.Before, found.Level)
	case g.Gave(h.Resource):
		h.Origin = grant.FromPlatform
		return
	case found.Elsewhere:
		h.Origin, h.Before = grant.FromElsewhere, found.Level
	default:
		h.Origin, h.Before = grant.FromBefore, found.Level
	}
	if h.Before == 0 {
		h.Origin = grant.FromUs
	}
}

// busy makes losing a race no failure.
func busy(err error) error {
	if errors.Is(err, grant.ErrBusy) || errors.Is(err, grant.ErrNotFound) {
		return fulfillers.Throttled("", busyWait, err)
	}
	return err
}

// unwanted are the holds to let go of that may be.
func unwanted(all []grant.Hold, may func(grant.Hold) bool) (old []grant.Hold) {
	for _, h := range all {
		if h.Level == 0 && may(h) {
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

const (
	awaits    = 10 * time.Minute // beyond its settling, for a grant that workers have not come to
	awaitStep = 5 * time.Second
)

// settles is until when a removal waits for a grant of the same access, which is
// what a change of plan looks like; zero when it does not. Where such a grant is
// there already, or may be among what has come and is not applied yet, and nobody
// has come to it, it waits for that.
func (w *Worker) settles(ctx context.Context, f grant.Held, act grant.Action) (time.Time, error) {
	shop := f.Verdict.Because == "revoked" || f.Verdict.Because == "dropped_by_product" || strings.HasPrefix(f.Verdict.Because, "subscription_")
	if act != grant.DoRevoke || !shop || f.EventAt.IsZero() {
		return time.Time{}, nil
	}
	now := time.Now()
	until := f.EventAt.Add(w.settle)
	if now.Before(until) {
		return until, nil
	}
	if now.After(until.Add(awaits)) {
		return time.Time{}, nil
	}
	awaited, err := w.ledger.Awaited(ctx, f, until)
	if !awaited || err != nil {
		return time.Time{}, err
	}
	return now.Add(awaitStep), nil
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
