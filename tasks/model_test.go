package tasks_test

import (
	"cmp"
	"slices"
	"time"

	"fulfilld/grant"
)

// edition is what a benefit of this description asks for.
type edition struct {
	benefit grant.Benefit // type, properties and metadata

	key, tally         bool // the kinds it asks for
	usage, activations int64
	days               int // how long a key of an order lives
	broken             bool
}

var editions = map[string]edition{
	"plain":     {benefit: keyed(`{}`), key: true},
	"limited":   {benefit: keyed(`{"limit_usage":5}`), key: true, usage: 5},
	"seats":     {benefit: keyed(`{"activations":{"limit":3},"prefix":"NEW"}`), key: true, activations: 3},
	"monthly":   {benefit: keyed(`{"expires":{"ttl":30,"timeframe":"day"},"limit_usage":9}`), key: true, usage: 9, days: 30},
	"broken":    {benefit: keyed(`{"limit_usage":0}`), key: true, broken: true},
	"tally":     {benefit: asked("tally"), tally: true},
	"both":      {benefit: asked("tally,license_keys"), key: true, tally: true},
	"elsewhere": {benefit: asked("carrier_pigeon")},
}

func keyed(properties string) grant.Benefit {
	return grant.Benefit{Type: "license_keys", Properties: []byte(properties)}
}

func asked(kinds string) grant.Benefit {
	return grant.Benefit{Type: "custom", Metadata: map[string]any{"fulfill": kinds}}
}

// terms are what the config says of a benefit.
type terms struct{ grace, expiresAfter time.Duration }

// fate is how a grant must end.
type fate struct {
	owed    grant.Desired
	terms   edition
	expires time.Time // of the key; zero: never
	cycles  []string
}

// model predicts every grant's fate from all that was ever said, in whatever
// order: it knows nothing but the list.
type model struct {
	said   []grant.News
	terms  map[string]terms // by benefit
	settle time.Duration
	now    time.Time
}

// all collects one kind of noun from everything that was said.
func all[T any](m model, of func(grant.News) []T, match func(T) bool) (found []T) {
	for _, n := range m.said {
		for _, v := range of(n) {
			if match(v) {
				found = append(found, v)
			}
		}
	}
	return found
}

// latest returns what was said last.
func latest[T any](of []T, version func(T) grant.Version) (last T, ok bool) {
	if len(of) == 0 {
		return last, false
	}
	return slices.MaxFunc(of, func(a, b T) int {
		return cmp.Or(version(a).At.Compare(version(b).At), version(a).Sent.Compare(version(b).Sent))
	}), true
}

func (m model) fate(id string) fate {
	said := all(m, func(n grant.News) []grant.Grant { return n.Grants }, func(g grant.Grant) bool { return g.ID == id })
	if len(said) == 0 {
		return fate{owed: grant.OwedNone}
	}
	g, f := said[0], fate{owed: grant.OwedNone}
	var first time.Time
	for _, s := range said {
		g.MemberID, g.SubscriptionID, g.OrderID = cmp.Or(g.MemberID, s.MemberID), cmp.Or(g.SubscriptionID, s.SubscriptionID), cmp.Or(g.OrderID, s.OrderID)
		if s.Cycle != "" {
			f.cycles = append(f.cycles, s.Cycle)
		}
		if !s.GrantedAt.IsZero() && (first.IsZero() || s.GrantedAt.Before(first)) {
			first = s.GrantedAt
		}
	}
	benefits := all(m, func(n grant.News) []grant.Benefit { return n.Benefits }, func(b grant.Benefit) bool { return b.ID == g.BenefitID })
	b, _ := latest(benefits, func(b grant.Benefit) grant.Version { return b.Version })
	f.terms = editions[b.Description]
	if f.terms.days > 0 && g.OrderID != "" {
		f.expires = first.AddDate(0, 0, f.terms.days)
	}
	f.owed = m.owed(g, said, first)
	config := m.terms[g.BenefitID]
	expired := config.expiresAfter > 0 && !first.IsZero() && m.now.Sub(first) > config.expiresAfter
	if f.owed == grant.OwedGranted && expired || m.gone(g, benefits) {
		f.owed = grant.OwedRevoked
	}
	return f
}

