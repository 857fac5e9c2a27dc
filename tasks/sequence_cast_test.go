package tasks_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// cast is who takes part.
type cast struct {
	customers, members, benefits, products, seats []string
	grants                                        []grant.Grant // who claims what, through which purchase
	terms                                         map[string]terms
	published                                     map[string][]grant.Benefit
}

func (r *run) below(n int) int { return rapid.IntRange(0, n-1).Draw(r.T, "below") }

func pick[T any](r *run, what string, of ...T) T { return rapid.SampledFrom(of).Draw(r.T, what) }

func shuffled[T any](r *run, all []T) []T {
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	out := make([]T, 0, len(all))
	for _, i := range rapid.Permutation(order).Draw(r.T, "order") {
		out = append(out, all[i])
	}
	return out
}

func newIDs(n int) (all []string) {
	for range n {
		all = append(all, uuid.NewString())
	}
	return all
}

// ids is everything of this sequence, as a JSON list.
func (r *run) ids() string {
	all := slices.Concat(r.customers, r.members, r.benefits, r.products, r.seats)
	for _, g := range r.grants {
		all = append(all, g.ID, g.SubscriptionID+g.OrderID)
	}
	text, err := json.Marshal(all)
	if err != nil {
		r.Fatal(err)
	}
	return string(text)
}

// invent makes the cast: the second half of the members are the second
// customer's, the first purchase is a subscription and the second an order.
func (r *run) invent() {
	r.customers, r.members, r.benefits, r.products, r.seats = newIDs(2), newIDs(4), newIDs(2), newIDs(2), newIDs(2)
	r.terms, r.published = map[string]terms{}, map[string][]grant.Benefit{}
	purchases := [2]string{uuid.NewString(), uuid.NewString()}
	for _, b := range r.benefits {
		r.terms[b] = terms{grace: pick(r, "grace", 0, grace, grace), expiresAfter: pick(r, "expires after", 0, 0, 0, expiry)}
		lasts := r.terms[b].grace
		r.router.Entries[b] = fulfillers.Entry{Grace: &lasts, ExpiresAfter: r.terms[b].expiresAfter}
		for i := range 1 + r.below(3) {
			r.published[b] = append(r.published[b], r.edition(b, i))
		}
	}
	for range 1 + r.below(3) {
		g := grant.Grant{ID: uuid.NewString(), BenefitID: r.benefits[r.below(2)], Source: grant.Platform, CreatedAt: r.at(0)}
		customer := r.below(2)
		g.CustomerID = r.customers[customer]
		g.MemberID = pick(r, "member", "", r.members[2*customer], r.members[2*customer+1])
		if pick(r, "bought by", "subscription", "order") == "order" {
			g.OrderID = purchases[1]
		} else {
			g.SubscriptionID = purchases[0]
		}
		r.grants = append(r.grants, g)
	}
}

// at is a moment of which the shop speaks; the last is just now.
func (r *run) at(n int) time.Time {
	return r.start.UTC().Truncate(time.Millisecond).Add(time.Duration(n-ticks+1) * tick)
}

// version is one that no other thing has: nth tells them apart.
func (r *run) version(nth int) grant.Version {
	at := r.at(r.below(ticks))
	return grant.Version{At: at, Sent: at.Add(time.Duration(nth+1) * time.Millisecond)}
}

func (r *run) edition(benefit string, nth int) grant.Benefit {
	name := pick(r, "edition", slices.Sorted(maps.Keys(editions))...)
	b := editions[name].benefit
	b.ID, b.Description, b.Version = benefit, name, r.version(nth)
	b.Version.At = b.Version.Sent // no two are of one moment
	if nth == 2 && r.below(4) == 0 {
		b.DeletedAt = b.Version.At
	}
	return b
}

// speak makes up all that the shop says, and shuffles it, some of it twice.
func (r *run) speak() {
	var said []grant.News
	for _, g := range r.grants {
		for range 1 + r.below(4) {
			said = append(said, r.word(g))
		}
	}
	for _, id := range r.benefits {
		for _, b := range r.published[id] {
			said = append(said, grant.News{Benefits: []grant.Benefit{b}})
		}
	}
	for i := range r.below(10) {
		said = append(said, r.fact(i))
	}
	if r.below(3) == 0 {
		said = append(said, r.recovery()...)
	}
	for i, n := range said {
		r.post(i, n, r.below(5) == 0)
	}
	if r.below(5) == 0 {
		r.arriving = append(r.arriving, r.event("unreadable"))
	}
	r.arriving = shuffled(r, r.arriving)
}

// post sends news once, or twice: by the same id or, as from two endpoints, by another.
func (r *run) post(i int, n grant.News, twice bool) {
	id := fmt.Sprint(i)
	r.arriving = append(r.arriving, r.event(id))
	r.news[r.event(id).ID] = n
	if !twice {
		return
	}
	id = pick(r, "again as", id, id+" again")
	r.arriving = append(r.arriving, r.event(id))
	r.news[r.event(id).ID] = n
}

func (r *run) event(id string) grant.Event {
	return grant.Event{Source: r.customers[0], ID: r.customers[0] + " " + id, Type: "test", OccurredAt: r.start, ReceivedAt: r.start, Body: []byte(id)}
}

