package grant

import "time"

// Desired is what ought to be true of a fulfilment.
type Desired string

// What can be owed.
const (
	OwedNone    Desired = "none" // nothing yet, and nothing to take away
	OwedGranted Desired = "granted"
	OwedRevoked Desired = "revoked"
)

// Facts is everything that decides what is owed for one fulfilment. Zero
// fields mean "not so" or "not known".
type Facts struct {
	Source       Source
	Said         Said
	FirstGranted time.Time
	Subscription *Subscription
	Recovery     Recovery // of the subscription
	Order        *Order

	Grace        time.Duration // how long a failed payment is forgiven
	Settle       time.Duration // how long a revoke may wait for its reason, when there is a grace
	ExpiresAfter time.Duration // counted from FirstGranted

	Override Override

	CustomerDeleted bool // tombstones: terminal
	MemberDeleted   bool
	SeatEnded       bool
	BenefitDeleted  bool

	Unrouted         bool // the benefit no longer asks for this kind
	DroppedByProduct bool // the product no longer carries the benefit
	Refund           RefundPolicy
	Refunded         int64 // sum of the scope's succeeded refunds
	RefundRevokes    bool  // a succeeded refund asked to revoke benefits
}

// RefundPolicy says which refunds end a catalogue grant.
type RefundPolicy string

// The refund policies; the zero value is RefundFull.
const (
	RefundNever RefundPolicy = "never"
	RefundFull  RefundPolicy = "full"
	RefundAny   RefundPolicy = "any"
)

// Override is the operator's word. It wins over the shop's until lifted or past.
type Override struct {
	Desired Desired   // empty: none
	Until   time.Time // zero: until lifted
}

// Verdict is what is owed, why, and when time alone may change it.
type Verdict struct {
	Desired Desired
	Because string    // a stable word, shown to people
	Again   time.Time // zero: only a new fact changes it
}

// Owed computes what is owed from the facts. It is pure: the same facts at the
// same time always give the same verdict, in whatever order they became known.
//
// Precedence: a tombstone; the operator's override; expiry; the shop's word,
// softened by grace; then a product that no longer carries the benefit, and a
// benefit that no longer asks for the kind: an edit is the reason only of what
// would be owed without it.
func Owed(f Facts, now time.Time) Verdict {
	if why := f.tombstone(); why != "" {
		return Verdict{Desired: OwedRevoked, Because: why}
	}
	if f.Override.Desired != "" && (f.Override.Until.IsZero() || now.Before(f.Override.Until)) {
		return Verdict{f.Override.Desired, "override", f.Override.Until}
	}
	v := f.expire(f.shop(now), now)
	if f.Unrouted && v.Desired != OwedRevoked {
		return v.edited("unrouted")
	}
	return v
}

// edited is a verdict that an edit has turned into a revoke, until time alone
// would have done so: the edit is the reason no longer then.
func (v Verdict) edited(why string) Verdict {
	return Verdict{OwedRevoked, why, v.Again}
}

func (f Facts) tombstone() string {
	switch {
	case f.CustomerDeleted:
		return "customer_deleted"
	case f.MemberDeleted:
		return "member_deleted"
	case f.SeatEnded:
		return "seat_revoked"
	case f.BenefitDeleted:
		return "benefit_deleted"
	}
	return ""
}

// end is when ExpiresAfter will have passed; zero for never.
func (f Facts) end() time.Time {
	if f.ExpiresAfter <= 0 || f.FirstGranted.IsZero() {
		return time.Time{}
	}
	return f.FirstGranted.Add(f.ExpiresAfter)
}

func (f Facts) expired(now time.Time) bool { return !f.end().IsZero() && !now.Before(f.end()) }

// expire ends a granted verdict once ExpiresAfter has passed.
func (f Facts) expire(v Verdict, now time.Time) Verdict {
	end := f.end()
	switch {
	case v.Desired != OwedGranted || end.IsZero():
	case f.expired(now):
		return Verdict{Desired: OwedRevoked, Because: "expired"}
	case v.Again.IsZero() || end.Before(v.Again):
		v.Again = end
	}
	return v
}

