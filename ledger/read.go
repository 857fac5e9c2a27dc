package ledger

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// reader prepares each query once; the hot ones are read thousands of times a second.
type reader struct {
	*sql.DB
	engine engine
	mu     sync.Mutex
	stmts  map[string]*sql.Stmt
}

func (r *reader) stmt(ctx context.Context, q string) (*sql.Stmt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, ok := r.stmts[q]; ok {
		return s, nil
	}
	s, err := r.PrepareContext(ctx, r.engine.sql(q))
	if err != nil {
		return nil, err
	}
	if r.stmts == nil {
		r.stmts = map[string]*sql.Stmt{}
	}
	r.stmts[q] = s
	return s, nil
}

// row reads at most one row by a prepared query; ErrNotFound when there is none.
func (r *reader) row(ctx context.Context, q string, args []any, into ...any) error {
	s, err := r.stmt(ctx, q)
	if err != nil {
		return err
	}
	err = s.QueryRowContext(ctx, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// rows reads by a prepared query.
func (r *reader) rows(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	s, err := r.stmt(ctx, q)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}
