package grant_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fulfilld/grant"
)

var noon = time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)

func hours(n int) time.Time { return noon.Add(time.Duration(n) * time.Hour) }

func version(n int) grant.Version { return grant.Version{At: hours(n), Sent: hours(n)} }

// owedCase starts from a grant that the platform said is granted.
type owedCase struct {
	name  string
	facts func(f *grant.Facts)
	want  grant.Verdict
}

func checkOwed(t *testing.T, cases []owedCase) {
	t.Parallel()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := grant.Facts{Source: grant.Platform, Said: grant.Said{Granted: version(-10)}, FirstGranted: hours(-10)}
			c.facts(&f)
			if diff := cmp.Diff(c.want, grant.Owed(f, noon)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func owed(why string) grant.Verdict {
	return grant.Verdict{Desired: grant.OwedGranted, Because: why}
}

func gone(why string) grant.Verdict {
	return grant.Verdict{Desired: grant.OwedRevoked, Because: why}
}

func nothing(why string) grant.Verdict {
	return grant.Verdict{Desired: grant.OwedNone, Because: why}
}

func until(v grant.Verdict, again time.Time) grant.Verdict {
	v.Again = again
	return v
}

func TestPlatformsWordDecides(t *testing.T) {
	checkOwed(t, []owedCase{
		{"Granted", func(*grant.Facts) {}, owed("granted")},
		{"Nothing", func(f *grant.Facts) { f.Said = grant.Said{} }, nothing("not_granted")},
		{"None", func(f *grant.Facts) { f.Said = grant.Said{None: version(-1)} }, nothing("not_granted")},
		{"NoneAfterGranted", func(f *grant.Facts) { f.Said.None = version(-1) }, owed("granted")},
		{"Revoked", func(f *grant.Facts) { f.Said.Revoked = version(-1) }, gone("revoked")},
		{"RevokedOnly", func(f *grant.Facts) { f.Said = grant.Said{Revoked: version(-1)} }, gone("revoked")},
		{"RevokedAtTheSameMoment", func(f *grant.Facts) { f.Said.Revoked = version(-10) }, gone("revoked")},
		{"GrantedAgain", func(f *grant.Facts) { f.Said.Revoked, f.Said.Granted = version(-2), version(-1) }, owed("granted")},
		{"NoneAfterRevoked", func(f *grant.Facts) { f.Said.Revoked, f.Said.None = version(-2), version(-1) }, gone("revoked")},
		{"ItsPurchaseDoesNotCount", func(f *grant.Facts) { f.Subscription = &grant.Subscription{Status: "canceled"} }, owed("granted")},
		{"ItsRefundDoesNotCount", func(f *grant.Facts) { f.Order, f.Refunded = &grant.Order{Status: "refunded"}, 100 }, owed("granted")},
	})
}

func TestPrecedence(t *testing.T) {
	override := func(d grant.Desired, until time.Time) grant.Override { return grant.Override{Desired: d, Until: until} }
	checkOwed(t, []owedCase{
		{"CustomerDeletedIsTerminal", func(f *grant.Facts) { f.CustomerDeleted = true }, gone("customer_deleted")},
		{"MemberDeletedIsTerminal", func(f *grant.Facts) { f.MemberDeleted = true }, gone("member_deleted")},
		{"SeatEndedIsTerminal", func(f *grant.Facts) { f.SeatEnded = true }, gone("seat_revoked")},
		{"BenefitDeletedIsTerminal", func(f *grant.Facts) { f.BenefitDeleted = true }, gone("benefit_deleted")},
		{"TombstoneBeforeOverride", func(f *grant.Facts) {
			f.CustomerDeleted, f.Override = true, override(grant.OwedGranted, time.Time{})
		}, gone("customer_deleted")},
		{"TombstoneBeforeGrace", func(f *grant.Facts) { pastDue(f); f.MemberDeleted = true }, gone("member_deleted")},
		{"OverrideRevokes", func(f *grant.Facts) { f.Override = override(grant.OwedRevoked, time.Time{}) }, gone("override")},
		{"OverrideGrants", func(f *grant.Facts) {
			f.Said.Revoked, f.Override = version(-1), override(grant.OwedGranted, time.Time{})
		}, owed("override")},
		{"OverrideHolds", func(f *grant.Facts) { f.Override = override(grant.OwedNone, hours(1)) }, until(nothing("override"), hours(1))},
		{"OverrideUntil", func(f *grant.Facts) { f.Override = override(grant.OwedRevoked, hours(1)) }, until(gone("override"), hours(1))},
		{"OverridePast", func(f *grant.Facts) { f.Override = override(grant.OwedRevoked, noon) }, owed("granted")},
		{"OverrideBeforeUnrouted", func(f *grant.Facts) {
			f.Unrouted, f.Override = true, override(grant.OwedGranted, time.Time{})
		}, owed("override")},
		{"OverrideBeforeExpiry", func(f *grant.Facts) {
			f.ExpiresAfter, f.Override = time.Hour, override(grant.OwedGranted, time.Time{})
		}, owed("override")},
		{"Unrouted", func(f *grant.Facts) { f.Unrouted = true }, gone("unrouted")},
		{"UnroutedBeforeGrace", func(f *grant.Facts) { pastDue(f); f.Unrouted = true }, until(gone("unrouted"), hours(2))},
	})
}

func TestAnEditIsTheReasonOnlyOfWhatWouldBeOwedWithoutIt(t *testing.T) {
	unrouted := func(change func(f *grant.Facts)) func(*grant.Facts) {
		return func(f *grant.Facts) { f.Unrouted = true; change(f) }
	}
	dropped := func(status string, grace time.Duration) func(*grant.Facts) {
		return catalogue(func(f *grant.Facts) {
			f.DroppedByProduct, f.Grace = true, grace
			f.Subscription = &grant.Subscription{Status: status, PastDueAt: hours(-4)}
		})
	}
	expiring := func(change func(f *grant.Facts), after time.Duration) func(*grant.Facts) {
		return func(f *grant.Facts) { change(f); f.ExpiresAfter = after }
	}
	checkOwed(t, []owedCase{
		{"Unrouted", unrouted(func(*grant.Facts) {}), gone("unrouted")},
		{"UnroutedAndNeverGranted", unrouted(func(f *grant.Facts) { f.Said, f.FirstGranted = grant.Said{}, time.Time{} }), gone("unrouted")},
		{"UnroutedWithinGrace", unrouted(pastDue), until(gone("unrouted"), hours(2))},
		{"UnroutedBeforeItExpires", unrouted(func(f *grant.Facts) { f.ExpiresAfter = 11 * time.Hour }), until(gone("unrouted"), hours(1))},
		{"UnroutedAndRevoked", unrouted(func(f *grant.Facts) { f.Said.Revoked = version(-1) }), gone("revoked")},
		{"UnroutedAndExpired", unrouted(func(f *grant.Facts) { f.ExpiresAfter = time.Hour }), gone("expired")},
		{"Dropped", dropped("active", 0), gone("dropped_by_product")},
		{"DroppedWithinGrace", dropped("past_due", 6*time.Hour), until(gone("dropped_by_product"), hours(2))},
		{"DroppedBeforeItExpires", expiring(dropped("active", 0), 11*time.Hour), until(gone("dropped_by_product"), hours(1))},
		{"DroppedAndExpired", expiring(dropped("active", 0), time.Hour), gone("expired")},
		{"DroppedAndCanceled", dropped("canceled", 6*time.Hour), gone("subscription_canceled")},
		{"DroppedAndPastDue", dropped("past_due", 0), gone("subscription_past_due")},
	})
}

func TestExpiryCountsFromTheFirstGrant(t *testing.T) {
	checkOwed(t, []owedCase{
		{"NotYet", func(f *grant.Facts) { f.ExpiresAfter = 11 * time.Hour }, until(owed("granted"), hours(1))},
		{"ToTheMoment", func(f *grant.Facts) { f.ExpiresAfter = 10 * time.Hour }, gone("expired")},
		{"GrantedAgainLater", func(f *grant.Facts) { f.ExpiresAfter, f.Said.Granted = 5*time.Hour, version(-1) }, gone("expired")},
		{"NeverGranted", func(f *grant.Facts) {
			f.ExpiresAfter, f.FirstGranted, f.Said = time.Hour, time.Time{}, grant.Said{}
		}, nothing("not_granted")},
		{"FirstGrantNotKnown", func(f *grant.Facts) { f.ExpiresAfter, f.FirstGranted = time.Hour, time.Time{} }, owed("granted")},
		{"BeforeTheEndOfGrace", func(f *grant.Facts) { pastDue(f); f.ExpiresAfter = 11 * time.Hour }, until(owed("grace"), hours(1))},
		{"AfterTheEndOfGrace", func(f *grant.Facts) { pastDue(f); f.ExpiresAfter = 20 * time.Hour }, until(owed("grace"), hours(2))},
		{"WithinGrace", func(f *grant.Facts) { pastDue(f); f.ExpiresAfter = 10 * time.Hour }, gone("revoked")},
		{"RevokedAnyway", func(f *grant.Facts) { f.ExpiresAfter, f.Said.Revoked = 20*time.Hour, version(-1) }, gone("revoked")},
	})
}

// pastDue is a platform's revoke for a payment that failed four hours ago, of
// which six are forgiven.
func pastDue(f *grant.Facts) {
	f.Grace, f.Settle = 6*time.Hour, 2*time.Hour
	f.Said.Revoked = version(-1)
	f.Subscription = &grant.Subscription{Status: "past_due", PastDueAt: hours(-4)}
}

func TestGraceForgivesAFailedPayment(t *testing.T) {
	change := func(change func(f *grant.Facts)) func(*grant.Facts) {
		return func(f *grant.Facts) { pastDue(f); change(f) }
	}
	checkOwed(t, []owedCase{
		{"PastDue", pastDue, until(owed("grace"), hours(2))},
		{"Unpaid", change(func(f *grant.Facts) { f.Subscription.Status = "unpaid" }), until(owed("grace"), hours(2))},
		{"Over", change(func(f *grant.Facts) { f.Grace = 4 * time.Hour }), gone("revoked")},
		{"None", change(func(f *grant.Facts) { f.Grace = 0 }), gone("revoked")},
		{"SinceWhenNotKnown", change(func(f *grant.Facts) { f.Subscription.PastDueAt = time.Time{} }), gone("revoked")},
		{"NotRevokedYet", change(func(f *grant.Facts) { f.Said.Revoked = grant.Version{} }), owed("granted")},
		{"Canceled", change(func(f *grant.Facts) { f.Subscription.CanceledAt = hours(-3) }), gone("revoked")},
		{"Ended", change(func(f *grant.Facts) { f.Subscription.EndedAt = hours(-3) }), gone("revoked")},
		{"Paused", change(func(f *grant.Facts) { f.Subscription.Status = "paused" }), gone("revoked")},
		{"StatusCanceled", change(func(f *grant.Facts) { f.Subscription.Status = "canceled" }), gone("revoked")},
		{"DroppedByProduct", change(func(f *grant.Facts) { f.DroppedByProduct = true }), gone("revoked")},
		{"RefundRevokes", change(func(f *grant.Facts) { f.RefundRevokes = true }), gone("revoked")},
		{"OneTimeOrder", change(func(f *grant.Facts) { f.Subscription, f.Order = nil, &grant.Order{Status: "paid"} }), gone("revoked")},
		{"RevokeBeforeItsReason", change(func(f *grant.Facts) { f.Subscription.Status = "active" }), until(owed("settling"), hours(1))},
		{"RevokeOfATrialBeforeItsReason", change(func(f *grant.Facts) { f.Subscription.Status = "trialing" }), until(owed("settling"), hours(1))},
		{"RevokeBeforeItsSubscription", change(func(f *grant.Facts) { f.Subscription = nil }), until(owed("settling"), hours(1))},
		{"ReasonNeverCame", change(func(f *grant.Facts) { f.Subscription.Status, f.Settle = "active", time.Hour }), gone("revoked")},
		{"SubscriptionNeverCame", change(func(f *grant.Facts) { f.Subscription, f.Settle = nil, time.Hour }), gone("revoked")},
	})
}

// recovered is a payment that was revoked for five hours ago, of which six are
// forgiven, and that is made good just now.
func recovered(f *grant.Facts) {
	f.Grace, f.Settle = 6*time.Hour, 2*time.Hour
	f.Said.Revoked = version(-5)
	f.Subscription = &grant.Subscription{Status: "active"}
	f.Recovery = grant.Recovery{At: noon, PastDueAt: hours(-5)}
}

func TestRecoveryWaitsForTheGrantThatFollows(t *testing.T) {
	change := func(change func(f *grant.Facts)) func(*grant.Facts) {
		return func(f *grant.Facts) { recovered(f); change(f) }
	}
	checkOwed(t, []owedCase{
		{"WithinGrace", recovered, until(owed("settling"), hours(2))},
		{"IntoATrial", change(func(f *grant.Facts) { f.Subscription.Status = "trialing" }), until(owed("settling"), hours(2))},
		{"AfterTheEndOfGrace", change(func(f *grant.Facts) { f.Grace = 5 * time.Hour }), gone("revoked")},
		{"WithoutGrace", change(func(f *grant.Facts) { f.Grace = 0 }), gone("revoked")},
		{"NoGrantFollowed", change(func(f *grant.Facts) { f.Settle = 0 }), gone("revoked")},
		{"LongAgo", change(func(f *grant.Facts) { f.Recovery.At = hours(-2) }), gone("revoked")},
		{"RevokedSince", change(func(f *grant.Facts) { f.Said.Revoked, f.Recovery.At = version(-1), hours(-2) }), until(owed("settling"), hours(1))},
		{"GrantedAgain", change(func(f *grant.Facts) { f.Said.Granted = version(0) }), owed("granted")},
		{"FailedAgain", change(func(f *grant.Facts) { f.Subscription.Status, f.Subscription.PastDueAt = "past_due", hours(-1) }), until(owed("grace"), hours(5))},
		{"CanceledSince", change(func(f *grant.Facts) { f.Subscription.CanceledAt = hours(0) }), gone("revoked")},
		{"NeverFailed", change(func(f *grant.Facts) { f.Recovery = grant.Recovery{} }), gone("revoked")},
		{"PastDueSinceNobodyKnows", change(func(f *grant.Facts) { f.Recovery.PastDueAt = time.Time{} }), gone("revoked")},
	})
}

// catalogue is a grant of the own catalogue.
func catalogue(change func(f *grant.Facts)) func(*grant.Facts) {
	return func(f *grant.Facts) {
		f.Source, f.Said = grant.Catalogue, grant.Said{}
		change(f)
	}
}

func TestCatalogueFollowsThePurchase(t *testing.T) {
	subscription := func(status string) func(*grant.Facts) {
		return catalogue(func(f *grant.Facts) { f.Subscription = &grant.Subscription{Status: status, PastDueAt: hours(-4)} })
	}
	order := func(status string) func(*grant.Facts) {
		return catalogue(func(f *grant.Facts) { f.Order = &grant.Order{Status: status, Total: 100} })
	}
	checkOwed(t, []owedCase{
		{"SubscriptionActive", subscription("active"), owed("subscription_active")},
		{"SubscriptionTrialing", subscription("trialing"), owed("subscription_trialing")},
		{"SubscriptionIncomplete", subscription("incomplete"), nothing("not_paid")},
		{"SubscriptionIncompleteExpired", subscription("incomplete_expired"), gone("subscription_incomplete_expired")},
		{"SubscriptionPastDue", subscription("past_due"), gone("subscription_past_due")},
		{"SubscriptionUnpaid", subscription("unpaid"), gone("subscription_unpaid")},
		{"SubscriptionCanceled", subscription("canceled"), gone("subscription_canceled")},
		{"SubscriptionPaused", subscription("paused"), gone("subscription_paused")},
		{"OrderPaid", order("paid"), owed("order_paid")},
		{"OrderPartiallyRefunded", order("partially_refunded"), owed("order_paid")},
		{"OrderRefunded", order("refunded"), owed("order_paid")},
		{"OrderPending", order("pending"), nothing("not_paid")},
		{"OrderDraft", order("draft"), nothing("not_paid")},
		{"OrderVoid", order("void"), gone("order_void")},
		{"NoPurchaseKnown", catalogue(func(*grant.Facts) {}), nothing("not_paid")},
		{"PlatformsWordDoesNotCount", catalogue(func(f *grant.Facts) {
			f.Said.Revoked, f.Subscription = version(-1), &grant.Subscription{Status: "active"}
		}), owed("subscription_active")},
		{"DroppedByProduct", catalogue(func(f *grant.Facts) {
			f.DroppedByProduct, f.Subscription = true, &grant.Subscription{Status: "active"}
		}), gone("dropped_by_product")},
		{"GraceForgives", catalogue(func(f *grant.Facts) {
			f.Grace, f.Subscription = 6*time.Hour, &grant.Subscription{Status: "past_due", PastDueAt: hours(-4)}
		}), until(owed("grace"), hours(2))},
		{"GraceOver", catalogue(func(f *grant.Facts) {
			f.Grace, f.Subscription = 3*time.Hour, &grant.Subscription{Status: "past_due", PastDueAt: hours(-4)}
		}), gone("subscription_past_due")},
	})
}

func TestRefundPolicyDecidesWhatARefundEnds(t *testing.T) {
	order := func(p grant.RefundPolicy, refunded int64) func(*grant.Facts) {
		return catalogue(func(f *grant.Facts) {
			f.Order, f.Refund, f.Refunded = &grant.Order{Status: "partially_refunded", Total: 100}, p, refunded
		})
	}
	subscription := func(p grant.RefundPolicy, change func(f *grant.Facts)) func(*grant.Facts) {
		return catalogue(func(f *grant.Facts) {
			f.Order, f.Subscription = &grant.Order{Status: "refunded", Total: 100}, &grant.Subscription{Status: "active"}
			f.Refund, f.Refunded = p, 100
			change(f)
		})
	}
	same := func(*grant.Facts) {}
	checkOwed(t, []owedCase{
		{"FullByDefault", order("", 100), gone("refunded")},
		{"FullNotReached", order(grant.RefundFull, 99), owed("order_paid")},
		{"FullReached", order(grant.RefundFull, 100), gone("refunded")},
		{"FullExceeded", order(grant.RefundFull, 101), gone("refunded")},
		{"Never", order(grant.RefundNever, 100), owed("order_paid")},
		{"Any", order(grant.RefundAny, 1), gone("refunded")},
		{"AnyOfNothing", order(grant.RefundAny, 0), owed("order_paid")},
		{"FreeOrderIsNotRefunded", catalogue(func(f *grant.Facts) { f.Order = &grant.Order{Status: "paid"} }), owed("order_paid")},
		{"RevokeBenefitsWinsOverNever", catalogue(func(f *grant.Facts) {
			f.Order, f.Refund, f.RefundRevokes = &grant.Order{Status: "paid", Total: 100}, grant.RefundNever, true
		}), gone("refunded")},
		{"SubscriptionOrderFull", subscription(grant.RefundFull, same), owed("subscription_active")},
		{"SubscriptionOrderAny", subscription(grant.RefundAny, same), gone("refunded")},
		{"NotForgivenByGrace", subscription(grant.RefundAny, func(f *grant.Facts) {
			f.Grace, f.Subscription.Status, f.Subscription.PastDueAt = 6*time.Hour, "past_due", hours(-4)
		}), gone("refunded")},
		{"NotForgivenBySettling", subscription(grant.RefundAny, func(f *grant.Facts) {
			f.Grace, f.Settle, f.Said.Revoked = time.Hour, 2*time.Hour, version(-1)
		}), gone("refunded")},
	})
}
