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
	// idempotent, revives what was revoked, and is also called to update.
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

// Inviter is a Fulfiller whose Grant reaches a real person outside. Invites
// says how, for whoever is about to try an event.
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
