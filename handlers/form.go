package handlers

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"unicode/utf8"
)

// form reads the JSON object that a request carries, field by field, and collects
// everything wrong with it in the platform's words. Fields that nobody reads are
// ignored, as the platform does.
type form struct {
	raw    []byte
	fields map[string]json.RawMessage
	wrong  []fieldError
}

// formOf fails only when there is no object.
func formOf(r *http.Request) (*form, error) {
	raw, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, &apiError{status: http.StatusRequestEntityTooLarge, Name: "PayloadTooLarge", Detail: "The body has more than " + strconv.FormatInt(large.Limit, 10) + " bytes."}
	case err != nil:
		return nil, err
	}
	f := &form{raw: raw}
	switch ok := f.read(); {
	case !utf8.Valid(raw) || !ok && !json.Valid(raw):
		return nil, invalid(fieldError{"json_invalid", []string{"body"}, "JSON decode error", map[string]any{}, map[string]any{"error": "not a JSON document"}})
	case !ok:
		return nil, invalid(fieldError{"model_attributes_type", []string{"body"}, "Input should be a valid dictionary or object to extract fields from", f.whole(), nil})
	}
	return f, nil
}

// read reports whether the text is an object.
func (f *form) read() bool { return json.Unmarshal(f.raw, &f.fields) == nil && f.fields != nil }

// whole is what a refusal of the text shows.
func (f *form) whole() (v any) {
	_ = json.Unmarshal(f.raw, &v) // it was read before
	return v
}

// err is the answer to what is wrong; nil when all is fine.
func (f *form) err() error {
	if len(f.wrong) == 0 {
		return nil
	}
	return invalid(f.wrong...)
}

func (f *form) refuse(name, typ, msg string, input any, context map[string]any) {
	f.wrong = append(f.wrong, fieldError{typ, []string{"body", name}, msg, input, context})
}

// has reports whether a field is there and not null.
func (f *form) has(name string) bool {
	raw, ok := f.fields[name]
	return ok && string(raw) != "null"
}

// require notes that a field is missing. Null is given, of the wrong type.
func (f *form) require(names ...string) {
	for _, name := range names {
		if _, ok := f.fields[name]; !ok {
			f.refuse(name, "missing", "Field required", f.whole(), nil)
		}
	}
}

// only refuses fields of any other name, where to ignore one could let somebody see
// more than was meant.
func (f *form) only(names ...string) {
	for _, name := range slices.Sorted(maps.Keys(f.fields)) {
		if !slices.Contains(names, name) {
			f.refuse(name, "extra_forbidden", "Extra inputs are not permitted", f.fields[name], nil)
		}
	}
}

// field decodes a field that is given, and refuses what is of another type.
func field[T any](f *form, name, typ, msg string) (v T, ok bool) {
	raw, given := f.fields[name]
	if !given {
		return v, false
	}
	if string(raw) == "null" || json.Unmarshal(raw, &v) != nil {
		var input any
		_ = json.Unmarshal(raw, &input) // it was read as part of the whole
		f.refuse(name, typ, msg, input, nil)
		var none T
		return none, false
	}
	return v, true
}

// optional is field for a field in which null is as good as nothing.
func optional[T any](f *form, name, typ, msg string) (v T, ok bool) {
	if !f.has(name) {
		return v, false
	}
	return field[T](f, name, typ, msg)
}

// text reads a field that must be a text, without a zero character: no database
// could compare it.
func (f *form) text(name string) string {
	s, ok := field[string](f, name, "string_type", "Input should be a valid string")
	if ok && !isText(s) {
		f.refuse(name, "string_unicode", "Input should be a valid string, unable to parse raw data as a unicode string", s, nil)
	}
	return s
}

// id reads a UUID; empty where there is none, or null and nullable.
func (f *form) id(name string, nullable bool) string {
	if nullable && !f.has(name) {
		return ""
	}
	s, ok := field[string](f, name, "uuid_type", "UUID input should be a string, bytes or UUID object")
	if !ok {
		return ""
	}
	id, problem := parseID(s)
	if problem != "" {
		f.refuse(name, "uuid_parsing", "Input should be a valid UUID, "+problem, s, map[string]any{"error": problem})
	}
	return id
}

// truth reads a boolean; nil where there is none or null.
func (f *form) truth(name string) *bool {
	v, ok := optional[bool](f, name, "bool_type", "Input should be a valid boolean")
	if !ok {
		return nil
	}
	return &v
}
