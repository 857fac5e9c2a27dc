package ledger

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// bulk is a statement about many rows. {{from}} is where it has them from, {{0}},
// {{1}} and so on are their columns, and {{in}} compares with the first. Without rows
// there is nothing to do.
type bulk struct {
	rows [][]any
	q    string
	scan func(rowScanner) error // of each row of the answer; nil: it has none
}

// bulks runs statements one after another. Where each is a way to a server and
// back they go together, each with all its rows; else each is run for every row.
func (t *tx) bulks(all ...bulk) error {
	if t.engine.bulk {
		return t.conn.Raw(func(c any) error { return t.send(c.(*stdlib.Conn).Conn(), all) })
	}
	return each(all, func(b bulk) error {
		return each(b.rows, func(row []any) error { return t.one(b, row) })
	})
}

func (t *tx) one(b bulk, row []any) error {
	if b.scan == nil {
		_, err := t.exec(b.q, row...)
		return err
	}
	s, err := t.stmt(b.q)
	if err != nil {
		return err
	}
	found, err := s.QueryContext(t.ctx, row...)
	if err != nil {
		return err
	}
	_, err = collect(found, func(r rowScanner) (struct{}, error) { return struct{}{}, b.scan(r) })
	return err
}

// byIndex has statements planned once, and for a table that is large, whatever it
// was then: to plan them each time takes as long as to run them, and one that was
// planned for an empty table would read all of a full one.
const byIndex = `SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true),
	set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)`

func (t *tx) send(c *pgx.Conn, all []bulk) (err error) {
	batch := &pgx.Batch{}
	batch.Queue(byIndex)
	for _, b := range all {
		if len(b.rows) == 0 {
			continue
		}
		text, err := json.Marshal(b.rows)
		if err != nil {
			return err
		}
		batch.Queue(t.engine.sql(b.q), string(text)).Query(func(rows pgx.Rows) error {
			for rows.Next() {
				if err := b.scan(rows); err != nil {
					return err
				}
			}
			return rows.Err()
		})
	}
	if batch.Len() == 1 {
		return nil
	}
	return c.SendBatch(t.ctx, batch).Close()
}

// inBulk fills in where the rows are: in a JSON list of lists, or nowhere but in the
// arguments.
func (e engine) inBulk(q string) string {
	if e.bulk {
		const from = "FROM json_array_elements(CAST($1 AS TEXT)::json)"
		q = strings.NewReplacer("{{from}}", from, "{{in}}", "IN (SELECT value->>0 "+from+")").Replace(q)
		return column.ReplaceAllString(q, "(value->>${1})")
	}
	q = strings.NewReplacer("{{from}}", "", "{{in}}", "= $1").Replace(q)
	return column.ReplaceAllStringFunc(q, func(c string) string {
		n, _ := strconv.Atoi(strings.Trim(c, "{}"))
		return "$" + strconv.Itoa(n+1)
	})
}

var column = regexp.MustCompile(`\{\{(\d+)\}\}`)
