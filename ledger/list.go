package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"fulfilld/grant"
)

// selection is a list being asked for: where it looks, under which conditions.
// Conditions join with AND. What it is given from outside becomes an argument,
// never a part of the query.
type selection struct {
	from  string
	where []string
	args  []any
}

// arg adds an argument and returns its placeholder.
func (s *selection) arg(v any) string {
	s.args = append(s.args, v)
	return fmt.Sprintf("$%d", len(s.args))
}

func (s *selection) and(condition string) { s.where = append(s.where, condition) }

// in keeps what has one of the values in a column; no values keep all.
func in[T ~string](s *selection, column string, values []T) {
	if len(values) > 0 {
		s.and(column + " IN (" + places(s, values) + ")")
	}
}

func notIn[T ~string](s *selection, column string, values []T) {
	if len(values) > 0 {
		s.and(column + " NOT IN (" + places(s, values) + ")")
	}
}

func places[T ~string](s *selection, values []T) string {
	marks := make([]string, len(values))
	for i, v := range values {
		marks[i] = s.arg(string(v))
	}
	return strings.Join(marks, ", ")
}

func (s *selection) text() string {
	if len(s.where) == 0 {
		return " FROM " + s.from
	}
	return " FROM " + s.from + " WHERE " + strings.Join(s.where, " AND ")
}

// orderBy spells an order out. The columns are the ones that may be sorted by;
// the last criterion makes the order total, so that pages do not overlap.
func orderBy(columns map[string]string, sort []grant.Sorting, otherwise, last string) string {
	var parts []string
	for _, s := range sort {
		if c, ok := columns[s.By]; ok {
			parts = append(parts, c+direction(s.Descending))
		}
	}
	if len(parts) == 0 {
		parts = append(parts, otherwise)
	}
	return " ORDER BY " + strings.Join(append(parts, last), ", ")
}

func direction(descending bool) string {
	if descending {
		return " DESC"
	}
	return ""
}

// list reads one page of a selection, and counts all of it.
func list[T any](ctx context.Context, l *Ledger, s selection, columns, order string, p grant.Page, scan func(rowScanner) (T, error)) (page []T, total int64, err error) {
	// Not prepared: the conditions make too many different queries to keep.
	if err := l.read.QueryRowContext(ctx, l.engine.sql("SELECT count(*)"+s.text()), s.args...).Scan(&total); err != nil {
		return nil, 0, err
	}
	if p.Offset() >= total {
		return nil, total, nil
	}
	args := append(slices.Clone(s.args), p.Limit, p.Offset())
	rows, err := l.read.QueryContext(ctx, l.engine.sql(fmt.Sprintf("SELECT %s%s%s LIMIT $%d OFFSET $%d",
		columns, s.text(), order, len(args)-1, len(args))), args...)
	if err != nil {
		return nil, 0, err
	}
	page, err = collect(rows, scan)
	return page, total, err
}

// one reads the only row of a selection; ErrNotFound when there is none.
func one[T any](ctx context.Context, l *Ledger, s selection, columns, order string, scan func(rowScanner) (T, error)) (v T, err error) {
	rows, err := l.read.QueryContext(ctx, l.engine.sql("SELECT "+columns+s.text()+order+" LIMIT 1"), s.args...)
	if err != nil {
		return v, err
	}
	all, err := collect(rows, scan)
	if err == nil && len(all) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return v, err
	}
	return all[0], nil
}

// pattern is text as a part of a LIKE pattern; escape `\`.
func pattern(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(text))
}

// more is a row with columns behind those that its scanner knows.
type more struct {
	rowScanner
	columns []any
}

// Scan implements rowScanner.
func (m more) Scan(into ...any) error { return m.rowScanner.Scan(append(into, m.columns...)...) }