// word is one the shop says on a grant, with the benefit as it was then; some
// bodies name neither purchase nor member.
func (r *run) word(g grant.Grant) grant.News {
	n := r.below(ticks)
	g.ModifiedAt, g.Word = r.at(n), pick(r, "word", grant.SaysGranted, grant.SaysGranted, grant.SaysGranted, grant.SaysRevoked, grant.SaysRevoked, grant.SaysNone)
	g.Version = grant.Version{At: g.ModifiedAt, Sent: g.ModifiedAt.Add(time.Duration(r.below(2)) * time.Second)}
	switch g.Word {
	case grant.SaysGranted:
		g.GrantedAt = r.at(r.below(n + 1))
		g.Cycle = pick(r, "cycle", "", "", g.ModifiedAt.Format(time.RFC3339))
	case grant.SaysRevoked:
		g.GrantedAt, g.RevokedAt = pick(r, "granted at", time.Time{}, r.at(0)), g.ModifiedAt
	default:
		g.Error = []byte(`{"message":"connect an account"}`)
	}
	if !pick(r, "names its purchase", true, true, true, false) {
		g.MemberID, g.SubscriptionID, g.OrderID = "", "", ""
	}
	news := grant.News{Grants: []grant.Grant{g}}
	if b := r.published[g.BenefitID][r.below(len(r.published[g.BenefitID]))]; b.DeletedAt.IsZero() && r.below(2) == 0 {
		news.Benefits = []grant.Benefit{b}
	}
	if r.below(2) == 0 {
		news.Customers = []grant.Customer{{ID: g.CustomerID, Version: grant.Version{At: r.at(0), Sent: g.Version.Sent}}}
	}
	return news
}

// fact is anything else that the shop says.
func (r *run) fact(nth int) grant.News {
	v := r.version(nth)
	g := r.grants[r.below(len(r.grants))]
	switch pick(r, "fact", "subscription", "subscription", "subscription", "subscription", "subscription", "order", "product", "product", "seat", "seat", "member", "member deleted", "customer deleted") {
	case "subscription":
		return grant.News{Subscriptions: []grant.Subscription{r.subscription(v)}}
	case "order":
		return grant.News{Orders: []grant.Order{{ID: r.bought(true), CustomerID: g.CustomerID, ProductID: r.products[1], Status: "paid", Total: 100, Version: v}}}
	case "product":
		carries := pick(r, "carries", nil, r.benefits[:1], r.benefits)
		return grant.News{Products: []grant.Product{{ID: pick(r, "product", r.products...), Benefits: carries, Version: v}}}
	case "seat":
		return grant.News{Seats: []grant.Seat{r.seat(g, v)}}
	case "customer deleted":
		return grant.News{Customers: []grant.Customer{{ID: g.CustomerID, DeletedAt: v.At, Version: v}}}
	case "member":
		return grant.News{Members: []grant.Member{{ID: r.members[0], CustomerID: r.customers[0], Version: v}}}
	}
	customer := r.below(2)
	member := r.members[2*customer+r.below(2)]
	return grant.News{Members: []grant.Member{{ID: member, CustomerID: r.customers[customer], DeletedAt: v.At, Version: v}}}
}

// bought is the purchase of the kind asked for; one that nobody has when no
// grant came by it.
func (r *run) bought(order bool) string {
	for _, g := range r.grants {
		if (g.OrderID != "") == order {
			return g.SubscriptionID + g.OrderID
		}
	}
	return r.customers[1]
}

func (r *run) subscription(v grant.Version) grant.Subscription {
	s := grant.Subscription{ID: r.bought(false), ProductID: r.products[0], Version: v,
		Status: pick(r, "status", "active", "active", "past_due", "past_due", "past_due", "past_due", "unpaid", "canceled", "paused")}
	if s.Status == "past_due" || s.Status == "unpaid" {
		s.PastDueAt = r.start.UTC().Truncate(time.Microsecond).Add(pick(r, "past due", -tick, -2*grace, soon-grace, soon-grace))
		r.hasty = r.hasty || s.PastDueAt.After(r.start.Add(-grace)) && s.PastDueAt.Before(r.start.Add(-tick))
	}
	if s.Status == "canceled" || r.below(8) == 0 {
		s.CanceledAt = v.At
	}
	return s
}

// recovery is a payment that failed and was made good in one of the last two ticks.
func (r *run) recovery() []grant.News {
	s := grant.Subscription{ID: r.bought(false), ProductID: r.products[0]}
	failed, paid := s, s
	failed.Status, failed.PastDueAt = "past_due", r.at(0)
	failed.Version.At = r.at(r.below(ticks - 2))
	paid.Status, paid.Version.At = "active", r.at(ticks-1-r.below(2))
	failed.Version.Sent, paid.Version.Sent = failed.Version.At.Add(time.Second), paid.Version.At.Add(time.Second)
	return []grant.News{{Subscriptions: []grant.Subscription{failed}}, {Subscriptions: []grant.Subscription{paid}}}
}

// seat is one of a grant's purchase. The body of a revoked one may not say whose it was.
func (r *run) seat(g grant.Grant, v grant.Version) grant.Seat {
	n := r.below(2)
	s := grant.Seat{ID: r.seats[n], SubscriptionID: r.bought(false), Status: pick(r, "seat", "pending", "claimed", "claimed", "revoked"), Version: v}
	s.MemberID = pick(r, "sits there", r.members[0], r.members[1], cmp.Or(g.MemberID, r.members[0]))
	if s.Status == "revoked" {
		s.RevokedAt = v.At
		s.MemberID = pick(r, "says", s.MemberID, "", "")
	}
	return s
}
