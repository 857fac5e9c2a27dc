package ledger

import (
	"database/sql"
	"encoding/json"
	"strconv"
	"strings"
)

// A statement about many rows names them {{rows}}, and their columns {{0}}, {{1}}
// and so on. Where each statement is a way to a server and back, there is one for
// all; else it is run for each, which spares what it takes to read them.

// put runs a statement that writes rows.
func (t *tx) put(rows [][]any, q string) error {
	return t.bulk(rows, q, func(s *sql.Stmt, args []any) error {
		_, err := s.ExecContext(t.ctx, args...)
		return err
	})
}

// rows asks about rows, and has each row of the answer scanned.
func (t *tx) rows(about [][]any, q string, scan func(rowScanner) error) error {
	return t.bulk(about, q, func(s *sql.Stmt, args []any) error {
		found, err := s.QueryContext(t.ctx, args...)
		if err != nil {
			return err
		}
		_, err = collect(found, func(r rowScanner) (struct{}, error) { return struct{}{}, scan(r) })
		return err
	})
}

func (t *tx) bulk(rows [][]any, q string, run func(*sql.Stmt, []any) error) error {
	if len(rows) == 0 {
		return nil
	}
	s, ok := t.stmts[q]
	if !ok {
		var err error
		if s, err = t.conn.PrepareContext(t.ctx, t.engine.sql(t.engine.inBulk(q))); err != nil {
			return err
		}
		t.stmts[q] = s
	}
	if t.engine.bulk {
		text, err := json.Marshal(rows)
		if err != nil {
			return err
		}
		return run(s, []any{string(text)})
	}
	return each(rows, func(row []any) error { return run(s, row) })
}

// inBulk fills in where the rows are.
func (e engine) inBulk(q string) string {
	rows, column := "(SELECT 1)", func(n int) string { return "$" + strconv.Itoa(n+1) }
	if e.bulk {
		rows, column = "json_array_elements(CAST($1 AS TEXT)::json)", func(n int) string { return "(value->>" + strconv.Itoa(n) + ")" }
	}
	q = strings.ReplaceAll(q, "{{rows}}", rows)
	for n := 0; strings.Contains(q, "{{"+strconv.Itoa(n)+"}}"); n++ {
		q = strings.ReplaceAll(q, "{{"+strconv.Itoa(n)+"}}", column(n))
	}
	return q
}
