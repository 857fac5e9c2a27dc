package ledger

import (
	"database/sql"
	"testing"
	"time"

	"fulfilld/grant"
)

// waiting tells how many connections wait for another's lock.
func (s *shop) waiting() int64 {
	return s.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
}

// until looks again and again whether something is so.
func (s *shop) until(what string, so func() bool) {
	s.t.Helper()
	for began := time.Now(); !so(); time.Sleep(time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			s.t.Fatalf("%s: never", what)
		}
	}
}

// stop holds a row that the next applier to come by must wait for.
func (s *shop) stop(fulfilment string) (goOn func()) {
	s.t.Helper()
	db, err := sql.Open("pgx", s.url)
	must(s.t, err)
	s.t.Cleanup(func() { _ = db.Close() })
	side, err := db.BeginTx(s.t.Context(), nil)
	must(s.t, err)
	_, err = side.Exec(`SELECT 1 FROM fulfilments WHERE id = $1 FOR UPDATE`, fulfilment)
	must(s.t, err)
	return func() { must(s.t, side.Rollback()) }
}

func toKind(kind string) func(grant.Benefit) grant.Route {
	return func(grant.Benefit) grant.Route {
		return grant.Route{Targets: []grant.Target{{Kind: kind, Managed: true, Origin: "config"}}}
	}
}

// A daemon with another config starts while this one is still telling the grants
// of the last change.
func TestRerouteWhileAnotherDaemonSpreads(t *testing.T) {
	t.Parallel()
	s := open(t, postgresURL(t), Options{Fast: true})
	s.sold(3, benefit(1))
	s.reroute(toKind("discord"))
	if _, err := s.Reroute(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := s.another()
	goOn := s.stop("g02.license_keys")
	spread, rerouted := make(chan error, 1), make(chan error, 1)
	go func() {
		_, _, err := s.Spread(t.Context(), 10)
		spread <- err
	}()
	s.until("Spread waits", func() bool { return s.waiting() == 1 })
	s.reroute(toKind("custom"))
	go func() {
		_, err := other.Reroute(t.Context())
		rerouted <- err
	}()
	s.until("Reroute waits or is through", func() bool { return s.waiting() == 2 || len(rerouted) > 0 })
	goOn()
	must(t, <-spread)
	must(t, <-rerouted)
	s.spread()
	for _, id := range []string{"g00", "g01", "g02"} {
		s.wants(id+".custom", grant.Pending, "granted")
		s.wants(id+".discord", grant.Revoking, "unrouted")
	}
}
