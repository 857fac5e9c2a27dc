package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"fulfilld/grant"
)

const (
	pageSize    = 10
	maxPageSize = 100 // more is taken for this much
	maxValues   = 100 // of one field
)

// listing is a page of a list as the platform answers it.
type listing[T any] struct {
	Items      []T        `json:"items"`
	Pagination pagination `json:"pagination"`
}

type pagination struct {
	TotalCount int64 `json:"total_count"`
	MaxPage    int64 `json:"max_page"`
}

// listingOf presents the items of a page, of which there are total on all pages.
func listingOf[T, V any](items []T, total int64, p grant.Page, present func(T) V) listing[V] {
	l := listing[V]{Items: make([]V, 0, len(items))}
	for _, v := range items {
		l.Items = append(l.Items, present(v))
	}
	size := int64(p.Limit)
	l.Pagination = pagination{total, (total + size - 1) / size}
	return l
}

// query reads a request's parameters and collects everything wrong with them.
// Parameters that nobody reads are ignored, as the platform does.
type query struct {
	values url.Values
	wrong  []fieldError
}

func queryOf(r *http.Request) *query { return &query{values: r.URL.Query()} }

// err is the answer to bad parameters; nil when all are fine.
func (q *query) err() error {
	if len(q.wrong) == 0 {
		return nil
	}
	return invalid(q.wrong...)
}

func (q *query) refuse(name, typ, msg, input string, context map[string]any) {
	q.wrong = append(q.wrong, fieldError{typ, []string{"query", name}, msg, input, context})
}

// page reads page and limit.
func (q *query) page() grant.Page {
	p := grant.Page{Number: q.positive("page", 1), Limit: q.positive("limit", pageSize)}
	p.Limit = min(p.Limit, maxPageSize)
	return p
}

func (q *query) positive(name string, otherwise int) int {
	if !q.values.Has(name) {
		return otherwise
	}
	text := q.values.Get(name)
	n, err := strconv.ParseInt(text, 10, 32) // so that a page times its size stays a number
	switch {
	case err != nil:
		q.refuse(name, "int_parsing", "Input should be a valid integer, unable to parse string as an integer", text, nil)
	case n < 1:
		q.refuse(name, "greater_than", "Input should be greater than 0", text, map[string]any{"gt": 0})
	default:
		return int(n)
	}
	return otherwise
}

// text reads a parameter that may be any text.
func (q *query) text(name string) string {
	for _, v := range q.texts(name) {
		return strings.TrimSpace(v)
	}
	return ""
}

// texts reads a parameter that may be given several times.
func (q *query) texts(name string) []string {
	all := q.values[name]
	if len(all) > maxValues {
		q.refuse(name, "too_long", "List should have at most 100 items", strconv.Itoa(len(all))+" items", map[string]any{"max_length": maxValues})
		return nil
	}
	for _, v := range all {
		if !isText(v) {
			q.refuse(name, "string_unicode", "Input should be a valid string, unable to parse raw data as a unicode string", strings.ToValidUTF8(v, "\uFFFD"), nil)
			return nil
		}
	}
	return all
}

// metadata reads parameters of the form metadata[key]=value, by key.
func (q *query) metadata() map[string][]string {
	all := map[string][]string{}
	for name := range q.values {
		inner, opened := strings.CutPrefix(name, "metadata[")
		key, closed := strings.CutSuffix(inner, "]")
		switch {
		case !opened || !closed || key == "":
		case !isText(key):
			q.refuse("metadata", "string_unicode", "Input should be a valid string, unable to parse raw data as a unicode string", strings.ToValidUTF8(key, "\uFFFD"), nil)
		default:
			all[key] = q.texts(name)
		}
	}
	if len(all) > maxValues {
		q.refuse("metadata", "too_long", "Dictionary should have at most 100 items", strconv.Itoa(len(all))+" items", map[string]any{"max_length": maxValues})
	}
	return all
}

// isText reports whether a database can compare s with text of its own.
func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// ids reads a parameter of ids.
func (q *query) ids(name string) []string {
	var ids []string
	for _, text := range q.texts(name) {
		id, problem := parseID(text)
		if problem != "" {
			q.refuse(name, "uuid_parsing", "Input should be a valid UUID, "+problem, text, map[string]any{"error": problem})
			continue
		}
		ids = append(ids, id)
	}
	return ids
}

// parseID reads an id in any of its spellings, or says what is wrong with it.
func parseID(text string) (id, problem string) {
	u, err := uuid.Parse(text)
	switch {
	case err == nil:
		return u.String(), ""
	case len(text) != 32 && len(text) != 36:
		return "", "invalid length: expected length 32 for simple format, found " + strconv.Itoa(len(text))
	}
	return "", "invalid character"
}

// pathID reads the id in a request's path.
func pathID(r *http.Request) (string, error) { return pathField(r, "id") }

// pathField reads an id of another name.
func pathField(r *http.Request, name string) (string, error) {
	text := r.PathValue(name)
	id, problem := parseID(text)
	if problem != "" {
		return "", invalid(fieldError{"uuid_parsing", []string{"path", name}, "Input should be a valid UUID, " + problem, text, map[string]any{"error": problem}})
	}
	return id, nil
}

// words reads a parameter whose values come from a closed set.
func words[T ~string](q *query, name string, allowed ...T) []T {
	var out []T
	for _, text := range q.texts(name) {
		if !slices.Contains(allowed, T(text)) {
			expected := oneOf(allowed)
			q.refuse(name, "enum", "Input should be "+expected, text, map[string]any{"expected": expected})
			continue
		}
		out = append(out, T(text))
	}
	return out
}

// oneOf spells the choice out: 'a', 'b' or 'c'.
func oneOf[T ~string](allowed []T) string {
	var b strings.Builder
	for i, word := range allowed {
		switch {
		case i == 0:
		case i == len(allowed)-1:
			b.WriteString(" or ")
		default:
			b.WriteString(", ")
		}
		b.WriteString("'" + string(word) + "'")
	}
	return b.String()
}

// truth reads a boolean in any of the platform's spellings; nil when not given.
func (q *query) truth(name string) *bool {
	if !q.values.Has(name) {
		return nil
	}
	text := q.values.Get(name)
	var v bool
	switch strings.ToLower(text) {
	case "true", "1", "yes", "y", "on", "t":
		v = true
	case "false", "0", "no", "n", "off", "f":
	default:
		q.refuse(name, "bool_parsing", "Input should be a valid boolean, unable to interpret input", text, nil)
		return nil
	}
	return &v
}

// sorting reads the list's order; a minus sign in front means descending.
func (q *query) sorting(allowed ...string) []grant.Sorting {
	both := make([]string, 0, 2*len(allowed))
	for _, by := range allowed {
		both = append(both, by, "-"+by)
	}
	var all []grant.Sorting
	for _, text := range words(q, "sorting", both...) {
		by, descending := strings.CutPrefix(text, "-")
		all = append(all, grant.Sorting{By: by, Descending: descending})
	}
	return all
}
