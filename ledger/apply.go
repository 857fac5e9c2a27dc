package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fulfilld/grant"
)

// Apply merges events into what is known and returns the fulfilments that
// became due. Each event is applied as a whole or not at all; one that cannot be
// is marked failed.
func (l *Ledger) Apply(ctx context.Context, events []grant.Decoded) (due []grant.Due, err error) {
	type part struct {
		events []grant.Decoded
		applied
		job *job
	}
	var parts []*part
	for some := range slices.Chunk(events, l.engine.applyBatch) {
		p := &part{events: some}
		if p.job, err = l.writers.hand(ctx, work, l.applying(some, &p.applied)); err != nil {
			break
		}
		parts = append(parts, p)
	}
	errs := []error{err}
	for _, p := range parts {
		err := l.writers.wait(ctx, p.job)
		if err == nil {
			due = append(due, p.due...)
			l.applied(p.applied)
			continue
		}
		some, err := l.oneByOne(ctx, p.events, err)
		due = append(due, some...)
		errs = append(errs, err)
	}
	return due, errors.Join(errs...)
}

// applied is what came of applying events.
type applied struct {
	due  []grant.Due
	told bool // there is something to be delivered
}

func (l *Ledger) applied(a applied) {
	if a.told {
		l.opts.OnDelivery()
	}
}

// applying is the write that applies events.
func (l *Ledger) applying(events []grant.Decoded, got *applied) func(*tx) error {
	return func(t *tx) error {
		a := applier{tx: t, l: l}
		err := a.events(events)
		*got = a.applied
		return err
	}
}

// oneByOne applies events that could not be applied together.
func (l *Ledger) oneByOne(ctx context.Context, events []grant.Decoded, cause error) (due []grant.Due, err error) {
	if ctx.Err() != nil || errors.Is(cause, errBegin) {
		return nil, cause
	}
	var errs []error
	for _, ev := range events {
		var some applied
		err := l.writers.do(ctx, work, l.applying([]grant.Decoded{ev}, &some))
		if err != nil {
			errs = append(errs, l.fail(ctx, ev, err))
			continue
		}
		due = append(due, some.due...)
		l.applied(some)
	}
	return due, errors.Join(errs...)
}

// fail marks an event failed when the ledger itself works: an event is not to
// blame for a full disk.
func (l *Ledger) fail(ctx context.Context, ev grant.Decoded, cause error) error {
	if !isConstraint(cause) {
		return cause
	}
	return l.writers.do(ctx, work, func(t *tx) error {
		a := applier{tx: t, l: l}
		return a.mark(ev.Event, grant.EventFailed, cause.Error())
	})
}

// applier merges events within one transaction.
type applier struct {
	*tx
	l *Ledger
	applied

	at    time.Time           // when the event at hand happened, or came: what belongs together may come late together
	dirty map[string]struct{} // grants that may be owed something else now
	fresh map[string]struct{} // grants that were not known before
	order []string

	renewed []string // grants
}

// begin keeps the appliers of a fleet one after another, which spares them deadlocks.
func (a *applier) begin() error {
	if a.engine.applyLock == "" {
		return nil
	}
	_, err := a.exec(a.engine.applyLock)
	return err
}

func (a *applier) events(batch []grant.Decoded) error {
	if err := a.begin(); err != nil {
		return err
	}
	for _, d := range batch {
		if err := a.event(d); err != nil {
			return fmt.Errorf("event %s: %w", d.Event.ID, err)
		}
	}
	return nil
}

