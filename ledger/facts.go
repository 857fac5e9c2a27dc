package ledger

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"fulfilld/grant"
)

// factColumns are what [grant.Owed] needs of a grant; factJoins is where they
// stand, beside the grant g. Both the applier and the worker judge by them.
const factColumns = `g.source, g.override, g.properties, coalesce(b.route, ''),
	coalesce(s.id, ''), coalesce(s.status, ''), coalesce(o.id, ''), coalesce(o.status, ''),
	concat_ws(' ', g.none_at, g.none_sent, g.grant_at, g.grant_sent, g.revoke_at, g.revoke_sent,
	g.first_granted_at, g.override_until,
	coalesce(b.deleted_at, 0), coalesce(b.spec_version, 0), coalesce(c.deleted_at, 0), coalesce(m.deleted_at, 0),
	coalesce(s.past_due_at, 0), coalesce(s.canceled_at, 0), coalesce(s.ended_at, 0), coalesce(s.paused_at, 0),
	coalesce(s.recovered_at, 0), coalesce(s.recovered_from, 0), coalesce(o.total, 0),
	(SELECT coalesce(max(CASE WHEN x.status = 'revoked' OR EXISTS (SELECT 1 FROM seats y WHERE y.id = x.id AND y.member_id <> x.member_id
			AND (y.ver_at > x.ver_at OR (y.ver_at = x.ver_at AND y.ver_sent > x.ver_sent))) THEN 1 ELSE 2 END), 0) FROM seats x
		WHERE g.member_id <> '' AND x.member_id = g.member_id AND x.subscription_id = g.subscription_id AND x.order_id = g.order_id),
	(SELECT coalesce(sum(x.amount), 0) FROM refunds x WHERE x.order_id = g.order_id AND g.order_id <> '' AND x.status = 'succeeded'),
	(SELECT coalesce(max(x.revoke_benefits), 0) FROM refunds x WHERE x.order_id = g.order_id AND g.order_id <> '' AND x.status = 'succeeded'),
	CASE WHEN EXISTS (SELECT 1 FROM products x WHERE x.id = coalesce(s.product_id, o.product_id))
		AND NOT EXISTS (SELECT 1 FROM product_benefits x WHERE x.product_id = coalesce(s.product_id, o.product_id) AND x.benefit_id = g.benefit_id)
		THEN 1 ELSE 0 END,
	CASE WHEN g.subscription_id <> '' THEN 1 WHEN g.order_id <> '' THEN 2 ELSE 0 END + CASE WHEN g.member_id <> '' THEN 4 ELSE 0 END)`

// numbers are whole numbers that a query has joined by spaces. A column costs
// the driver more than a number does the database.
type numbers []*int64

// Scan implements sql.Scanner.
func (n numbers) Scan(v any) error {
	text, _ := v.(string)
	for i, into := range n {
		one, rest, _ := strings.Cut(text, " ")
		got, err := strconv.ParseInt(one, 10, 64)
		if err != nil {
			return fmt.Errorf("number %d of %d: %w", i+1, len(n), err)
		}
		*into, text = got, rest
	}
	return nil
}

const factJoins = `
	LEFT JOIN benefits b ON b.id = g.benefit_id
	LEFT JOIN customers c ON c.id = g.customer_id
	LEFT JOIN members m ON m.id = g.member_id
	LEFT JOIN subscriptions s ON s.id = g.subscription_id
	LEFT JOIN orders o ON o.id = g.order_id`

// facts is one row of factColumns.
type facts struct {
	source, override, properties, route                    string
	said                                                   [6]int64
	first, until, benefitGone, spec, customerGone, memGone int64
	sub                                                    grant.Subscription
	pastDue, canceled, ended, paused                       int64
	recovered, recoveredFrom                               int64
	order                                                  grant.Order
	seat, refunded, refundRevokes, dropped                 int64
	told                                                   int64 // which of purchase and member are known
}

func (f *facts) into() []any {
	return []any{
		&f.source, &f.override, &f.properties, &f.route, &f.sub.ID, &f.sub.Status, &f.order.ID, &f.order.Status,
		numbers{
			&f.said[0], &f.said[1], &f.said[2], &f.said[3], &f.said[4], &f.said[5],
			&f.first, &f.until, &f.benefitGone, &f.spec, &f.customerGone, &f.memGone,
			&f.pastDue, &f.canceled, &f.ended, &f.paused, &f.recovered, &f.recoveredFrom, &f.order.Total,
			&f.seat, &f.refunded, &f.refundRevokes, &f.dropped, &f.told,
		},
	}
}

// judge returns the facts in the words of the rule, and the benefit's route.
func (f *facts) judge(settle time.Duration) (grant.Facts, grant.Route, error) {
	route, err := routeOf(f.route)
	if err != nil {
		return grant.Facts{}, route, err
	}
	out := grant.Facts{
		Source: grant.Source(f.source), Said: saidOf(f.said), FirstGranted: timeOf(f.first),
		Grace: route.Grace, Settle: settle, ExpiresAfter: route.ExpiresAfter,
		Override:        grant.Override{Desired: grant.Desired(f.override), Until: timeOf(f.until)},
		CustomerDeleted: f.customerGone > 0, MemberDeleted: f.memGone > 0, SeatEnded: f.seat == 1, BenefitDeleted: f.benefitGone > 0,
		DroppedByProduct: f.dropped > 0, Refunded: f.refunded, RefundRevokes: f.refundRevokes > 0,
	}
	if f.sub.ID != "" {
		f.sub.PastDueAt, f.sub.CanceledAt, f.sub.EndedAt, f.sub.PausedAt = timeOf(f.pastDue), timeOf(f.canceled), timeOf(f.ended), timeOf(f.paused)
		out.Subscription = &f.sub
		out.Recovery = grant.Recovery{At: timeOf(f.recovered), PastDueAt: timeOf(f.recoveredFrom)}
	}
	if f.order.ID != "" {
		out.Order = &f.order
	}
	return out, route, nil
}

// routes keeps the route last read: in a row of grants it is mostly the same.
var routes atomic.Pointer[knownRoute]

type knownRoute struct {
	text  string
	route grant.Route
}

func routeOf(text string) (r grant.Route, err error) {
	if text == "" {
		return r, nil
	}
	if known := routes.Load(); known != nil && known.text == text {
		return known.route, nil
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return r, err
	}
	routes.Store(&knownRoute{text, r})
	return r, nil
}

// target finds a kind's part in a route.
func target(r grant.Route, kind string) (grant.Target, bool) {
	for _, t := range r.Targets {
		if t.Kind == kind {
			return t, true
		}
	}
	return grant.Target{Kind: kind}, false
}
