package ledger

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// durable is a ledger that syncs, as it does in earnest.
func durable(t *testing.T) *shop { return open(t, sqliteURL(t), Options{}) }

func (s *shop) accepting(id string) <-chan error {
	result := make(chan error, 1)
	go func() { result <- s.accepts(id) }()
	return result
}

func TestNobodyIsAnsweredBeforeTheSync(t *testing.T) {
	t.Parallel()
	s := durable(t)
	under, on := make(chan struct{}), make(chan struct{})
	s.writers.log.flush = func(f *os.File) error {
		under <- struct{}{}
		<-on
		return fdatasync(f)
	}
	first := s.accepting("a")
	<-under
	if n := s.count(`SELECT count(*) FROM events`); n != 1 {
		t.Errorf("%d events committed, want 1", n)
	}
	second := s.accepting("b")
	for s.writers.waiting.Load() < 2 { // the second is being filled in
		time.Sleep(time.Millisecond)
	}
	select {
	case err := <-first:
		t.Errorf("answered before its sync: %v", err)
	case err := <-second:
		t.Errorf("answered before its commit: %v", err)
	default:
	}
	on <- struct{}{}
	if err := <-first; err != nil {
		t.Error(err)
	}
	<-under
	on <- struct{}{}
	if err := <-second; err != nil {
		t.Error(err)
	}
}

// fileAlone counts the events in the database file, without its log.
func (s *shop) fileAlone() int64 {
	s.t.Helper()
	all, err := os.ReadFile(strings.TrimPrefix(s.url, "sqlite://"))
	must(s.t, err)
	copied := filepath.Join(s.t.TempDir(), "copy.db")
	must(s.t, os.WriteFile(copied, all, 0o600))
	return open(s.t, "sqlite://"+copied, Options{}).count(`SELECT count(*) FROM events`)
}

func TestFailedSyncIsRefusedAndMended(t *testing.T) {
	t.Parallel()
	s := durable(t)
	broken := errors.New("input/output error")
	s.writers.log.flush = func(*os.File) error { return broken }
	if err := s.accepts("a"); !errors.Is(err, broken) {
		t.Errorf("accepted with a sync that failed: %v", err)
	}
	s.writers.log.flush = fdatasync
	must(t, s.accepts("b"))
	if n := s.fileAlone(); n != 1 {
		t.Errorf("%d events in the file, want the one that was in doubt", n)
	}
	if n := s.count(`SELECT count(*) FROM events`); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
}

func TestNothingIsWrittenWhileASyncIsInDoubt(t *testing.T) {
	t.Parallel()
	s := durable(t)
	must(t, s.accepts("before"))
	reader := s.raw() // keeps the log from being copied whole
	run := func(q string) {
		_, err := reader.ExecContext(t.Context(), q)
		must(t, err)
	}
	run("BEGIN")
	var n int
	must(t, reader.QueryRowContext(t.Context(), `SELECT count(*) FROM events`).Scan(&n))
	s.writers.log.flush = func(*os.File) error { return errRefused }
	if err := s.accepts("a"); err == nil {
		t.Error("accepted with a sync that failed")
	}
	s.writers.log.flush = fdatasync
	if err := s.accepts("b"); !errors.Is(err, errBegin) {
		t.Errorf("accepted while what went before is in doubt: %v", err)
	}
	run("ROLLBACK")
	must(t, s.accepts("c"))
}

func TestLogBeginsAfresh(t *testing.T) {
	t.Parallel()
	s := durable(t)
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		must(t, s.accepts(id))
	}
	s.writers.log.copy(t.Context())
	if !s.writers.log.crowded.Load() {
		t.Fatal("the writer is not asked to")
	}
	must(t, s.accepts("f"))
	var busy, pages, copied int64
	must(t, s.raw().QueryRowContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &pages, &copied))
	if pages == 0 || pages > 20 {
		t.Errorf("%d pages in the log, want those of one write", pages)
	}
}

func TestLedgerBehindALink(t *testing.T) {
	t.Parallel()
	real, link := filepath.Join(t.TempDir(), "real.db"), filepath.Join(t.TempDir(), "link.db")
	must(t, os.WriteFile(real, nil, 0o600))
	must(t, os.Symlink(real, link))
	must(t, open(t, "sqlite://"+link, Options{}).accepts("a"))
}

func TestAFloodIsCopiedSeldomAndATrickleInPortions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		writes int64
		since  time.Duration
		due    bool
	}{
		{0, time.Hour, false},
		{1, 29 * time.Second, false},
		{1, 30 * time.Second, true},
		{499, 2 * time.Second, false},
		{500, 2 * time.Second, true},
		{500, 999 * time.Millisecond, false}, // it may be a flood that has just begun
		{3500, 2 * time.Second, false},
		{4000, 10 * time.Millisecond, true},
	} {
		if due := isDue(c.writes, c.since); due != c.due {
			t.Errorf("%d writes after %s: due is %t", c.writes, c.since, due)
		}
	}
}
