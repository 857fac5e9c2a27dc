//go:build linux

package e2e

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"fulfilld/internal/testserver"
)

// refuses waits until deliveries are answered 503 with a time to come back, and
// checks that the daemon says everywhere that its ledger is away.
func (p *platform) refuses(t *testing.T, d *daemon, next func() webhook) {
	t.Helper()
	within(t, patience, "503", func() error {
		resp, text, err := p.post(t.Context(), d.hook(), next())
		if err != nil {
			return err
		}
		if resp.StatusCode != http.StatusServiceUnavailable {
			return fmt.Errorf("answered %d %s", resp.StatusCode, text)
		}
		if after, err := strconv.Atoi(resp.Header.Get("Retry-After")); err != nil || after < 1 {
			t.Errorf("Retry-After is %q", resp.Header.Get("Retry-After"))
		}
		return nil
	})
	within(t, patience, "/readyz 503", func() error {
		if status, body := d.ready(); status != http.StatusServiceUnavailable {
			return fmt.Errorf("%d %s", status, body)
		}
		return nil
	})
	if status, body := get("http://" + d.public + "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: %d %s", status, body)
	}
	d.raised("ledger_down", true)
}

// recovers waits until the daemon is itself again, without anybody's help.
func (p *platform) recovers(t *testing.T, d *daemon, n int) {
	t.Helper()
	within(t, patience, "ready again", func() error {
		if status, body := d.ready(); status != http.StatusOK {
			return fmt.Errorf("%d %s", status, body)
		}
		return nil
	})
	p.send(t, buys(n))
	d.issued(n, patience)
	d.raised("ledger_down", false)
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := newDaemon(t, "sqlite://"+filepath.Join(dir, "fulfilld.db"), "")
	fill, empty := disk(t, d, dir)
	d.start()
	p := newPlatform(d)
	p.send(t, buys(0))
	d.issued(0, patience)

	fill()
	n, acked := 0, []int{0}
	p.refuses(t, d, func() webhook { n++; acked = append(acked, n); return buys(n) })
	acked = acked[:len(acked)-1] // the last one was refused
	db := openLedger(t, "sqlite://"+filepath.Join(dir, "fulfilld.db"))
	if stored, err := one(db, `SELECT count(*) FROM events`); err != nil || stored < len(acked) {
		t.Errorf("%d events are stored, %d were acknowledged: %v", stored, len(acked), err)
	}

	empty()
	p.recovers(t, d, n+1)
	for _, i := range acked {
		d.issued(i, patience)
	}
	settled(t, db, patience)
	whole(t, db)
}

// disk puts dir on a disk of its own that can be filled. Where that may not be
// mounted, the size of the daemon's files is limited instead.
func disk(t *testing.T, d *daemon, dir string) (fill, empty func()) {
	t.Helper()
	if err := syscall.Mount("fulfilld-e2e", dir, "tmpfs", 0, "size=12m"); err != nil {
		t.Logf("no disk of its own (%v); limiting the size of files instead", err)
		limit := func(n uint64) func() { return func() { d.limitFiles(n) } }
		return limit(1 << 10), limit(unlimited)
	}
	t.Cleanup(func() {
		d.kill()
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	filler := filepath.Join(dir, "filler")
	return func() {
			f, err := os.Create(filler)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for block := make([]byte, 4096); ; {
				if _, err = f.Write(block); err != nil {
					break
				}
			}
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
		}, func() {
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
		}
}

const unlimited = ^uint64(0)

// limitFiles sets how large a file of the running daemon may become.
func (d *daemon) limitFiles(bytes uint64) {
	d.t.Helper()
	cmd, _ := d.process()
	var l syscall.Rlimit
	prlimit := func(set, had *syscall.Rlimit) {
		if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(cmd.Process.Pid), syscall.RLIMIT_FSIZE,
			uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(had)), 0, 0); errno != 0 {
			d.t.Fatal("prlimit: ", errno)
		}
	}
	prlimit(nil, &l)
	l.Cur = min(bytes, l.Max)
	prlimit(&l, nil)
}

// The same by a limit on the size of files, which is another error to SQLite.
func TestFileSizeLimit(t *testing.T) {
	t.Parallel()
	d := started(t, "", "")
	p := newPlatform(d)
	n := 0
	d.limitFiles(1 << 10) // less than any file of the ledger
	p.refuses(t, d, func() webhook { n++; return buys(n) })
	d.limitFiles(unlimited)
	p.recovers(t, d, n+1)
	for i := 1; i < n; i++ {
		d.issued(i, patience)
	}
}

func TestLockedLedger(t *testing.T) {
	t.Parallel()
	d := started(t, "", "")
	p := newPlatform(d)
	p.send(t, buys(0))
	d.issued(0, patience)

	other, err := sql.Open("sqlite", "file:"+filepath.Join(d.dir, "fulfilld.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	conn, err := other.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	within(t, patience, "locked", func() error {
		_, err := conn.ExecContext(t.Context(), "BEGIN EXCLUSIVE")
		return err
	})
	n := 0
	p.refuses(t, d, func() webhook { n++; return buys(n) })
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	p.recovers(t, d, n+1)
}

// A Postgres that was failed over to a replica answers and takes nothing.
func TestReadOnlyLedger(t *testing.T) {
	t.Parallel()
	url := testserver.Postgres(t)
	redis := testserver.Redis(t)
	d := started(t, url, redis.URL())
	p := newPlatform(d)
	p.send(t, buys(0))
	d.issued(0, patience)

	admin, err := sql.Open("pgx", strings.Replace(url, "?", "?default_transaction_read_only=off&", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	turn := func(readOnly string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		for _, q := range []string{
			"SET default_transaction_read_only = off",
			`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = ` + readOnly + `', current_database()); END $$`,
			"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
		} {
			if _, err := admin.ExecContext(ctx, q); err != nil {
				t.Fatalf("%s: %v", q, err)
			}
		}
	}
	admin.SetMaxOpenConns(1)
	turn("on")
	n := 0
	p.refuses(t, d, func() webhook { n++; return buys(n) })
	turn("off")
	p.recovers(t, d, n+1)
}

// Two daemons on one file would spoil it.
func TestSecondDaemonOnOneFileIsRefused(t *testing.T) {
	t.Parallel()
	d := started(t, "", "")
	second := newDaemon(t, "sqlite://"+filepath.Join(d.dir, "fulfilld.db"), "")
	if err := second.launch(); err != nil {
		t.Fatal(err)
	}
	if code := second.ended(patience); code != 1 {
		t.Errorf("ended with %d", code)
	}
	cmd, _ := d.process()
	if said := second.log.String(); !strings.Contains(said, fmt.Sprint(cmd.Process.Pid)) {
		t.Errorf("it does not name the holder, %d:\n%s", cmd.Process.Pid, said)
	}
	newPlatform(d).send(t, buys(1))
	d.issued(1, patience)
}
