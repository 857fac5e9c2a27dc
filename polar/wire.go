package polar

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"fulfilld/grant"
)

// stamp is a timestamp of the wire: RFC 3339, with or without a fraction; null is none.
type stamp struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (s *stamp) UnmarshalJSON(text []byte) error {
	if len(text) == 0 || string(text) == "null" {
		return nil
	}
	var v string
	if err := json.Unmarshal(text, &v); err != nil {
		return errors.New("a timestamp is not a string")
	}
	t, err := time.Parse(time.RFC3339Nano, v)
	if err != nil {
		return fmt.Errorf("%.40q is not a timestamp", v)
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
	var v string
	if err := json.Unmarshal(text, &v); err != nil || !isUUID(v) {
		return errors.New("an id is not a lower-case UUID")
	}
	*k = key(v)
	return nil
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

// need fails when an id that cannot be missing is.
func need(name string, k key) error {
	if k == "" {
		return fmt.Errorf("data.%s: is missing", name)
	}
	return nil
}

// common are the fields of every object.
type common struct {
	ID         key   `json:"id"`
	CreatedAt  stamp `json:"created_at"`
	ModifiedAt stamp `json:"modified_at"`
}

// version is the object's own, in an event made at sent.
func (c common) version(sent time.Time) grant.Version {
	return grant.Version{At: grant.Latest(c.CreatedAt.Time, c.ModifiedAt.Time), Sent: sent}
}

// kept is an object as it may be stored: nothing where it is null.
func kept(text json.RawMessage) json.RawMessage {
	if len(text) == 0 || string(text) == "null" {
		return nil
	}
	return StripSecrets(text)
}
