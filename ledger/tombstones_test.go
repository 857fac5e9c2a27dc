package ledger

import (
	"testing"

	"fulfilld/grant"
)

// Each tombstone ends the grant whether it comes before it or after it, and
// nothing said later brings that back.
func TestTombstoneEndsTheGrantWheneverItArrives(t *testing.T) {
	claimed := news(grant.Seat{ID: "seat", SubscriptionID: "s", MemberID: "m", Status: "claimed", Version: version(1)})
	for _, c := range []struct {
		name      string
		before    []grant.News
		tombstone grant.News
		because   string
		later     grant.News
	}{
		{
			"customer", nil, news(grant.Customer{ID: "c", DeletedAt: at(5), Version: version(5)}),
			"customer_deleted", news(grant.Customer{ID: "c", Email: "new@example.com", Version: version(9)}),
		},
		{
			"member", nil, news(grant.Member{ID: "m", CustomerID: "c", DeletedAt: at(5), Version: version(5)}),
			"member_deleted", news(grant.Member{ID: "m", CustomerID: "c", Version: version(9)}),
		},
		{
			"benefit", nil, news(grant.Benefit{ID: "b", DeletedAt: at(5), Version: version(5)}),
			"benefit_deleted", news(benefit(9)),
		},
		{
			"seat", []grant.News{claimed}, news(grant.Seat{ID: "seat", SubscriptionID: "s", Status: "revoked", RevokedAt: at(5), Version: version(5)}),
			"seat_revoked", claimed,
		},
		{
			"seat given to another", []grant.News{claimed}, news(grant.Seat{ID: "seat", SubscriptionID: "s", MemberID: "m2", Status: "claimed", Version: version(5)}),
			"seat_revoked", news(grant.Seat{ID: "seat", SubscriptionID: "s", MemberID: "m3", Status: "claimed", Version: version(6)}),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEachEngine(t, func(t *testing.T, s *shop) {
				s.hear(news(benefit(1)))
				s.hear(c.before...)
				s.hear(news(granted("g", 2)))
				s.work(keys)
				s.hear(c.tombstone)
				s.spread()
				s.wants(keys, grant.Revoking, c.because)
				s.work(keys)

				s.hear(c.later, news(granted("g", 20)))
				s.spread()
				s.wants(keys, grant.Revoked, c.because)
				s.hear(news(granted("late", 21)))
				s.wants("late.license_keys", grant.Revoking, c.because)
			})
		})
	}
}

func TestSeatRevokedBeforeItsNameIsKnown(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 2)), news(grant.Seat{ID: "seat", SubscriptionID: "s", Status: "revoked", Version: version(5)}))
		s.wants(keys, grant.Pending, "granted")
		s.hear(news(grant.Seat{ID: "seat", SubscriptionID: "s", MemberID: "m", Status: "claimed", Version: version(3)}))
		s.wants(keys, grant.Revoking, "seat_revoked")
	})
}

func TestNewSeatRevives(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 2)),
			news(grant.Seat{ID: "one", SubscriptionID: "s", MemberID: "m", Status: "claimed", Version: version(3)}),
			news(grant.Seat{ID: "one", SubscriptionID: "s", Status: "revoked", Version: version(4)}))
		s.wants(keys, grant.Revoking, "seat_revoked")
		s.work(keys)
		s.hear(news(grant.Seat{ID: "two", SubscriptionID: "s", MemberID: "m", Status: "pending", Version: version(5)}))
		s.wants(keys, grant.Pending, "granted")
	})
}

func TestSeatOfAnotherPurchaseDoesNotCount(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 2)),
			news(grant.Seat{ID: "seat", SubscriptionID: "other", MemberID: "m", Status: "claimed", Version: version(3)}),
			news(grant.Seat{ID: "seat", SubscriptionID: "other", Status: "revoked", Version: version(4)}))
		s.wants(keys, grant.Pending, "granted")
	})
}
