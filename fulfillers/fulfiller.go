// Package fulfillers has the contract of everything that can be granted: the
// [Fulfiller] interface, its error classes, and the list of kinds.
//
// Each kind lives in a folder of its own, knows its provider and nothing of
// queue, ledger or HTTP in, and passes fulfillertest.
package fulfillers

import (
	"context"
	"encoding/json"

	"fulfilld/grant"
)

// Fulfiller brings one kind of access about, and takes it away again.
//
// Implementations are safe for concurrent use, honour ctx in every call, and
// return errors made by [Transient], [Throttled], [ActionRequired] or
// [Permanent]; any other error counts as transient. No error names a secret,
// an e-mail address or a license key.
type Fulfiller interface {
	// Check refuses parameters that can never work. It does not touch the network.
	Check(params json.RawMessage) error

	// Grant makes f true and returns what is to be remembered and shown. It is
	// idempotent, revives what was revoked, and is also called to update. What it
	// returns replaces what was remembered, also beside an error; nil leaves it.
	Grant(ctx context.Context, f grant.Fulfilment) (grant.Properties, error)

	// Revoke returns nil only when nothing is left that only this grant
	// justified. Revoking what was never granted succeeds.
	Revoke(ctx context.Context, f grant.Fulfilment) error
}

// Cycler is a Fulfiller that acts on every renewal. One key may come more than
// once and counts once.
type Cycler interface {
	Cycle(ctx context.Context, f grant.Fulfilment, key string) error
}

// Resourceful is a Fulfiller of access that accounts have at a provider. The
// worker calls it under leases on all resources concerned, with f.Account known
// and f.Holds filled in, and has recorded the holds before Grant may change
// anything.
//
// Grant makes the provider equal to Owed of each hold that has a Level. An
// invitation that waits to be accepted is ActionRequired, and its address is worth
// remembering. What it could not tell from others' doing, were it killed before it
// returns, it stores before it does it, by [Remember]. Revoke makes the provider equal
// to Owed of every hold without a Level, and reads back that it is so; those with a
// Level stay as they are. It works from the holds and from f.Properties, never from
// f.Target or f.Account.
type Resourceful interface {
	Fulfiller

	// Provider names whose accounts these are, for example "github".
	Provider() string

	// Resources names what f.Target asks for, for f.Account. It does not touch
	// the network.
	Resources(f grant.Fulfilment) ([]grant.Resource, error)

	// Observe reads what each resource's account has of it now, in their order; an
	// invitation counts as what it invites to.
	Observe(ctx context.Context, f grant.Fulfilment, all []grant.Resource) ([]grant.Access, error)

	// Identify finds the account that a customer's words name, a name or a
	// numeric id. What names none is ActionRequired.
	Identify(ctx context.Context, words string) (grant.Account, error)
}

// Prober is a Fulfiller that can find out, without changing anything, whether
// its provider lets it do what a target asks for. Its errors name the mend.
// Without params it proves its credentials alone.
type Prober interface {
	Probe(ctx context.Context, params json.RawMessage) error
}

// Inviter is a Fulfiller whose Grant reaches a real person outside. Invites
// says how, for whoever is about to try an event; nothing when it reaches nobody.
type Inviter interface {
	Invites(params json.RawMessage) string
}

// Local is a Fulfiller that acts on nothing but the ledger, through a store that
// takes its context. It is called within a transaction that its outcome is
// recorded in, so it is done and recorded or neither; it must not wait for
// anything, and may be called again when the transaction fails.
type Local interface {
	Fulfiller
	Local()
}
