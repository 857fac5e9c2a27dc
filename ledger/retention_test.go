package ledger

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fulfilld/grant"
)

const day = 24 * time.Hour

// aged stores an event in a state, received so many days ago.
func (s *shop) aged(id, state string, days int) {
	s.t.Helper()
	ev := event(id)
	ev.ReceivedAt = time.Now().Add(-time.Duration(days) * day)
	if _, err := s.Accept(s.t.Context(), ev); err != nil {
		s.t.Fatal(err)
	}
	s.exec(`UPDATE events SET state = $2 WHERE webhook_id = $1`, id, state)
}

// kept lists the events, and whether their bodies are kept, too.
func (s *shop) kept() map[string]bool {
	s.t.Helper()
	rows, err := s.read.QueryContext(s.t.Context(), `SELECT e.webhook_id, CASE WHEN b.seq IS NULL THEN 0 ELSE 1 END
		FROM events e LEFT JOIN bodies b ON b.seq = e.seq`)
	if err != nil {
		s.t.Fatal(err)
	}
	all := map[string]bool{}
	if _, err := collect(rows, func(r rowScanner) (struct{}, error) {
		var id string
		var body int64
		err := r.Scan(&id, &body)
		all[id] = body > 0
		return struct{}{}, err
	}); err != nil {
		s.t.Fatal(err)
	}
	return all
}

func TestRetentionForgetsBodiesBeforeEvents(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		for _, state := range []string{"applied", "ignored", "failed", "accepted"} {
			s.aged(state+" young", state, 1)
			s.aged(state+" old", state, 100)
			s.aged(state+" ancient", state, 500)
		}
		deleted, err := s.Retain(t.Context(), 90*day, 400*day)
		want := map[string]bool{
			"applied young": true, "applied old": false,
			"ignored young": true, "ignored old": false,
			"failed young": true, "failed old": true,
			"accepted young": true, "accepted old": true, "accepted ancient": true,
		}
		if diff := cmp.Diff(want, s.kept()); diff != "" || err != nil || deleted != 8 {
			t.Errorf("%d deleted, %v; -want +got:\n%s", deleted, err, diff)
		}
		if n, err := s.Retain(t.Context(), 90*day, 400*day); n != 0 || err != nil {
			t.Errorf("once more: %d deleted, %v", n, err)
		}
		if n := s.count(`SELECT count(*) FROM bodies WHERE seq NOT IN (SELECT seq FROM events)`); n != 0 {
			t.Errorf("%d bodies without an event", n)
		}
	})
}

func TestRetentionGoesInPortions(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.exec(`INSERT INTO events (source, webhook_id, type, occurred_at, received_at, state, daemon, sha256)
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1234)
			SELECT 'polar', 'id' || i, 't', 0, 1, 'applied', '', '' FROM n`)
		s.exec(`INSERT INTO bodies (seq, body) SELECT seq, '' FROM events`)
		if n, err := s.Retain(t.Context(), day, 400*day); n != 2*1234 || err != nil {
			t.Errorf("%d deleted, %v", n, err)
		}
	})
}

func TestRetentionEndsWithItsContext(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.aged("a", string(grant.EventApplied), 500)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Retain(t.Context(), day, day); !errors.Is(err, errClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}
