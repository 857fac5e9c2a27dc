package ledger

import (
	"context"

	"fulfilld/grant"
)

// Events lists events without their bodies, the latest first, and counts them.
func (l *Ledger) Events(ctx context.Context, f grant.EventFilter, p grant.Page) ([]grant.Event, int64, error) {
	s := selection{from: "events e"}
	in(&s, "e.state", f.States)
	in(&s, "e.type", f.Types)
	return list(ctx, l, s, withoutBody, " ORDER BY e.seq DESC", p, scanEvent)
}

const withoutBody = `e.seq, e.source, e.webhook_id, e.type, e.occurred_at, e.received_at, e.state, e.error, NULL`

// Event returns an event by its webhook-id, with its body as long as that is
// kept. Of two endpoints' events with one id it is the later.
func (l *Ledger) Event(ctx context.Context, id string) (grant.Event, error) {
	s := selection{from: "events e LEFT JOIN bodies b ON b.seq = e.seq"}
	in(&s, "e.webhook_id", []string{id})
	return one(ctx, l, s, eventColumns, " ORDER BY e.seq DESC", scanEvent)
}