// event applies one event, unless another process has.
func (a *applier) event(d grant.Decoded) error {
	state, why := grant.EventApplied, ""
	switch {
	case d.Err != nil:
		state, why = grant.EventFailed, d.Err.Error()
	case d.News.Ignored != "":
		state, why = grant.EventIgnored, d.News.Ignored
	}
	n, err := a.exec(`UPDATE events SET state = $2, error = $3 WHERE seq = $1 AND state = 'accepted'`, d.Event.Seq, state, why)
	if err != nil || n == 0 || state != grant.EventApplied {
		return err
	}
	a.at = grant.Latest(d.Event.OccurredAt, d.Event.ReceivedAt)
	a.dirty, a.fresh, a.order, a.renewed = map[string]struct{}{}, map[string]struct{}{}, nil, nil
	if err := a.news(d.News); err != nil {
		return err
	}
	for _, id := range a.order {
		if err := a.settle(id); err != nil {
			return err
		}
	}
	return each(a.renewed, a.tellRenewal)
}

func (a *applier) mark(ev grant.Event, state grant.EventState, why string) error {
	_, err := a.exec(`UPDATE events SET state = $2, error = $3 WHERE seq = $1 AND state = 'accepted'`, ev.Seq, state, why)
	return err
}

// news merges every row of an event: what grants refer to first, then grants.
func (a *applier) news(n grant.News) error {
	return errors.Join(
		each(n.Customers, a.customer),
		each(n.Members, a.member),
		each(n.Products, a.product),
		each(n.Benefits, a.benefit),
		each(n.Subscriptions, a.subscription),
		each(n.Orders, a.orderOf),
		each(n.Refunds, a.refund),
		each(n.Seats, a.seat),
		each(n.Grants, a.grant),
	)
}

func each[T any](all []T, do func(T) error) error {
	for _, v := range all {
		if err := do(v); err != nil {
			return err
		}
	}
	return nil
}

// touch remembers that a grant may be owed something else now.
func (a *applier) touch(grants ...string) {
	for _, id := range grants {
		if _, ok := a.dirty[id]; !ok {
			a.dirty[id] = struct{}{}
			a.order = append(a.order, id)
		}
	}
}

// touchWhere touches the grants that a condition on one id finds.
func (a *applier) touchWhere(condition, id string) error {
	if id == "" {
		return nil
	}
	ids, err := a.strings(`SELECT id FROM grants WHERE `+condition+` ORDER BY seq`, id)
	a.touch(ids...)
	return err
}

// What finds the grants that hang on something.
const (
	ofCustomer = `customer_id = $1`
	ofMember   = `customer_id = (SELECT customer_id FROM members WHERE id = $1) AND member_id = $1`
	ofScope    = `subscription_id || order_id = $1` // one of the two is empty
	ofSeat     = `subscription_id || order_id = (SELECT subscription_id || order_id FROM seats WHERE id = $1 LIMIT 1)
		AND member_id IN (SELECT member_id FROM seats WHERE id = $1 AND member_id <> '')`
)

// ifNewer ends an upsert: older data changes nothing.
func ifNewer(table string) string {
	return ` WHERE (excluded.ver_at, excluded.ver_sent) > (` + table + `.ver_at, ` + table + `.ver_sent)`
}

// newer reports whether version v of a row beats what is stored; known tells
// whether the row exists.
func (a *applier) newer(table, id string, v grant.Version) (newer, known bool, err error) {
	if had, ok := a.seen[id]; ok && table == "benefits" && v.Compare(had) <= 0 {
		return false, true, nil
	}
	var at, sent int64
	err = a.row(`SELECT ver_at, ver_sent FROM `+table+` WHERE id = $1`, []any{id}, &at, &sent)
	if errors.Is(err, ErrNotFound) {
		return true, false, nil
	}
	had := grant.Version{At: timeOf(at), Sent: timeOf(sent)}
	if err == nil && table == "benefits" { // every grant's event brings its own along, mostly the same
		a.seen[id] = had
	}
	return v.Compare(had) > 0, true, err
}

// isConstraint tells an event's own fault from the ledger's.
func isConstraint(err error) bool {
	s := err.Error()
	for _, mark := range []string{"constraint", "SQLSTATE 22", "SQLSTATE 23", "SQLSTATE 54", "datatype mismatch", "panic in a write"} {
		if strings.Contains(s, mark) {
			return true
		}
	}
	return false
}
