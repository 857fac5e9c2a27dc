package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// tx is a writer's connection, inside a transaction while a job runs. Its
// statements are prepared once. Its context never ends: a caller that hangs up
// does not undo its neighbours' commit.
type tx struct {
	db     *sql.DB
	conn   *sql.Conn
	engine engine
	stmts  map[string]*sql.Stmt
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
	t.conn, t.stmts = conn, make(map[string]*sql.Stmt)
	return nil
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

// transact runs fn between BEGIN and COMMIT, on a fresh connection when the old one is gone.
func (t *tx) transact(fn func() error) (err error) {
	if t.conn == nil {
		if err := t.connect(context.Background()); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("ledger: panic in a write: %v", r)
		}
		if err != nil {
			t.rollback()
		}
	}()
	begin := "BEGIN"
	if t.engine.name == "sqlite" {
		begin = "BEGIN IMMEDIATE"
	}
	if _, err := t.exec(begin); err != nil {
		return err
	}
	if err := fn(); err != nil {
		return err
	}
	_, err = t.exec("COMMIT")
	return err
}

// rollback ends a failed transaction; a connection that cannot even do that is
// dropped. After COMMIT failed, SQLite may have rolled back by itself already.
func (t *tx) rollback() {
	if t.conn == nil {
		return
	}
	if _, err := t.conn.ExecContext(context.Background(), "ROLLBACK"); err != nil && t.engine.name != "sqlite" {
		t.close()
	}
}

func (t *tx) stmt(q string) (*sql.Stmt, error) {
	if s, ok := t.stmts[q]; ok {
		return s, nil
	}
	s, err := t.conn.PrepareContext(context.Background(), t.engine.sql(q))
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
	res, err := s.ExecContext(context.Background(), args...)
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
	err = s.QueryRowContext(context.Background(), args...).Scan(into...)
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
	rows, err := s.QueryContext(context.Background(), args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(r rowScanner) (string, error) {
		var s string
		err := r.Scan(&s)
		return s, err
	})
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
