//go:build unix

package e2e

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"fulfilld/internal/testserver"
)

const (
	dayEvents      = 5000
	dayGrants      = 2000
	dayConnections = 32
)

// The two big tests run by themselves: without t.Parallel they come before all
// that have it.

func TestNothingAcceptedIsLostOnSQLite(t *testing.T) {
	redis := testserver.Redis(t, `save ""`) // an option: it must be ours to stop
	d := newDaemon(t, "", redis.URL())
	url := "sqlite://" + filepath.Join(d.dir, "fulfilld.db")
	day(t, url, redis, d)
}

func TestNothingAcceptedIsLostByThreeDaemonsOnPostgres(t *testing.T) {
	redis := testserver.Redis(t, `save ""`)
	url := testserver.Postgres(t)
	day(t, url, redis, newDaemon(t, url, redis.URL()), newDaemon(t, url, redis.URL()), newDaemon(t, url, redis.URL()))
}

// day sends a day's events while daemons are killed five times, and Redis is
// killed twice and emptied twice.
func day(t *testing.T, url string, redis *testserver.RedisServer, daemons ...*daemon) {
	began := time.Now()
	s := newShop(2026, dayEvents, dayGrants)
	for _, d := range daemons {
		d.start()
	}
	p, db, keys := newPlatform(daemons...), openLedger(t, url), &keyring{}
	done := p.deliverAll(t, dayConnections, s.webhooks)
	reached := func(share int) { // a twelfth each, so that it does not depend on the machine's speed
		t.Helper()
		within(t, patience, fmt.Sprintf("%d/12 of the events", share), func() error {
			if n := p.acked.Load(); n < int64(share*dayEvents/12) {
				return fmt.Errorf("%d are acknowledged", n)
			}
			return nil
		})
	}
	for i, blow := range []func(d *daemon){
		killed,
		func(*daemon) { redis.Stop() },
		func(d *daemon) { killed(d); redis.Start() }, // killed without Redis, too
		func(*daemon) { redis.FlushAll() },
		killed,
		func(*daemon) { redis.Stop() },
		func(*daemon) { redis.Start() },
		killed,
		func(d *daemon) { killed(d); redis.FlushAll() },
	} {
		reached(i + 1)
		keys.look(t, db)
		blow(daemons[i%len(daemons)])
	}
	<-done
	sent := time.Since(began)
	if t.Failed() {
		return
	}
	took := settled(t, db, 2*patience)
	out := s.verdict(t, db, p, keys)
	whole(t, db)
	s.shown(t, daemons[0])
	if out.lost+out.changed > 0 {
		t.Error("events were lost or keys changed")
	}
	t.Logf("%s\n%s; %d deliveries acknowledged in %d tries; sent in %v, settled %v later",
		out, s.summary(), p.acked.Load(), p.tries.Load(), sent.Round(time.Millisecond), took.Round(time.Millisecond))
	fmt.Printf("%s: %s\n", t.Name(), out)
}

func killed(d *daemon) {
	d.kill()
	d.start()
}
