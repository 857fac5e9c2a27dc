package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// pageOf is a page of a list as the admin API answers it.
type pageOf[T any] struct {
	Items      []T
	Pagination struct {
		TotalCount int64 `json:"total_count"`
		MaxPage    int64 `json:"max_page"`
	}
}

// table writes rows in aligned columns under a heading.
type table struct{ *tabwriter.Writer }

func newTable(w io.Writer, heading ...string) table {
	t := table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	t.row(heading...)
	return t
}

// next ends a table and begins another below it. A writer that fails fails again
// at the last one's end.
func (t table) next(w io.Writer, heading ...string) table {
	_ = t.Flush()
	fmt.Fprintln(w)
	return newTable(w, heading...)
}

// row writes one row. What comes from outside cannot break the table or talk to
// the terminal.
func (t table) row(cells ...string) {
	for i, c := range cells {
		if cells[i] = plain(c); cells[i] == "" {
			cells[i] = "-"
		}
	}
	fmt.Fprintln(t, strings.Join(cells, "\t"))
}

// footer ends a list: which part of it this was.
func (p *paging) footer(w io.Writer, pages, total int64) error {
	_, err := fmt.Fprintf(w, "Page %d of %d, %d in all.\n", p.page, max(pages, 1), total)
	return err
}

// plain is text on one line that a terminal takes for nothing but text.
func plain(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s))
}

// short cuts a text for a column.
func short(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}

// when is a time as people say it; "-" for none.
func when(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	d := time.Until(*t)
	if d > 0 {
		return "in " + roughly(d)
	}
	return roughly(-d) + " ago"
}

func roughly(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
