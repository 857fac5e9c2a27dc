//go:build unix

package e2e

import (
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fulfilld/internal/testserver"
)

// A deploy in the middle of the day: what is under way is finished, what was
// accepted is kept.
func TestStopsInOrderUnderLoad(t *testing.T) {
	t.Parallel()
	redis := testserver.Redis(t)
	d := started(t, "", redis.URL())
	p := newPlatform(d)
	s := newShop(7, 1500, 700)
	done := p.deliverAll(t, 16, s.webhooks)
	within(t, patience, "load", func() error {
		if p.acked.Load() < 300 {
			return fmt.Errorf("%d acknowledged", p.acked.Load())
		}
		return nil
	})
	d.signal(syscall.SIGTERM)
	within(t, 5*time.Second, "not ready any more", func() error {
		if status, body := d.ready(); status == http.StatusOK {
			return fmt.Errorf("%d %s", status, body)
		}
		return nil
	})
	if code := d.ended(11 * time.Second); code != 0 { // shutdown_timeout is 10 s
		t.Fatalf("ended with %d", code)
	}
	db, keys := openLedger(t, "sqlite://"+filepath.Join(d.dir, "fulfilld.db")), &keyring{}
	whole(t, db)
	keys.look(t, db)
	stored, err := pairs(db, `SELECT webhook_id, state FROM events`)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range p.acknowledged() {
		if stored[id] == "" {
			t.Errorf("event %s was acknowledged and is not in the ledger", id)
		}
	}
	d.start()
	<-done
	settled(t, db, 2*patience)
	out := s.verdict(t, db, p, keys)
	whole(t, db)
	t.Log(out)
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	d := started(t, "", "", "FULFILLD_SHUTDOWN_TIMEOUT=60s")
	release := hang(t, d)
	d.signal(syscall.SIGTERM)
	within(t, patience, "draining", func() error {
		if status, _ := d.ready(); status == http.StatusOK {
			return fmt.Errorf("still ready")
		}
		return nil
	})
	if code := d.ended(300 * time.Millisecond); code != -2 {
		t.Fatalf("did not wait for the request under way: ended with %d", code)
	}
	d.signal(syscall.SIGTERM)
	if code := d.ended(20 * time.Second); code == -2 || code == 0 {
		t.Errorf("after the second signal: %d", code)
	}
	release()
}

// A supervisor waits only so long. Work that is stuck then is called off, and
// done after the next start.
func TestSIGTERMWhileWorkIsStuck(t *testing.T) {
	t.Parallel()
	url := testserver.Postgres(t)
	d := started(t, url, testserver.Redis(t).URL())
	p := newPlatform(d)
	p.send(t, buys(0))
	d.issued(0, patience)
	db := openLedger(t, url)
	release := holdKeys(t, url)
	for n := 1; n < 30; n++ {
		p.send(t, buys(n))
	}
	within(t, patience, "work is stuck", func() error {
		n, err := one(db, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
		if err == nil && n == 0 {
			err = errors.New("nobody waits for a lock")
		}
		return err
	})
	d.signal(syscall.SIGTERM)
	if code := d.ended(11 * time.Second); code != 0 { // shutdown_timeout is 10 s
		t.Fatalf("ended with %d", code)
	}
	release()
	d.start()
	for n := range 30 {
		d.issued(n, patience)
	}
	settled(t, db, patience)
	whole(t, db)
}

// holdKeys lets nobody touch license keys until the returned function is called.
func holdKeys(t *testing.T, url string) (release func()) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	tx, err := db.Begin()
	if err == nil {
		_, err = tx.Exec("LOCK TABLE license_keys IN ACCESS EXCLUSIVE MODE")
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() { _ = tx.Rollback() }
}

// The admin listener stays until the end, and says that no more is to be sent.
func TestReadinessIsOffWhileDraining(t *testing.T) {
	t.Parallel()
	d := started(t, "", "")
	release := hang(t, d)
	d.signal(syscall.SIGTERM)
	within(t, patience, "draining", func() error {
		if status, body := get("http://" + d.admin + "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "draining") {
			return fmt.Errorf("/readyz: %d %s", status, body)
		}
		return nil
	})
	release()
	if code := d.ended(patience); code != 0 {
		t.Errorf("ended with %d", code)
	}
}

// hang leaves a delivery half sent.
func hang(t *testing.T, d *daemon) (release func()) {
	t.Helper()
	conn := dial(t, d.public)
	announce(conn, d)
	time.Sleep(300 * time.Millisecond) // until it is read; nobody tells when
	return sync.OnceFunc(func() { _ = conn.Close() })
}
