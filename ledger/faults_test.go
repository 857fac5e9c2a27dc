package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fulfilld/grant"
	"fulfilld/internal/testserver"
)

func (s *shop) accepts(id string) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	ev := event(id)
	ev.Body = make([]byte, 20_000) // more than what happens to be free somewhere
	got, err := s.Accept(ctx, ev)
	if err == nil && got != grant.Accepted {
		err = fmt.Errorf("%s", got)
	}
	return err
}

// fails checks that intake and work fail while a fault lasts, and that both
// recover by themselves, with nothing of what was refused in the ledger.
func (s *shop) fails(fault, mend func()) {
	s.t.Helper()
	if err := s.accepts("before"); err != nil {
		s.t.Fatal(err)
	}
	fault()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := s.accepts(fmt.Sprint("during", i)); err == nil {
				s.t.Errorf("accepted during%d", i)
			}
		})
	}
	wg.Wait()
	mend()
	if err := s.accepts("after"); err != nil {
		s.t.Errorf("after the fault: %v", err)
	}
	if err := s.Probe(s.t.Context()); err != nil {
		s.t.Errorf("probe after the fault: %v", err)
	}
	if n := s.count(`SELECT count(*) FROM events`); n != 2 {
		s.t.Errorf("%d events, want 2", n)
	}
}

// raw is a connection of our own to the SQLite file.
func (s *shop) raw() *sql.Conn {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(s.url, "sqlite://"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = db.Close() })
	conn, err := db.Conn(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return conn
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFileLockedByAnother(t *testing.T) {
	t.Parallel()
	s := open(t, sqliteURL(t), Options{Fast: true})
	conn := s.raw()
	run := func(q string) func() {
		return func() {
			_, err := conn.ExecContext(t.Context(), q)
			must(t, err)
		}
	}
	began := time.Now()
	s.fails(run("BEGIN EXCLUSIVE"), run("ROLLBACK"))
	if took := time.Since(began); took > 8*time.Second { // one wait for all, not one for each
		t.Errorf("took %v", took)
	}
}

// pragma sets something on the writer's connection, outside any transaction.
func (s *shop) pragma(text string) {
	s.t.Helper()
	must(s.t, s.writers.do(s.t.Context(), work, func(t *tx) error {
		if _, err := t.conn.ExecContext(t.ctx, "COMMIT"); err != nil {
			return err
		}
		_, err := t.conn.ExecContext(t.ctx, text)
		_, beginErr := t.conn.ExecContext(t.ctx, "BEGIN IMMEDIATE")
		if err != nil {
			return err
		}
		return beginErr
	}))
}

// Where nobody may mount a small disk (see TestFullDisk), a file that may not grow.
func TestFileThatMayNotGrow(t *testing.T) {
	t.Parallel()
	s := open(t, sqliteURL(t), Options{Fast: true})
	s.exec(`CREATE TABLE ballast (x BLOB)`)
	s.fails(func() {
		s.pragma("PRAGMA max_page_count = 1") // the smallest it can be: as it is now
		for s.fill() == nil {                 // what is free within its pages
		}
	}, func() { s.pragma("PRAGMA max_page_count = 1000000") })
}

// fill uses up room until there is none, in ever smaller pieces.
func (s *shop) fill() (err error) {
	for size := 100_000; size > 0; size /= 10 {
		err = s.writers.do(s.t.Context(), work, func(t *tx) error {
			_, err := t.exec(`INSERT INTO ballast (x) VALUES (zeroblob($1))`, size)
			return err
		})
		if err == nil {
			return nil
		}
	}
	return err
}

func TestLedgerThatCannotBeOpenedIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "ledger.db"), 0o700))
	_, err := Open(t.Context(), "sqlite://"+dir+"/ledger.db", Options{})
	if err == nil {
		t.Fatal("opened a directory")
	}
	if !strings.Contains(err.Error(), "ledger.db") {
		t.Errorf("the error does not name the file: %v", err)
	}
}

func TestSecondDaemonIsRefusedByName(t *testing.T) {
	t.Parallel()
	s := open(t, sqliteURL(t), Options{Fast: true})
	_, err := Open(t.Context(), s.url, s.opts)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", os.Getpid())) {
		t.Errorf("second: %v", err)
	}
	must(t, s.accepts("a")) // the first goes on
	must(t, s.Close())
	s.Ledger = s.another()
	if n := s.count(`SELECT count(*) FROM events`); n != 1 {
		t.Errorf("%d events after opening again", n)
	}
}

func TestLedgerIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	s := open(t, sqliteURL(t), Options{})
	must(t, s.accepts("a"))
	path := strings.TrimPrefix(s.url, "sqlite://")
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(path + suffix)
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v", filepath.Base(path+suffix), info.Mode())
		}
	}
}

func TestUnknownDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := Open(t.Context(), "mysql://localhost/x", Options{}); err == nil || !strings.Contains(err.Error(), "postgres://") {
		t.Error(err)
	}
}

func TestConnectionsThatAreKilledAreReplaced(t *testing.T) {
	t.Parallel()
	s := open(t, testserver.Postgres(t), Options{Fast: true})
	admin, err := sql.Open("pgx", s.url)
	must(t, err)
	defer admin.Close()
	for round := range 3 {
		must(t, s.accepts(fmt.Sprint("before", round)))
		_, err = admin.ExecContext(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		must(t, err)
		for i := range 8 { // each writer meets its own dead connection, and nobody notices
			must(t, s.accepts(fmt.Sprint(round, "-", i)))
		}
		var readErr error
		for range 10 { // a read is not tried again by us, but finds no dead connection twice
			_, readErr = s.Unapplied(t.Context(), 0, 100)
		}
		if readErr != nil {
			t.Errorf("read: %v", readErr)
		}
	}
}

func TestConnectionKilledWithinAWrite(t *testing.T) {
	t.Parallel()
	s := open(t, testserver.Postgres(t), Options{Fast: true})
	free := s.stall()
	killed := s.handIn(t.Context(), work, func(t *tx) error {
		_, err := t.exec(`SELECT pg_terminate_backend(pg_backend_pid())`)
		return err
	})
	good := s.handIn(t.Context(), work, touch("a"))
	free()
	if err := <-killed; err == nil {
		t.Error("the write that killed its connection went through")
	}
	if err := <-good; err != nil {
		t.Errorf("its neighbour: %v", err)
	}
	must(t, s.accepts("after"))
}

func TestDatabaseThatRefusesConnections(t *testing.T) {
	t.Parallel()
	url := testserver.Postgres(t)
	s := open(t, url, Options{Fast: true})
	server, err := sql.Open("pgx", url[:strings.LastIndex(url, "/")]+"/postgres"+query(url))
	must(t, err)
	defer server.Close()
	name := strings.TrimSuffix(url[strings.LastIndex(url, "/")+1:], query(url))
	run := func(q string) {
		_, err := server.ExecContext(t.Context(), q)
		must(t, err)
	}
	s.fails(func() {
		run(`ALTER DATABASE ` + name + ` ALLOW_CONNECTIONS false`)
		run(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '` + name + `'`)
		if err := s.Probe(t.Context()); err == nil {
			t.Error("the probe went through")
		}
	}, func() { run(`ALTER DATABASE ` + name + ` ALLOW_CONNECTIONS true`) })
}

// query is the part of a URL from its question mark on.
func query(url string) string {
	if i := strings.Index(url, "?"); i >= 0 {
		return url[i:]
	}
	return ""
}
