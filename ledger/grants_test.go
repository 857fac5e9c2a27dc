package ledger

import (
	"testing"
	"time"

	"fulfilld/grant"
)

func TestNewsThatChangeNothingCauseNoWork(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		s.work(keys)
		if due := s.hear(news(granted("g", 1)), news(granted("g", 2)), news(benefit(2))); len(due) != 0 {
			t.Errorf("due %+v", due)
		}
		if f := s.stored(keys); f.Due || f.Generation != 1 {
			t.Errorf("%+v", f)
		}
	})
}

func TestNoneAfterGrantedTakesNothingAway(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		s.work(keys)
		s.hear(news(said("g", 2, grant.SaysNone)))
		s.wants(keys, grant.Granted, "granted")
	})
}

func TestNoneIsOwedNothing(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		if due := s.hear(news(benefit(1), said("g", 1, grant.SaysNone))); len(due) != 0 {
			t.Errorf("due %+v", due)
		}
		s.wants(keys, grant.Pending, "not_granted")
		if due := s.hear(news(granted("g", 2))); len(due) != 1 || due[0].Generation != 2 {
			t.Errorf("due %+v", due)
		}
	})
}

func TestSameGrantComesBackToLife(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		s.work(keys)
		s.hear(news(revoked("g", 2)))
		s.work(keys)
		s.wants(keys, grant.Revoked, "revoked")
		if due := s.hear(news(granted("g", 3))); len(due) != 1 || due[0].Revoke {
			t.Errorf("due %+v", due)
		}
		s.work(keys)
		s.wants(keys, grant.Granted, "granted")
		s.hear(news(revoked("g", 2)), news(granted("g", 1)))
		s.wants(keys, grant.Granted, "granted")
	})
}

func TestAmongEqualVersionsTheStrongerWordCounts(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1)))
		words := []grant.Word{grant.SaysNone, grant.SaysGranted, grant.SaysRevoked}
		for i, weak := range words {
			for j, strong := range words[i:] {
				for k, order := range [][2]grant.Word{{weak, strong}, {strong, weak}} {
					id := string(rune('a'+i)) + string(rune('a'+j)) + string(rune('a'+k))
					s.hear(news(said(id, 5, order[0])), news(said(id, 5, order[1])))
					var word string
					var grantedAt int64
					if err := s.read.row(t.Context(), `SELECT word, granted_at FROM grants WHERE id = $1`, []any{id}, &word, &grantedAt); err != nil {
						t.Fatal(err)
					}
					if word != string(strong) || grantedAt != micros(said(id, 5, strong).GrantedAt) {
						t.Errorf("%v: says %s, granted at %v", order, word, timeOf(grantedAt))
					}
				}
			}
		}
	})
}

func TestGrantWithoutScopeKeepsTheScope(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		// As customer.state_changed lists it.
		listed := granted("g", 5)
		listed.SubscriptionID, listed.MemberID = "", ""
		late := listed
		late.ID = "h"
		s.hear(news(benefit(1), granted("g", 1)), news(listed))
		s.hear(news(late), news(granted("h", 1)))
		for _, id := range []string{"g", "h"} {
			var member, scope string
			if err := s.read.row(t.Context(), `SELECT member_id, subscription_id FROM grants WHERE id = $1`, []any{id}, &member, &scope); err != nil {
				t.Fatal(err)
			}
			if member != "m" || scope != "s" {
				t.Errorf("%s: member %q, scope %q", id, member, scope)
			}
		}
	})
}

func TestCycleIsRecordedOnceWhateverItsVersion(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		const credit = "g.meter_credit"
		renewed := func(v int, key string) grant.News {
			g := granted("g", v)
			g.Cycle = key
			return news(g)
		}
		s.hear(news(benefit(1, "kinds", "meter_credit"), granted("g", 10)))
		s.work(credit)
		due := s.hear(renewed(3, "2024-02"), renewed(3, "2024-02"), renewed(2, "2024-01"), renewed(20, "2024-02"))
		if len(due) != 2 {
			t.Errorf("due %+v; want once for each cycle", due)
		}
		h := s.look(credit)
		if len(h.Cycles) != 2 || h.Cycles[0] != "2024-01" || h.Cycles[1] != "2024-02" {
			t.Fatalf("cycles %v", h.Cycles)
		}
		s.record(h, grant.Outcome{Action: grant.DoCycle, State: grant.Granted, CycleDone: h.Cycles[0], DueAt: time.Now()})
		h = s.look(credit)
		if len(h.Cycles) != 1 || h.Cycles[0] != "2024-02" {
			t.Errorf("cycles left %v", h.Cycles)
		}
		s.record(h, grant.Outcome{Action: grant.DoCycle, State: grant.Granted, CycleDone: h.Cycles[0], Done: true})
		if due := s.hear(renewed(21, "2024-01")); len(due) != 0 {
			t.Errorf("a cycle that was done made due %+v", due)
		}
	})
}

func TestCycleBeforeItsGrantCausesOneGeneration(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		g := granted("g", 1)
		g.Cycle = "2024-02"
		s.hear(news(benefit(1, "kinds", "meter_credit")), news(g))
		s.hear(news(granted("g", 2)))
		if f := s.stored("g.meter_credit"); f.Generation != 1 {
			t.Errorf("%+v", f)
		}
	})
}

