package polar

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"fulfilld/grant"
)

// stamp is a timestamp of the wire: RFC 3339, with or without a fraction; null is none.
type stamp struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (s *stamp) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	t, err := time.Parse(time.RFC3339Nano, unquoted(text))
	if err != nil {
		return &json.UnmarshalTypeError{Type: reflect.TypeFor[stamp]()}
	}
	s.Time = t.UTC()
	return nil
}

// key is an id of the wire: a lower-case UUID, or none. It reaches URLs and
// dashboards later, so nothing else gets in.
type key string

// UnmarshalJSON implements json.Unmarshaler.
func (k *key) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	id := unquoted(text)
	if !isUUID(id) {
		return &json.UnmarshalTypeError{Type: reflect.TypeFor[key]()}
	}
	*k = key(id)
	return nil
}

// unquoted is a string without its quotes. Nothing that is read by it has a
// reason to be escaped.
func unquoted(text []byte) string {
	if len(text) < 2 || text[0] != '"' {
		return ""
	}
	return string(text[1 : len(text)-1])
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		hex := (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')
		if dash != (c == '-') || (!dash && !hex) {
			return false
		}
	}
	return true
}

// common are the fields of every object.
type common struct {
	ID         key   `json:"id"`
	CreatedAt  stamp `json:"created_at"`
	ModifiedAt stamp `json:"modified_at"`
}

// version is the object's own, in an event made at sent. Some objects have
// further times that count.
func (c *common) version(sent time.Time, further ...time.Time) grant.Version {
	return grant.Version{At: grant.Latest(append(further, c.CreatedAt.Time, c.ModifiedAt.Time)...), Sent: sent}
}

// fill reads an object. path is where it is in the body, for errors.
func fill(text json.RawMessage, path string, v any) error {
	if len(text) == 0 {
		return fmt.Errorf("%s: is missing", path)
	}
	return mend(path, json.Unmarshal(text, v))
}

// mend names the field in what encoding/json says, and leaves its value out.
func mend(path string, err error) error {
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &wrong):
		return fmt.Errorf("%s: %w", joined(path, ""), err)
	}
	// encoding/json names Go's embedded struct as if it were a key.
	path = joined(path, strings.Replace(wrong.Field, "common.", "", 1))
	switch wrong.Type {
	case reflect.TypeFor[key]():
		return fmt.Errorf("%s: is not a lower-case UUID", path)
	case reflect.TypeFor[stamp]():
		return fmt.Errorf("%s: is not a timestamp", path)
	}
	value, _, _ := strings.Cut(wrong.Value, " ") // "number 1e999"
	return fmt.Errorf("%s: is a JSON %s, want %s", path, value, kindOf(wrong.Type))
}

// kindOf is JSON's word for a Go type.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "object"
	case reflect.Slice:
		return "array"
	case reflect.Bool:
		return "bool"
	case reflect.Int64:
		return "integer"
	case reflect.Float64:
		return "number within range"
	}
	return t.Kind().String()
}

// joined is the path of a field of what is at path.
func joined(path, field string) string {
	switch {
	case path == "" && field == "":
		return "body"
	case path == "" || field == "":
		return path + field
	}
	return path + "." + field
}

// id is one that an object cannot be without.
type id struct {
	name string
	key  key
}

// need fails when any of the ids is missing.
func need(path string, ids ...id) error {
	for _, id := range ids {
		if id.key == "" {
			return fmt.Errorf("%s: is missing", joined(path, id.name))
		}
	}
	return nil
}

// kept is an object as it may be stored: nothing where it is null.
func kept(text json.RawMessage) json.RawMessage {
	if isNull(text) {
		return nil
	}
	return StripSecrets(text)
}

func isNull(text json.RawMessage) bool { return len(text) == 0 || string(text) == "null" }

// plain is a text as it may be stored: Postgres has no place for a NUL.
func plain(s string) string { return strings.ReplaceAll(s, "\x00", "") }

// embedded reads an object inside another one. One that is missing or malformed
// does not lose what it is part of.
func embedded[T any](text json.RawMessage, sent time.Time, of func(json.RawMessage, string, time.Time) (T, error)) []T {
	if isNull(text) {
		return nil
	}
	v, err := of(text, "data", sent)
	if err != nil {
		return nil
	}
	return []T{v}
}
