package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/handlers"
)

// identifyWithin leaves the ledger its part of the time that an answer may take.
const identifyWithin = 12 * time.Second

// accounts says whose account is whose, by the kinds that deal with accounts.
type accounts struct {
	ledger interface {
		Link(ctx context.Context, customer, member string, a grant.Account) ([]grant.Due, error)
		Unlink(ctx context.Context, customer, member, provider string) ([]grant.Due, error)
	}
	kinds map[string]fulfillers.Built
	offer func([]grant.Due) // what became due is done at once
}

// Identify implements handlers.Accounts.
func (a accounts) Identify(ctx context.Context, provider, words string) (grant.Account, *handlers.Refusal) {
	kind := a.kindOf(provider)
	if kind == nil {
		return grant.Account{}, &handlers.Refusal{Status: http.StatusConflict, Text: a.off(provider)}
	}
	ctx, cancel := context.WithTimeout(ctx, identifyWithin)
	defer cancel()
	found, err := kind.Identify(ctx, words)
	if err != nil {
		return grant.Account{}, unidentified(err)
	}
	found.Provider, found.How, found.Verified = provider, "linked", false
	return found, nil
}

// kindOf is the kind that deals with a provider's accounts; nil for none.
func (a accounts) kindOf(provider string) fulfillers.Resourceful {
	for _, name := range slices.Sorted(maps.Keys(a.kinds)) {
		if r, ok := a.kinds[name].Fulfiller.(fulfillers.Resourceful); ok && r.Provider() == provider {
			return r
		}
	}
	return nil
}

// off says what to do where no kind deals with a provider's accounts.
func (a accounts) off(provider string) string {
	var on []string
	for _, k := range a.kinds {
		if r, ok := k.Fulfiller.(fulfillers.Resourceful); ok {
			on = append(on, r.Provider())
		}
	}
	slices.Sort(on)
	others := ""
	if on = slices.Compact(on); len(on) > 0 {
		others = ", only with those of " + strings.Join(on, " and ")
	}
	return fmt.Sprintf("no kind that is switched on deals with %s accounts%s; add the section of one that does under fulfillers to the daemon's config, and restart it", provider, others)
}

// unidentified says why words name no account, and who can mend it.
func unidentified(err error) *handlers.Refusal {
	e := fulfillers.Classify(err)
	switch e.Class {
	case fulfillers.ClassActionRequired, fulfillers.ClassPermanent:
		return &handlers.Refusal{Status: http.StatusUnprocessableEntity, Text: e.Error()}
	case fulfillers.ClassThrottled:
		return &handlers.Refusal{Status: http.StatusTooManyRequests, Text: fmt.Sprintf("%s; try again in %s", e.Error(), roughly(max(e.Wait, time.Second)))}
	}
	return &handlers.Refusal{Status: http.StatusServiceUnavailable, Text: e.Error() + "; try again later"}
}

// Link implements handlers.Accounts.
func (a accounts) Link(ctx context.Context, customer, member string, account grant.Account) (int, error) {
	due, err := a.ledger.Link(ctx, customer, member, account)
	a.offer(due)
	return len(due), err
}

// Unlink implements handlers.Accounts.
func (a accounts) Unlink(ctx context.Context, customer, member, provider string) (int, error) {
	due, err := a.ledger.Unlink(ctx, customer, member, provider)
	a.offer(due)
	return len(due), err
}
