package ledger

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"fulfilld/grant"
)

// patience is how long a server may take over one transaction. One that does not
// answer at all would else hold a writer until TCP gives up, a quarter of an hour.
const patience = 30 * time.Second

// errBegin marks a transaction that could not even be begun.
var errBegin = errors.New("ledger: begin")

// tx is a writer's connection, inside a transaction while a job runs. Its
// statements are prepared once. Its context is nobody's: a caller that hangs up
// does not undo its neighbours' commit.
type tx struct {
	db     *sql.DB
	conn   *sql.Conn
	engine engine
	stmts  map[string]*sql.Stmt
	ctx    context.Context          // of the transaction under way
	seen   map[string]grant.Version // of benefits: what is stored is as new or newer
	owed   string                   // the fulfilment that is being seen through
	spoilt error                    // what failed within the write under way, see Through
}

func (t *tx) connect(ctx context.Context) error {
	conn, err := t.db.Conn(ctx)
	if err != nil {
		return err
	}
	if t.engine.name == "postgres" { // a lock another daemon holds must not stall the whole lane
		if _, err := conn.ExecContext(ctx, "SET lock_timeout = '2s'"); err != nil {
			return errors.Join(err, conn.Close())
		}
	}
	t.conn, t.stmts, t.seen, t.ctx = conn, make(map[string]*sql.Stmt), map[string]grant.Version{}, context.Background()
	return nil
}

// drop gives up a connection that cannot be trusted any more.
func (t *tx) drop() {
	_ = t.conn.Raw(func(any) error { return driver.ErrBadConn })
	t.close()
}

func (t *tx) close() {
	if t.conn == nil {
		return
	}
	for _, s := range t.stmts {
		_ = s.Close()
	}
	_ = t.conn.Close()
	t.conn = nil
}

// transact runs fn between BEGIN and COMMIT.
func (t *tx) transact(fn func() error) (err error) {
	ctx := context.Background()
	if t.engine.name == "postgres" {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	if err := t.begin(ctx); err != nil {
		return fmt.Errorf("%w: %w", errBegin, err)
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("ledger: panic in a write: %v", r)
		}
		if err != nil {
			t.rollback()
		}
	}()
	if err := fn(); err != nil {
		return err
	}
	_, err = t.exec("COMMIT")
	return err
}

// begin starts a transaction, on a fresh connection when the old one is gone.
func (t *tx) begin(ctx context.Context) error {
	if t.conn != nil {
		t.ctx = ctx
		_, err := t.exec(t.engine.begin)
		if err == nil || isBusy(err) {
			return err
		}
		t.drop()
	}
	if err := t.connect(ctx); err != nil {
		return err
	}
	t.ctx = ctx
	_, err := t.exec(t.engine.begin)
	return err
}

// isBusy reports that another process holds the file; that is not our connection's fault.
func isBusy(err error) bool { return strings.Contains(err.Error(), "SQLITE_BUSY") }

// rollback ends a failed transaction; a connection that cannot even do that is
// dropped. After a full disk, SQLite has rolled back by itself already.
func (t *tx) rollback() {
	clear(t.seen)
	if _, err := t.conn.ExecContext(t.ctx, "ROLLBACK"); err != nil && t.engine.name != "sqlite" {
		t.drop()
	}
}

func (t *tx) stmt(q string) (*sql.Stmt, error) {
	if s, ok := t.stmts[q]; ok {
		return s, nil
	}
	s, err := t.conn.PrepareContext(t.ctx, t.engine.sql(q))
	if err != nil {
		return nil, err
	}
	t.stmts[q] = s
	return s, nil
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(q string, args ...any) (int64, error) {
	s, err := t.stmt(q)
	if err != nil {
		return 0, err
	}
	res, err := s.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// row reads at most one row; ErrNotFound when there is none.
func (t *tx) row(q string, args []any, into ...any) error {
	s, err := t.stmt(q)
	if err != nil {
		return err
	}
	err = s.QueryRowContext(t.ctx, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// strings reads a column of ids.
func (t *tx) strings(q string, args ...any) ([]string, error) {
	s, err := t.stmt(q)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(t.ctx, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanText)
}

func scanText(r rowScanner) (s string, err error) {
	err = r.Scan(&s)
	return s, err
}

// rowScanner is a row, of one or of many.
type rowScanner interface{ Scan(into ...any) error }

// collect reads all rows and closes them.
func collect[T any](rows *sql.Rows, scan func(rowScanner) (T, error)) ([]T, error) {
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}
