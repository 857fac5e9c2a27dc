package ledger

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fulfilld/grant"
)

// ago is the version of what the shop said so long ago.
func ago(d time.Duration) grant.Version {
	t := time.Now().Add(-d).Truncate(time.Microsecond)
	return grant.Version{At: t, Sent: t}
}

// failure is a payment that failed two days ago, with the revoke that came of it
// at once, and paid is the same subscription since.
func failure() (failed, revoke grant.News, paid func(ago time.Duration) grant.News) {
	v := ago(48 * time.Hour)
	g := revoked("g", 5)
	g.Version, g.RevokedAt = v, v.At
	s := grant.Subscription{ID: "s", CustomerID: "c", ProductID: "p", Version: v}
	failing := s
	failing.Status, failing.PastDueAt = "past_due", v.At
	return news(failing), news(g), func(d time.Duration) grant.News {
		s.Status, s.Version = "active", ago(d)
		return news(s)
	}
}

// pardoned is a shop with a key that a failed payment has not yet ended.
func (s *shop) pardoned() (paid func(ago time.Duration) grant.News) {
	s.t.Helper()
	s.Ledger.opts.Settle = time.Minute
	failed, revoke, paid := failure()
	s.hear(news(benefit(1, "grace", "168h"), granted("g", 1)))
	s.work(keys)
	s.hear(failed, revoke)
	s.wants(keys, grant.Granted, "grace")
	return paid
}

func TestRecoveryWithinGraceIsNotABlink(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		paid := s.pardoned()
		if due := s.hear(paid(0)); len(due) != 0 {
			t.Errorf("paid, and due %+v", due)
		}
		s.wants(keys, grant.Granted, "settling")
		again := granted("g", 1)
		again.Version = ago(0)
		if due := s.hear(news(again)); len(due) != 0 {
			t.Errorf("granted again, and due %+v", due)
		}
		s.wants(keys, grant.Granted, "granted")
	})
}

func TestRecoveryThatNoGrantFollowsEnds(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		paid := s.pardoned()
		s.hear(paid(0))
		s.exec(`UPDATE subscriptions SET recovered_at = recovered_at - 120000000`)
		s.exec(`UPDATE fulfilments SET due_at = {{now}} WHERE due_at > 0`)
		s.work(keys)
		s.wants(keys, grant.Revoked, "revoked")
	})
}

func TestRecoveryAfterTheEndOfGraceGrantsNothing(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.Ledger.opts.Settle = time.Minute
		failed, revoke, paid := failure()
		s.hear(news(benefit(1, "grace", "24h"), granted("g", 1)))
		s.work(keys)
		s.hear(failed, revoke)
		s.work(keys)
		s.hear(paid(0))
		s.wants(keys, grant.Revoked, "revoked")
	})
}

func TestFailureThatArrivesAfterItsRecovery(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.Ledger.opts.Settle = time.Minute
		failed, revoke, paid := failure()
		s.hear(news(benefit(1, "grace", "168h"), granted("g", 1)))
		s.work(keys)
		s.hear(paid(0), revoke)
		s.wants(keys, grant.Revoking, "revoked") // nobody could know better
		if due := s.hear(failed); len(due) != 1 || due[0].Revoke {
			t.Errorf("due %+v", due)
		}
		s.work(keys)
		s.wants(keys, grant.Granted, "settling")
	})
}

func TestRecoveryIsNotMadeUp(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.Ledger.opts.Settle = time.Minute
		failed, revoke, paid := failure()
		s.hear(news(benefit(1, "grace", "168h"), granted("g", 1)))
		s.work(keys)
		s.hear(revoke, paid(time.Hour), paid(time.Minute*30), paid(0)) // paid an hour ago; nothing was granted since
		s.hear(failed)
		s.wants(keys, grant.Revoking, "revoked")
		if n := s.count(`SELECT count(*) FROM subscriptions WHERE recovered_at > 0`); n != 0 {
			t.Error("what recovered an hour ago is taken for a recovery of now")
		}
	})
}

// Bodies of one subscription, which fails and recovers twice within the time that
// is remembered.
func TestRecoveryDoesNotHangOnTheOrderOfArrival(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.Ledger.opts.Settle = 30 * time.Minute
		all := []grant.News{news(benefit(1, "grace", "1h")), news(granted("g", 1)), news(revoked("g", 3))}
		for minute, status := range map[int]string{1: "active", 2: "past_due", 4: "active", 5: "active", 6: "past_due", 8: "unpaid", 9: "active", 12: "active"} {
			sub := grant.Subscription{ID: "s", CustomerID: "c", ProductID: "p", Status: status, Version: version(minute)}
			if status == "past_due" || status == "unpaid" {
				sub.PastDueAt = at(minute)
			}
			all = append(all, news(sub))
		}
		for seed := range 12 {
			s.empty()
			s.arrive(rand.New(rand.NewPCG(uint64(seed), 0)), all)
			var got [2]int64
			if err := s.read.row(t.Context(), `SELECT recovered_at, recovered_from FROM subscriptions`, nil, &got[0], &got[1]); err != nil {
				t.Fatal(err)
			}
			if want := [2]int64{at(9).UnixMicro(), at(8).UnixMicro()}; got != want {
				t.Errorf("seed %d: recovered %v, want %v", seed, got, want)
			}
		}
		want := s.dump()["subscriptions"]
		s.empty()
		slices.Reverse(all)
		s.hear(all...)
		if diff := cmp.Diff(want, s.dump()["subscriptions"]); diff != "" {
			t.Errorf("-shuffled +reversed:\n%s", diff)
		}
	})
}
