package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	brief = 1000                         // a body is cut to this: it is written once, at the end of its table, and never read
	chunk = 20_000                       // events filled in at once, sorted by id so that it is quick
	span  = 60 * 24 * time.Hour          // over which they happened; all within retention
	epoch = int64(1_000_000_000_000_000) // an integer above it is a time, in microseconds
)

// fill multiplies the rows that the one event in a ledger has in some tables. The
// copies differ in ids, addresses, hashes, keys and times; events' bodies are cut
// short.
func (b *bench) fill(file string, model *event, n int, names []string) error {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)&_pragma=cache_size(-400000)")
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(b.ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	tables, err := models(b.ctx, conn, model, names)
	if err != nil {
		return err
	}
	random := newRandom()
	for from := 1; from < n; from += chunk {
		if err := fillChunk(b.ctx, conn, tables, random, from, min(chunk, n-from), n); err != nil {
			return err
		}
	}
	if err := conn.Close(); err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	return syncFile(file)
}

// syncFile has the disk done with a file, so that it is not busy with it later.
func syncFile(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// fillChunk adds one run of events to each table.
func fillChunk(ctx context.Context, conn *sql.Conn, tables []*model, random *rand.ChaCha8, from, n, of int) error {
	ids := make([][][16]byte, fields)
	for f := range ids {
		ids[f] = make([][16]byte, n)
		for i := range ids[f] {
			_, _ = random.Read(ids[f][i][:]) // never fails
		}
		slices.SortFunc(ids[f], func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
	}
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		return err
	}
	e := newEvent()
	for _, t := range tables {
		for i := range n {
			for f := webhookID; f <= keyID; f++ {
				u := ids[f][i]
				u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
				layUUID(u, e.values[f])
			}
			copy(e.values[email][1:13], e.values[customerID][24:])
			if err := t.insert(ctx, e, ids[wireTime][i], from+i, of); err != nil {
				return fmt.Errorf("fill %s: %w", t.name, err)
			}
		}
	}
	_, err := conn.ExecContext(ctx, "COMMIT")
	return err
}

// model is a table's row of the one event.
type model struct {
	name    string
	columns []string
	values  []any
	cuts    []stencil
	args    []any
	stmt    *sql.Stmt
}

// perEvent are the tables with a row for each event.
var perEvent = []string{"events", "bodies", "customers", "members", "grants", "fulfilments", "attempts", "license_keys"}

func models(ctx context.Context, conn *sql.Conn, e *event, names []string) (all []*model, err error) {
	values := map[field]string{}
	for f, v := range e.values {
		values[field(f)] = string(v)
	}
	for _, name := range names {
		m := &model{name: name}
		if err := m.read(ctx, conn); err != nil {
			return nil, fmt.Errorf("the row of %s: %w", name, err)
		}
		for _, v := range m.values {
			switch v := v.(type) {
			case string:
				m.cuts = append(m.cuts, cut([]byte(v), values))
			case []byte:
				m.cuts = append(m.cuts, cut(v, values))
			default:
				m.cuts = append(m.cuts, stencil{})
			}
		}
		m.args = make([]any, len(m.values))
		marks := strings.TrimSuffix(strings.Repeat("?,", len(m.columns)), ",")
		if m.stmt, err = conn.PrepareContext(ctx, "INSERT INTO "+name+" ("+strings.Join(m.columns, ", ")+") VALUES ("+marks+")"); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

func (m *model) read(ctx context.Context, conn *sql.Conn) error {
	rows, err := conn.QueryContext(ctx, "SELECT * FROM "+m.name)
	if err != nil {
		return err
	}
	defer rows.Close()
	if m.columns, err = rows.Columns(); err != nil || !rows.Next() {
		return fmt.Errorf("there is none: %w", err)
	}
	m.values = make([]any, len(m.columns))
	into := make([]any, len(m.columns))
	for i := range into {
		into[i] = &m.values[i]
	}
	return errors.Join(rows.Scan(into...), rows.Err())
}

// insert adds the row of the n-th of so many events.
func (m *model) insert(ctx context.Context, e *event, hash [16]byte, n, of int) error {
	for i, v := range m.values {
		m.args[i] = m.value(i, v, e, hash, n, of)
	}
	if at := slices.Index(m.columns, "key_sha256"); at > 0 { // by which the key is found
		sum := sha256.Sum256([]byte(m.args[slices.Index(m.columns, "key")].(string)))
		m.args[at] = sum[:]
	}
	_, err := m.stmt.Exec(m.args...) // a context would cost a goroutine each
	return err
}

func (m *model) value(i int, v any, e *event, hash [16]byte, n, of int) any {
	column := m.columns[i]
	switch v := v.(type) {
	case int64:
		if column == "seq" || m.name == "attempts" && column == "id" {
			return v + int64(n)
		}
		if v > epoch {
			return v - (span / time.Duration(of) * time.Duration(of-n)).Microseconds()
		}
		return v
	case []byte:
		if strings.HasSuffix(column, "sha256") {
			sum := bytes.Clone(v)
			copy(sum, hash[:])
			return sum
		}
		m.cuts[i].put(v, e)
		return v[:min(brief, len(v))]
	case string:
		text := m.cuts[i].text
		m.cuts[i].put(text, e)
		switch {
		case m.name == "license_keys" && column == "id": // made from a hash, so as good as random
			layUUID(hash, text)
		case column == "key":
			binary.BigEndian.PutUint64(hash[:], uint64(n))
			copy(text[max(0, len(text)-32):], fmt.Sprintf("%X", hash))
		}
		return string(text)
	}
	return v
}