// A subscription that is in arrears since a minute, as the real clock has it.
func arrears() (grant.News, grant.News) {
	now := time.Now()
	v := grant.Version{At: now, Sent: now}
	g := revoked("g", 5)
	g.Version, g.RevokedAt = v, now
	s := grant.Subscription{ID: "s", CustomerID: "c", ProductID: "p", Status: "past_due", PastDueAt: now.Add(-time.Minute), Version: v}
	return news(g), news(s)
}

func TestGraceHoldsBackTheRevokeInWhicheverOrder(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		for name, known := range map[string]bool{"subscription known": true, "subscription not known": false} {
			for _, revokeFirst := range []bool{true, false} {
				s.empty()
				s.opts.Settle = time.Minute
				s.Ledger.opts.Settle = time.Minute
				if known {
					s.hear(news(grant.Subscription{ID: "s", Status: "active", Version: version(1)}))
				}
				s.hear(news(benefit(1, "grace", "1h"), granted("g", 1)))
				s.work(keys)
				first, second := arrears()
				if !revokeFirst {
					first, second = second, first
				}
				due := append(s.hear(first), s.hear(second)...)
				if len(due) != 0 {
					t.Errorf("%s, revoke first %v: due %+v", name, revokeFirst, due)
				}
				s.wants(keys, grant.Granted, "grace")
				if n := s.count(`SELECT due_at - {{now}} FROM fulfilments WHERE id = $1`, keys); revokeFirst == false && (n < 50*60e6 || n > 60*60e6) {
					t.Errorf("%s, revoke first %v: looked at again in %v, want in 59 min", name, revokeFirst, time.Duration(n)*time.Microsecond)
				}
			}
		}
	})
}

// endGrace moves the subscription's arrears two hours back and makes the
// fulfilment due, as the clock would.
func (s *shop) endGrace() {
	s.exec(`UPDATE subscriptions SET past_due_at = past_due_at - 7200000000`)
	s.exec(`UPDATE fulfilments SET due_at = {{now}} WHERE due_at > 0`)
}

func TestEndOfGraceRevokesAndAPaymentBringsBack(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1, "grace", "1h"), granted("g", 1)))
		s.work(keys)
		first, second := arrears()
		s.hear(second, first)
		s.endGrace()
		h := s.work(keys)
		if h.Verdict.Desired != grant.OwedRevoked || h.State != grant.Revoking || h.Seen {
			t.Errorf("held %+v", h)
		}
		s.wants(keys, grant.Revoked, "revoked")

		paid := granted("g", 1)
		paid.Version = grant.Version{At: time.Now(), Sent: time.Now()}
		if due := s.hear(news(paid)); len(due) != 1 || due[0].Revoke {
			t.Errorf("due %+v", due)
		}
		s.work(keys)
		s.wants(keys, grant.Granted, "granted")
	})
}

// What an edit has taken within the grace, the shop has taken once that is over.
func TestEndOfGraceIsTheReasonAfterAnEdit(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1, "grace", "1h", "kinds", "license_keys,discord"), granted("g", 1)))
		s.work(keys)
		s.work("g.discord")
		first, second := arrears()
		s.hear(second, first)
		s.hear(news(benefit(2, "grace", "1h", "kinds", "license_keys")))
		s.spread()
		s.wants("g.discord", grant.Revoking, "unrouted")
		s.work("g.discord")
		s.wants("g.discord", grant.Revoked, "unrouted")
		s.endGrace()
		s.work("g.discord")
		s.wants("g.discord", grant.Revoked, "revoked")
	})
}

func TestPaymentWhileTheEndOfGraceIsWorkedOn(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1, "grace", "1h"), granted("g", 1)))
		s.work(keys)
		first, second := arrears()
		s.hear(second, first)
		s.endGrace()
		h := s.look(keys)
		paid := granted("g", 1)
		paid.Version = grant.Version{At: time.Now(), Sent: time.Now()}
		s.hear(news(paid))
		if again := s.record(h, grant.Outcome{Action: grant.DoRevoke, State: grant.Revoked, Done: true}); again == nil {
			t.Error("not due again")
		}
		s.work(keys)
		s.wants(keys, grant.Granted, "granted")
	})
}

func TestOverrideThatEndsIsLookedAtAgain(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		s.exec(`UPDATE grants SET override = 'none', override_until = {{now}} + 3600000000`)
		s.hear(news(granted("g", 2)))
		s.wants(keys, grant.Pending, "override")
		if f := s.stored(keys); f.Due {
			t.Errorf("due already: %+v", f)
		}
		s.exec(`UPDATE grants SET override_until = 1`)
		s.exec(`UPDATE fulfilments SET due_at = 1 WHERE due_at > 0`)
		s.work(keys)
		s.wants(keys, grant.Granted, "granted")
	})
}

func TestRefundEndsACatalogueGrant(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		g := grant.Grant{ID: "g", BenefitID: "b", CustomerID: "c", OrderID: "o", Source: grant.Catalogue, Word: grant.SaysNone, Version: version(1)}
		s.hear(news(benefit(1), g, grant.Order{ID: "o", Status: "paid", Total: 100, Version: version(1)}))
		s.wants(keys, grant.Pending, "order_paid")
		s.hear(news(grant.Refund{ID: "r1", OrderID: "o", Status: "succeeded", Amount: 60, Version: version(2)}),
			news(grant.Refund{ID: "r2", OrderID: "o", Status: "pending", Amount: 40, Version: version(2)}))
		s.wants(keys, grant.Pending, "order_paid")
		s.hear(news(grant.Refund{ID: "r2", OrderID: "o", Status: "succeeded", Amount: 40, Version: version(3)}))
		s.wants(keys, grant.Revoking, "refunded")
	})
}
