package ledger

import (
	"fmt"
	"testing"

	"fulfilld/grant"
)

// sold makes n grants of benefit b, all of them done.
func (s *shop) sold(n int, b grant.Benefit) {
	s.t.Helper()
	all := []grant.News{news(b)}
	for i := range n {
		all = append(all, news(granted(fmt.Sprintf("g%02d", i), 1)))
	}
	s.hear(all...)
	s.exec(`UPDATE fulfilments SET state = 'granted', due_at = 0 WHERE state <> 'unmanaged'`)
}

func TestBenefitEditReachesItsGrantsInPortions(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.sold(7, benefit(1))
		if due := s.hear(news(benefit(2, "kinds", "license_keys,discord"))); len(due) != 0 {
			t.Errorf("due at once %+v", due)
		}
		var told int
		for i, want := range []int{3, 3, 1} {
			due, more, err := s.Spread(t.Context(), 3)
			if err != nil || !more {
				t.Fatalf("portion %d: more %v, %v", i, more, err)
			}
			if len(due) != 2*want { // both kinds: the spec of one has changed, the other is new
				t.Errorf("portion %d: %d due, want %d", i, len(due), 2*want)
			}
			told += want
			if n := s.count(`SELECT count(*) FROM fulfilments WHERE kind = 'discord'`); n != int64(told) {
				t.Errorf("portion %d: %d told, want %d", i, n, told)
			}
		}
		if due, more, err := s.Spread(t.Context(), 3); len(due) != 0 || more || err != nil {
			t.Errorf("nothing left: %+v, %v, %v", due, more, err)
		}
	})
}

func TestSpreadGoesOnAfterARestart(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.sold(5, benefit(1))
		s.hear(news(benefit(2, "note", "same route")))
		if due := s.spread(); len(due) != 0 {
			t.Errorf("an edit that changes no route made due %+v", due)
		}
		s.hear(news(benefit(3, "kinds", "discord")))
		if _, _, err := s.Spread(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s.Ledger = s.another()
		due, more, err := s.Spread(t.Context(), 10)
		if err != nil || !more || len(due) != 6 { // the old kind's end and the new one, of three
			t.Errorf("%d due, more %v, %v", len(due), more, err)
		}
		s.wants("g00.license_keys", grant.Revoking, "unrouted")
		s.wants("g04.discord", grant.Pending, "granted")
	})
}

func TestBenefitDeletionReachesItsGrantsInPortions(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.sold(4, benefit(1))
		gone := benefit(2)
		gone.DeletedAt = at(2)
		s.hear(news(gone))
		if due, _, err := s.Spread(t.Context(), 3); err != nil || len(due) != 3 || !due[0].Revoke {
			t.Errorf("%+v, %v", due, err)
		}
		s.spread()
		if n := s.count(`SELECT count(*) FROM fulfilments WHERE state = 'revoking' AND because = 'benefit_deleted'`); n != 4 {
			t.Errorf("%d to be revoked, want 4", n)
		}
	})
}

func TestGrantsBeforeTheirBenefitWaitForIt(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		if due := s.hear(news(granted("g", 1))); len(due) != 0 {
			t.Errorf("due %+v", due)
		}
		s.hear(news(benefit(1)))
		if due := s.spread(); len(due) != 1 {
			t.Errorf("due %+v", due)
		}
	})
}

func TestRerouteTellsOnlyWhatHasChanged(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		other := benefit(1)
		other.ID = "other"
		s.hear(news(other))
		s.sold(2, benefit(1))
		if n, err := s.Reroute(t.Context()); n != 0 || err != nil {
			t.Errorf("the same routes: %d changed, %v", n, err)
		}
		s.reroute(func(b grant.Benefit) grant.Route {
			r := byMetadata(b)
			if b.ID == "b" {
				r.Targets[0].Params = []byte(`{"prefix": "ACME"}`)
			}
			return r
		})
		if n, err := s.Reroute(t.Context()); n != 1 || err != nil {
			t.Errorf("one route: %d changed, %v", n, err)
		}
		if due := s.spread(); len(due) != 2 {
			t.Errorf("due %+v", due)
		}
		if n, err := s.Reroute(t.Context()); n != 0 || err != nil {
			t.Errorf("once more: %d changed, %v", n, err)
		}
	})
}

func TestKindThatIsSwitchedOnTakesOver(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.reroute(func(b grant.Benefit) grant.Route {
			r := byMetadata(b)
			r.Targets[0].Managed = false
			r.Grace = 1000e9
			return r
		})
		if due := s.hear(news(benefit(1), granted("g", 1))); len(due) != 0 {
			t.Errorf("unmanaged, but due %+v", due)
		}
		now, _ := arrears() // held back, so there is a moment to look again: not for us
		s.Ledger.opts.Settle = 1e12
		s.hear(now)
		if f := s.stored(keys); f.State != grant.Unmanaged || s.count(`SELECT due_at FROM fulfilments`) != 0 {
			t.Errorf("%+v", f)
		}
		s.reroute(byMetadata)
		if _, err := s.Reroute(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.hear(news(granted("g", 1)))
		if due := s.spread(); len(due) > 1 {
			t.Errorf("due %+v", due)
		}
		s.wants(keys, grant.Revoking, "revoked")
		s.work(keys)

		s.reroute(func(b grant.Benefit) grant.Route {
			r := byMetadata(b)
			r.Targets[0].Managed = false
			return r
		})
		if _, err := s.Reroute(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.spread()
		if f := s.stored(keys); f.State != grant.Unmanaged || f.Due {
			t.Errorf("switched off: %+v", f)
		}
	})
}

func TestProductThatDropsABenefitEndsItsGrace(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1, "grace", "1h"), granted("g", 1), grant.Product{ID: "p", Benefits: []string{"b"}, Version: version(1)}))
		s.work(keys)
		first, second := arrears()
		s.hear(second, first)
		s.spread()
		s.wants(keys, grant.Granted, "grace")
		s.hear(news(grant.Product{ID: "p", Version: version(2)}))
		s.spread()
		s.wants(keys, grant.Revoking, "revoked")
	})
}
