//go:build unix

package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
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
	if code := d.ended(12 * time.Second); code != 0 { // shutdown_timeout is 10 s
		t.Fatalf("ended with %d", code)
	}
	db := openLedger(t, "sqlite://"+filepath.Join(d.dir, "fulfilld.db"))
	whole(t, db)
	acked := int(p.acked.Load())
	if n, err := one(db, `SELECT count(*) FROM events`); err != nil || n == 0 {
		t.Errorf("%d events are in the ledger, %d were acknowledged: %v", n, acked, err)
	}
	d.start()
	<-done
	settled(t, db, 2*patience)
	out := s.verdict(t, db)
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
	if code := d.ended(2 * time.Second); code == -2 || code == 0 {
		t.Errorf("after the second signal: %d", code)
	}
	release()
}

// hang leaves a delivery half sent.
func hang(t *testing.T, d *daemon) (release func()) {
	t.Helper()
	conn := dial(t, d.public)
	fmt.Fprintf(conn, "POST /webhooks/polar HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\n{", d.public)
	time.Sleep(50 * time.Millisecond) // until it is read; nobody tells when
	return sync.OnceFunc(func() { _ = conn.Close() })
}
