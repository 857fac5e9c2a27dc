// Package tasks is the queue, both ends of it: the relay turns events into what
// is owed, the dispatcher tells the queue what is due, workers see to it, the
// sweep finds whatever was forgotten.
//
// A task carries an id, never a decision: what is to be done is read from the
// ledger when it runs. The package knows the contract of fulfillers but none of
// them, and neither HTTP nor SQL. Only this package and cmd import asynq.
package tasks

import (
	"context"
	"log/slog"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// Ledger is the durable memory the queue works from.
type Ledger interface {
	events
	work
	Due(ctx context.Context, kind string, limit int) ([]grant.Due, error)
}

// events is what the relay needs.
type events interface {
	Unapplied(ctx context.Context, othersAfter time.Duration, limit int) ([]grant.Event, error)
	Apply(ctx context.Context, events []grant.Decoded) ([]grant.Due, error)
	Spread(ctx context.Context, limit int) (due []grant.Due, more bool, err error)
}

// work is what a worker needs.
type work interface {
	accounts
	Look(ctx context.Context, id string, lease time.Duration) (grant.Held, error)
	Through(ctx context.Context, id string, act func(context.Context, grant.Held) grant.Outcome) (again *grant.Due, err error)
	Renew(ctx context.Context, h grant.Held, lease time.Duration) error
	Remember(ctx context.Context, h grant.Held, p grant.Properties) error
	Record(ctx context.Context, h grant.Held, o grant.Outcome) (again *grant.Due, lost bool, err error)
}

// Decoder reads what an event says.
type Decoder func(grant.Event) (grant.News, error)

// Alarms is where conditions stand that a person must see.
type Alarms interface {
	Raise(code, text, next string)
	Resolve(code string)
}

// Options is what the queue is made of.
type Options struct {
	Ledger   Ledger
	Decode   Decoder
	Kinds    map[string]fulfillers.Built
	RedisURL string
	Metrics  *Metrics
	Alarms   Alarms
	Settle   time.Duration // how long a removal waits for a grant of the same access
	Removals grant.Limit   // from one resource, by edits: beyond them the operator is asked
	Log      *slog.Logger
}
