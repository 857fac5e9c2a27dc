// Package secret keeps credentials from being printed.
package secret

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// Redacted is shown instead.
const Redacted = "[redacted]"

// Text is text that never prints itself: every fmt verb, JSON, YAML and slog
// show [redacted], or nothing when it is empty. The text sits in a closure, so
// that printing a struct which holds one in an unexported field, where fmt
// may not call methods, does not show it either.
type Text struct {
	reveal func() string
}

// New keeps text as a secret.
func New(text string) Text {
	var s Text
	s.SetSecret(text)
	return s
}

// SetSecret replaces the text. By this method the config knows what to fill, to
// redact, and to give a <name>_file twin.
func (s *Text) SetSecret(text string) {
	if text == "" {
		s.reveal = nil
		return
	}
	s.reveal = func() string { return text }
}

// Reveal returns the text, for the one call that needs it.
func (s Text) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero reports whether there is no secret.
func (s Text) IsZero() bool { return s.reveal == nil }

// Equal compares the texts. It is not constant time: for tests.
func (s Text) Equal(other Text) bool { return s.Reveal() == other.Reveal() }

// String implements fmt.Stringer.
func (s Text) String() string {
	if s.IsZero() {
		return ""
	}
	return Redacted
}

// Format implements fmt.Formatter for every verb.
func (s Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText implements encoding.TextMarshaler.
func (s Text) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON implements json.Marshaler.
func (s Text) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalYAML implements yaml.Marshaler.
func (s Text) MarshalYAML() (any, error) { return s.String(), nil }

// LogValue implements slog.LogValuer.
func (s Text) LogValue() slog.Value { return slog.StringValue(s.String()) }
