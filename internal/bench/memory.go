package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
)

// floorMemory asks the floor, which counts.
type floorMemory struct{ url string }

func (f floorMemory) get(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

func (f floorMemory) count(ctx context.Context) (n int, last time.Time, err error) {
	text, err := f.get(ctx, "/count")
	if err != nil {
		return 0, last, err
	}
	var us int64
	_, err = fmt.Sscan(text, &n, &us)
	return n, time.UnixMicro(us), err
}

func (f floorMemory) mark(ctx context.Context) error {
	_, err := f.get(ctx, "/waits")
	return err
}

func (f floorMemory) done(ctx context.Context, events int) (bool, error) {
	n, _, err := f.count(ctx)
	return n >= events, err
}

func (f floorMemory) effects(ctx context.Context) (e effects, err error) {
	if e.count, e.last, err = f.count(ctx); err != nil {
		return e, err
	}
	text, err := f.get(ctx, "/waits")
	for _, line := range strings.Fields(text) {
		var us int64
		if _, err := fmt.Sscan(line, &us); err != nil {
			return e, err
		}
		e.waits = append(e.waits, time.Duration(us)*time.Microsecond)
	}
	slices.Sort(e.waits)
	return e, err
}

func (floorMemory) close() error { return nil }

// ledgerMemory reads a daemon's ledger beside it.
type ledgerMemory struct {
	db   *sql.DB
	from int64 // the last grant before the mark
}

func openLedger(url string) (*ledgerMemory, error) {
	driver, source := "pgx", url
	if file, ok := strings.CutPrefix(url, "sqlite://"); ok {
		driver, source = "sqlite", "file:"+file+"?mode=ro&_pragma=query_only(1)&_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return &ledgerMemory{db: db}, nil
}

func (l *ledgerMemory) mark(ctx context.Context) error {
	return l.db.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM grants`).Scan(&l.from)
}

// done asks two small indexes whether anything is left, so that it may be asked often.
func (l *ledgerMemory) done(ctx context.Context, _ int) (bool, error) {
	var left bool
	err := l.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM events WHERE state = 'accepted')
		OR EXISTS (SELECT 1 FROM fulfilments WHERE kind = 'license_keys' AND due_at > 0)`).Scan(&left)
	return !left, err
}

// effects reads what was recorded: grants that have their key.
func (l *ledgerMemory) effects(ctx context.Context) (e effects, err error) {
	rows, err := l.db.QueryContext(ctx, `SELECT f.done_at, f.done_at - f.event_at FROM grants g
		JOIN fulfilments f ON f.id = g.id || '.license_keys'
		WHERE g.seq > $1 AND f.state = 'granted'`, l.from)
	if err != nil {
		return e, err
	}
	defer rows.Close()
	var last int64
	for rows.Next() {
		var at, wait int64
		if err := rows.Scan(&at, &wait); err != nil {
			return e, err
		}
		last = max(last, at)
		e.waits = append(e.waits, time.Duration(wait)*time.Microsecond)
	}
	e.count, e.last = len(e.waits), time.UnixMicro(last)
	slices.Sort(e.waits)
	return e, rows.Err()
}

func (l *ledgerMemory) close() error { return l.db.Close() }
