package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

const (
	checkpointEvery = 50 * time.Millisecond
	checkpointAfter = 12_000           // writes
	checkpointLate  = 30 * time.Second // when there were fewer
	smallRest       = 1500             // pages that a writer may copy by itself
	hugeLog         = 64_000           // pages: by then it must, however many
)

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
	l := &walLog{path: path + "-wal", db: db, flush: fdatasync, quit: quit, ended: make(chan struct{})}
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
		n := l.written.Load()
		if n < checkpointAfter && (n == 0 || time.Since(last) < checkpointLate) {
			continue
		}
		l.written.Store(0)
		last = time.Now()
		l.copy(ctx)
	}
}

// copy has the bulk of the log copied beside the writer's work, and the writer
// copy what has come meanwhile: only then does the log begin afresh.
func (l *walLog) copy(ctx context.Context) {
	for range 3 {
		var busy, pages, copied int64
		if err := l.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &pages, &copied); err != nil {
			return // whatever is wrong with the file, the next commit tells
		}
		if pages-copied <= smallRest || pages > hugeLog {
			l.crowded.Store(true)
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
