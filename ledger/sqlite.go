package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
	_ "modernc.org/sqlite" // the driver "sqlite", pure Go
)

var sqliteEngine = engine{
	name:       "sqlite",
	now:        "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
	serial:     "INTEGER PRIMARY KEY",
	blob:       "BLOB",
	begin:      "BEGIN IMMEDIATE",
	writers:    1,
	serialed:   "last_insert_rowid()",
	applyBatch: 1,
}

const busyTimeout = "busy_timeout(2000)" // how long another process may hold the file, in milliseconds

// openSQLite opens one connection that writes and a few that read. The file is
// this process's alone.
func (l *Ledger) openSQLite(ctx context.Context, path string) error {
	l.engine = sqliteEngine
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	if err := l.lockFile(path + ".lock"); err != nil {
		return err
	}
	if err := private(path); err != nil {
		return err
	}
	path, err := filepath.EvalSymlinks(path) // SQLite puts its other files beside what it finds there
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	write, err := l.openDB(path, 1, "_txlock=immediate")
	if err != nil {
		return err
	}
	log, err := l.openLog(path)
	if err != nil {
		return err
	}
	if err := l.start(ctx, write, log); err != nil {
		return sqliteHint(path, err)
	}
	read, err := l.openDB(path, max(2, runtime.GOMAXPROCS(0)), "_pragma=query_only(1)&_pragma=cache_size(-8000)") // the inner pages of a million license keys; every commit empties it
	l.read = &reader{DB: read, engine: l.engine}
	return err
}

func (l *Ledger) openLog(path string) (*walLog, error) {
	if l.opts.Fast {
		return nil, nil
	}
	db, err := l.openDB(path, 1, "")
	if err != nil {
		return nil, err
	}
	log := newWALLog(path, db)
	l.close = append(l.close, log.stop)
	return log, nil
}

func (l *Ledger) openDB(path string, conns int, extra string) (*sql.DB, error) {
	sync, checkpoint := "NORMAL", 0 // the log's business, see walLog
	if l.opts.Fast {
		sync, checkpoint = "OFF", 8000
	}
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_pragma=" + busyTimeout + "&_pragma=journal_mode(WAL)&_pragma=synchronous(" + sync + ")" +
		"&_pragma=cache_size(-8000)&_pragma=wal_autocheckpoint(" + strconv.Itoa(checkpoint) + ")&_pragma=journal_size_limit(67108864)&" + extra
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	l.close = append(l.close, db.Close)
	return db, nil
}

// private makes the file its owner's alone before SQLite would make it everybody's
// to read: it holds addresses and license keys. SQLite's other files take after it.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return sqliteHint(path, fmt.Errorf("ledger: %w", err))
	}
	return f.Close()
}

// lockFile keeps a second daemon off the file and names the holder when refused.
func (l *Ledger) lockFile(path string) error {
	lock := flock.New(path, flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("ledger: lock %s: %w", path, err)
	}
	if !ok {
		holder, _ := os.ReadFile(path)
		return fmt.Errorf("ledger: %s is held by another daemon (pid %s); stop it first, or use postgres:// for several",
			path, strings.TrimSpace(string(holder)))
	}
	l.close = append(l.close, lock.Close)
	return os.WriteFile(path, []byte(fmt.Sprintln(os.Getpid())), 0o600)
}

func sqliteHint(path string, err error) error {
	if strings.Contains(err.Error(), "readonly") || strings.Contains(err.Error(), "unable to open") || errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w (is %s writable by this user?)", err, path)
	}
	return err
}
