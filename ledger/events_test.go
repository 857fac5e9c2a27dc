package ledger

import (
	"slices"
	"testing"
	"time"

	"fulfilld/grant"
)

func TestEventIsKnownByItsIDAndBody(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		other, otherSource := event("a"), event("a")
		other.Body = []byte("another")
		otherSource.Source = "polar2"
		for _, c := range []struct {
			event grant.Event
			want  grant.Acceptance
		}{
			{event("a"), grant.Accepted},
			{event("a"), grant.Duplicate},
			{other, grant.Conflict},
			{otherSource, grant.Accepted},
			{event("a"), grant.Duplicate},
		} {
			if got, err := s.Accept(t.Context(), c.event); err != nil || got != c.want {
				t.Errorf("%s of %s: %s, %v; want %s", c.event.ID, c.event.Source, got, err, c.want)
			}
		}
		if n := s.count(`SELECT count(*) FROM bodies`); n != 2 {
			t.Errorf("%d bodies, want 2", n)
		}
	})
}

func TestEventIsKeptAsItCame(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		ev := event("a")
		ev.Body = []byte("\x00\xff not text")
		if _, err := s.Accept(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
		got, err := s.Unapplied(t.Context(), time.Hour, 10)
		if err != nil || len(got) != 1 {
			t.Fatal(got, err)
		}
		if string(got[0].Body) != string(ev.Body) || got[0].Type != ev.Type || !got[0].OccurredAt.Equal(ev.OccurredAt) {
			t.Errorf("%+v, want %+v", got[0], ev)
		}
		n, oldest, err := s.Backlog(t.Context())
		if err != nil || n != 1 || oldest.UnixMicro() != ev.ReceivedAt.UnixMicro() {
			t.Errorf("backlog %d since %v, %v", n, oldest, err)
		}
	})
}

func TestEventsOfOthersAreTakenOnceTheyHaveLain(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.say(news(granted("g", 1)), news(granted("g", 2)))
		s.exec(`UPDATE events SET daemon = 'dead', received_at = {{now}} - 3000000 WHERE seq = 1`)
		for after, want := range map[time.Duration][]int64{time.Hour: {2}, 2 * time.Second: {1, 2}, 0: {1, 2}} {
			events, err := s.Unapplied(t.Context(), after, 10)
			var got []int64
			for _, ev := range events {
				got = append(got, ev.Seq)
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("others' after %v: %v, %v; want %v", after, got, err, want)
			}
		}
		if events, err := s.Unapplied(t.Context(), 0, 1); err != nil || len(events) != 1 || events[0].Seq != 1 {
			t.Errorf("limited to one: %+v, %v", events, err)
		}
	})
}

// state of an event, and its error.
func (s *shop) state(id string) (state, why string) {
	s.t.Helper()
	if err := s.read.row(s.t.Context(), `SELECT state, error FROM events WHERE webhook_id = $1`, []any{id}, &state, &why); err != nil {
		s.t.Fatal(err)
	}
	return state, why
}

func (s *shop) isEvent(id string, want grant.EventState, wantWhy string) {
	s.t.Helper()
	if state, why := s.state(id); state != string(want) || (wantWhy != "" && why != wantWhy) {
		s.t.Errorf("event %s is %s because %q, want %s because %q", id, state, why, want, wantWhy)
	}
}

func TestEventEndsAppliedIgnoredOrFailed(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		ids := s.say(news(granted("g", 1)), grant.News{Ignored: "of no use"}, news())
		all := s.decode()
		all[2].Err = ErrNotFound
		if _, err := s.Apply(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		s.isEvent(ids[0], grant.EventApplied, "")
		s.isEvent(ids[1], grant.EventIgnored, "of no use")
		s.isEvent(ids[2], grant.EventFailed, ErrNotFound.Error())
		if n, err := s.FailedEvents(t.Context()); n != 1 || err != nil {
			t.Errorf("%d failed, %v", n, err)
		}
		if left := s.decode(); len(left) != 0 {
			t.Errorf("left: %+v", left)
		}
	})
}

func TestBadEventDoesNotFailItsBatch(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		ids := s.say(news(benefit(1), granted("g", 1)), news(granted("bad", 1)), news(granted("h", 1)))
		broken := s.decode()
		broken[1].News.Products = []grant.Product{{ID: "p", Version: version(1), Benefits: []string{"b"}}}
		// What the database refuses is the event's own fault.
		s.exec(`CREATE UNIQUE INDEX nobody_twice ON products ((id <> 'x'))`)
		s.exec(`INSERT INTO products (id, body, ver_at, ver_sent) VALUES ('other', '', 0, 0)`)
		due, err := s.Apply(t.Context(), broken)
		s.exec(`DROP INDEX nobody_twice`)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range due {
			got = append(got, d.ID)
		}
		if want := []string{"g.license_keys", "h.license_keys"}; !slices.Equal(got, want) {
			t.Errorf("due %v, want %v", got, want)
		}
		s.isEvent(ids[0], grant.EventApplied, "")
		s.isEvent(ids[1], grant.EventFailed, "")
		s.isEvent(ids[2], grant.EventApplied, "")
	})
}

func TestEventThatPanicsIsMarkedFailed(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.reroute(func(b grant.Benefit) grant.Route {
			if b.ID == "bad" {
				panic("no such route")
			}
			return byMetadata(b)
		})
		bad := benefit(1)
		bad.ID = "bad"
		ids := s.say(news(bad), news(benefit(1), granted("g", 1)))
		if due := s.apply(); len(due) != 1 {
			t.Errorf("due %+v", due)
		}
		s.isEvent(ids[0], grant.EventFailed, "")
		s.isEvent(ids[1], grant.EventApplied, "")
	})
}

func TestReplayAppliesAgain(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		ids := s.say(news(benefit(1), granted("g", 1)), news(granted("h", 1)), news(granted("i", 1)))
		all := s.decode()
		all[1].Err, all[2].Err = ErrNotFound, ErrNotFound
		if _, err := s.Apply(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		s.exec(`DELETE FROM bodies WHERE seq = 3`)
		if n, err := s.Replay(t.Context(), ""); n != 1 || err != nil {
			t.Errorf("replayed %d failed ones, %v; want 1: another has no body left", n, err)
		}
		if due := s.apply(); len(due) != 1 || due[0].ID != "h.license_keys" {
			t.Errorf("due %+v", due)
		}
		if n, err := s.Replay(t.Context(), ids[0]); n != 1 || err != nil {
			t.Errorf("replayed %d by id, %v", n, err)
		}
		if due := s.apply(); len(due) != 0 {
			t.Errorf("what was known already made due %+v", due)
		}
		for id, want := range map[string]int64{ids[2]: 0, "unknown": 0} {
			if n, err := s.Replay(t.Context(), id); n != want || err != nil {
				t.Errorf("replayed %d of %s, %v", n, id, err)
			}
		}
	})
}

func TestTwoDaemonsApplyAnEventOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.say(news(benefit(1), granted("g", 1)))
		seenByBoth := s.decode()
		if due, err := s.Apply(t.Context(), seenByBoth); len(due) != 1 || err != nil {
			t.Errorf("first: %+v, %v", due, err)
		}
		if due, err := s.Apply(t.Context(), seenByBoth); len(due) != 0 || err != nil {
			t.Errorf("second: %+v, %v", due, err)
		}
	})
}