// owed is the last word that counts, or what a failed payment leaves of it. What
// was never granted is not lost.
func (m model) owed(g grant.Grant, said []grant.Grant, first time.Time) grant.Desired {
	spoken := slices.DeleteFunc(slices.Clone(said), func(s grant.Grant) bool { return s.Word == grant.SaysNone })
	slices.SortStableFunc(spoken, func(a, b grant.Grant) int { return cmp.Compare(a.Word, b.Word) }) // "granted" < "revoked"
	slices.Reverse(spoken)                                                                           // of equals, the first counts
	last, ok := latest(spoken, func(s grant.Grant) grant.Version { return s.Version })
	switch {
	case !ok:
		return grant.OwedNone
	case last.Word == grant.SaysGranted || !first.IsZero() && m.now.Before(m.forgivenUntil(g, last)):
		return grant.OwedGranted
	}
	return grant.OwedRevoked
}

func (m model) forgivenUntil(g, revoked grant.Grant) time.Time {
	grace := m.terms[g.BenefitID].grace
	if grace == 0 {
		return time.Time{}
	}
	subs := all(m, func(n grant.News) []grant.Subscription { return n.Subscriptions }, func(s grant.Subscription) bool { return s.ID == g.SubscriptionID })
	orders := all(m, func(n grant.News) []grant.Order { return n.Orders }, func(o grant.Order) bool { return o.ID == g.OrderID })
	sub, bySub := latest(subs, func(s grant.Subscription) grant.Version { return s.Version })
	unexplained := revoked.Version.At.Add(m.settle)
	switch {
	case !bySub && len(orders) > 0, bySub && m.dropped(sub.ProductID, g.BenefitID):
		return time.Time{}
	case !bySub:
		return unexplained
	case sub.Status == "active" && sub.CanceledAt.IsZero():
		return grant.Latest(unexplained, recovered(subs, grace).Add(m.settle))
	case (sub.Status == "past_due" || sub.Status == "unpaid") && sub.CanceledAt.IsZero():
		return sub.PastDueAt.Add(grace)
	}
	return time.Time{}
}

// recovered is when a failed payment was made good, within grace: an active
// subscription was past due before. What was said of one moment last, counts.
func recovered(said []grant.Subscription, grace time.Duration) (at time.Time) {
	slices.SortFunc(said, func(a, b grant.Subscription) int { return a.Version.Compare(b.Version) })
	var before grant.Subscription
	for i, s := range said {
		if i+1 < len(said) && said[i+1].Version.At.Equal(s.Version.At) {
			continue
		}
		if s.Status == "active" && !before.PastDueAt.IsZero() {
			at = time.Time{}
			if s.Version.At.Before(before.PastDueAt.Add(grace)) {
				at = s.Version.At
			}
		}
		before = s
	}
	return at
}

func (m model) dropped(product, benefit string) bool {
	said := all(m, func(n grant.News) []grant.Product { return n.Products }, func(p grant.Product) bool { return p.ID == product })
	p, known := latest(said, func(p grant.Product) grant.Version { return p.Version })
	return known && !slices.Contains(p.Benefits, benefit)
}

// gone reports whether something ended the grant for good.
func (m model) gone(g grant.Grant, benefits []grant.Benefit) bool {
	customer := all(m, func(n grant.News) []grant.Customer { return n.Customers },
		func(c grant.Customer) bool { return c.ID == g.CustomerID && !c.DeletedAt.IsZero() })
	member := all(m, func(n grant.News) []grant.Member { return n.Members },
		func(p grant.Member) bool { return p.ID == g.MemberID && !p.DeletedAt.IsZero() })
	deleted := slices.ContainsFunc(benefits, func(b grant.Benefit) bool { return !b.DeletedAt.IsZero() })
	return deleted || len(customer) > 0 || len(member) > 0 || m.unseated(g)
}

// unseated reports whether the member had seats of the purchase and has none.
func (m model) unseated(g grant.Grant) bool {
	if g.MemberID == "" {
		return false
	}
	had, has := false, false
	theirs := all(m, func(n grant.News) []grant.Seat { return n.Seats },
		func(s grant.Seat) bool {
			return s.MemberID == g.MemberID && s.SubscriptionID == g.SubscriptionID && s.OrderID == g.OrderID
		})
	for _, seat := range theirs {
		last, _ := latest(all(m, func(n grant.News) []grant.Seat { return n.Seats }, func(s grant.Seat) bool { return s.ID == seat.ID }),
			func(s grant.Seat) grant.Version { return s.Version })
		had = true
		has = has || last.MemberID == g.MemberID && last.Status != "revoked"
	}
	return had && !has
}