// shop is the verdict of whoever sells: the platform or the own catalogue. What
// has expired cannot be forgiven, or the end of the grace would end it once more.
func (f Facts) shop(now time.Time) Verdict {
	if f.DroppedByProduct && f.Source == Catalogue {
		f.DroppedByProduct = false
		v := f.expire(f.shop(now), now)
		if v.Desired != OwedRevoked {
			v = v.edited("dropped_by_product")
		}
		return v
	}
	v := f.platform()
	if f.Source == Catalogue {
		v = f.catalogue()
	}
	if v.Desired == OwedRevoked && !f.expired(now) {
		if until, why := f.forgiven(now); why != "" {
			return Verdict{OwedGranted, why, until}
		}
	}
	return v
}

func (f Facts) platform() Verdict {
	switch f.Said.Word() {
	case SaysGranted:
		return Verdict{Desired: OwedGranted, Because: "granted"}
	case SaysRevoked:
		return Verdict{Desired: OwedRevoked, Because: "revoked"}
	default:
		return Verdict{Desired: OwedNone, Because: "not_granted"}
	}
}

func (f Facts) catalogue() Verdict {
	if f.refundEnds() {
		return Verdict{Desired: OwedRevoked, Because: "refunded"}
	}
	if f.Subscription != nil {
		return f.Subscription.verdict()
	}
	if f.Order != nil {
		return f.Order.verdict()
	}
	return Verdict{Desired: OwedNone, Because: "not_paid"}
}

// refundEnds applies the policy. A refunded subscription order ends nothing
// unless the policy is any.
func (f Facts) refundEnds() bool {
	switch {
	case f.RefundRevokes:
		return true
	case f.Refund == RefundNever || f.Refunded == 0:
		return false
	case f.Refund == RefundAny:
		return true
	}
	return f.Subscription == nil && f.Order != nil && f.Refunded >= f.Order.Total
}

func (s *Subscription) verdict() Verdict {
	switch s.Status {
	case "active", "trialing":
		return Verdict{Desired: OwedGranted, Because: "subscription_" + s.Status}
	case "incomplete":
		return Verdict{Desired: OwedNone, Because: "not_paid"}
	}
	return Verdict{Desired: OwedRevoked, Because: "subscription_" + s.Status}
}

func (o *Order) verdict() Verdict {
	switch o.Status {
	case "paid", "partially_refunded", "refunded": // whether a refund ends it was decided before
		return Verdict{Desired: OwedGranted, Because: "order_paid"}
	case "void":
		return Verdict{Desired: OwedRevoked, Because: "order_void"}
	}
	return Verdict{Desired: OwedNone, Because: "not_paid"}
}

// neverGranted reports that a platform's revoke takes nothing away.
func (f Facts) neverGranted() bool {
	return f.Source != Catalogue && f.Said.Granted.IsZero() && f.FirstGranted.IsZero()
}

// forgiven reports whether the loss is one of payment and still within grace,
// and until when. A revoke whose reason has not arrived yet gets Settle to wait
// for it, and after a recovery the grant that follows gets as long, so that
// their order of arrival does not matter.
func (f Facts) forgiven(now time.Time) (until time.Time, why string) {
	if f.Grace <= 0 || f.DroppedByProduct || f.refundEnds() || f.neverGranted() {
		return time.Time{}, ""
	}
	switch s := f.Subscription; {
	case s == nil && f.Order == nil: // its purchase has not arrived yet
		until, why = f.Said.Revoked.At.Add(f.Settle), "settling"
	case s == nil:
	case !s.CanceledAt.IsZero() || !s.EndedAt.IsZero() || s.Status == "paused":
	case inArrears(s.Status):
		until, why = s.PastDueAt.Add(f.Grace), "grace"
		if s.PastDueAt.IsZero() {
			return time.Time{}, ""
		}
	case paidUp(s.Status):
		until, why = Latest(f.Said.Revoked.At, f.Recovery.within(f.Grace)).Add(f.Settle), "settling"
	}
	if !now.Before(until) {
		return time.Time{}, ""
	}
	return until, why
}
