package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing the operator has to change.
type Problem struct {
	// Path is the field, as in webhooks.polar.secrets[0], or a variable.
	Path string
	// Wrong says what is wrong with it. It never holds a secret.
	Wrong string
	// Instead says what to write; it may be empty.
	Instead string
	// Source is the file or the variable the value came from, when known.
	Source string
	// Line is the line in Source, from 1; 0 when there is none.
	Line int
}

// String is "path: what is wrong; what to write instead (file:line)".
func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", p.Path, p.Wrong)
	if p.Instead != "" {
		b.WriteString("; " + p.Instead)
	}
	switch {
	case p.Source == "" || p.Source == p.Path && p.Line == 0:
	case p.Line > 0:
		fmt.Fprintf(&b, " (%s:%d)", p.Source, p.Line)
	default:
		fmt.Fprintf(&b, " (%s)", p.Source)
	}
	return b.String()
}

// Problems is everything that is wrong, in the order of the file, then the
// rest by path.
type Problems []Problem

// Error has one line a problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		if (a.Line == 0) != (b.Line == 0) {
			return cmp.Compare(b.Line, a.Line)
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Path, b.Path))
	})
}

// err is nil without problems: a nil Problems in an error would not be.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}
