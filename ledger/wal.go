package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	checkpointEvery = 50 * time.Millisecond
	checkpointAfter = 4_000            // writes
	checkpointSlow  = 500              // writes, while they come at less than slowRate
	slowRate        = 1500             // writes a second
	checkpointLate  = 30 * time.Second // however few
	writeOutEvery   = 4 * time.Millisecond
	smallRest       = 1500   // pages that a writer may copy by itself
	hugeLog         = 64_000 // pages: by then it must, however many
)

const walSuffix = "-wal"

// walLog is SQLite's write-ahead log. SQLite itself would sync it within COMMIT
// and, now and then, copy it into the database there; both would keep the one
// writer waiting. Here a commit is synced while the next one is being filled, and
// copying goes on beside.
type walLog struct {
	path    string
	db      *sql.DB              // to copy by
	flush   func(*os.File) error // fdatasync
	written atomic.Int64         // writes since the last copy
	crowded atomic.Bool          // the writer is to copy the rest before its next transaction
	quit    context.CancelFunc
	ended   chan struct{}
}

func newWALLog(path string, db *sql.DB) *walLog {
	ctx, quit := context.WithCancel(context.Background())
	l := &walLog{path: path + walSuffix, db: db, flush: fdatasync, quit: quit, ended: make(chan struct{})}
	go l.run(ctx)
	return l
}

func (l *walLog) stop() error {
	l.quit()
	<-l.ended
	return nil
}

// sync makes all that was committed durable, n writes since the last time.
func (l *walLog) sync(n int) error {
	f, err := os.OpenFile(l.path, os.O_RDWR, 0) // each time: SQLite may have made a new one
	if err != nil {
		return fmt.Errorf("ledger: sync: %w", err)
	}
	if err := errors.Join(l.flush(f), f.Close()); err != nil {
		return fmt.Errorf("ledger: sync: %w", err)
	}
	l.written.Add(int64(n))
	return nil
}

// run copies the log into the database as it grows.
func (l *walLog) run(ctx context.Context) {
	defer close(l.ended)
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if !isDue(l.written.Load(), time.Since(last)) {
			continue
		}
		l.written.Store(0)
		last = time.Now()
		l.copy(ctx)
	}
}

// isDue reports whether n writes are to be copied, so long after the last time. A
// flood is copied seldom, which spares it the pages it writes again and again;
// a trickle in small portions, which nobody notices.
func isDue(n int64, since time.Duration) bool {
	slow := since >= time.Second && float64(n) < slowRate*since.Seconds()
	return n >= checkpointAfter || n >= checkpointSlow && slow || n > 0 && since >= checkpointLate
}

// copy has the bulk of the log copied beside the writer's work, and the writer
// copy what has come meanwhile: only then does the log begin afresh.
func (l *walLog) copy(ctx context.Context) {
	for range 3 {
		pages, copied, err := l.checkpoint(ctx)
		if err != nil {
			return // whatever is wrong with the file, the next commit tells
		}
		if pages-copied <= smallRest || pages > hugeLog {
			l.crowded.Store(true)
			return
		}
	}
}

// checkpoint copies, and has what it copies written out meanwhile: SQLite then
// syncs the database, and a log's sync that meets much of that would wait for it.
func (l *walLog) checkpoint(ctx context.Context) (pages, copied int64, err error) {
	ctx, done := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { l.writingOut(ctx) })
	var busy int64
	err = l.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &pages, &copied)
	done()
	wg.Wait()
	return pages, copied, err
}

func (l *walLog) writingOut(ctx context.Context) {
	f, err := os.OpenFile(strings.TrimSuffix(l.path, walSuffix), os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer f.Close()
	tick := time.NewTicker(writeOutEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			writeOut(f)
		case <-ctx.Done():
			return
		}
	}
}

// restartLog has the log begin afresh. A reader may be in the way for longer
// than writes may wait; then it is tried again after more of them.
func (t *tx) restartLog() {
	_ = t.pragma("busy_timeout(20)")
	_ = t.checkpoint("RESTART")
	_ = t.pragma(busyTimeout)
}

func (t *tx) pragma(what string) error {
	if t.conn == nil {
		return nil // the next begin makes a new one
	}
	_, err := t.conn.ExecContext(context.Background(), "PRAGMA "+what)
	return err
}

// checkpoint copies the log into the database and syncs that. FULL copies all or
// fails; RESTART has the log begin afresh, too.
func (t *tx) checkpoint(mode string) error {
	if t.conn == nil {
		if err := t.connect(context.Background()); err != nil {
			return err
		}
	}
	var busy, pages, copied int64
	err := t.conn.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &pages, &copied)
	if err == nil && (busy != 0 || copied < pages) {
		err = fmt.Errorf("ledger: %d of %d pages of the log copied", copied, pages)
	}
	return err
}
