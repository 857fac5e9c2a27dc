package config

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is text that never prints itself: every fmt verb, JSON, YAML and slog
// show [redacted], or nothing when it is empty. The text sits in a closure, so
// that printing a struct which holds a Secret in an unexported field, where fmt
// may not call methods, does not show it either.
type Secret struct {
	reveal func() string
}

// NewSecret keeps text as a secret.
func NewSecret(text string) Secret {
	var s Secret
	s.SetSecret(text)
	return s
}

// SetSecret replaces the text. Any type with this method is filled, redacted
// and given a <name>_file twin as a Secret is, so a kind can have its own.
func (s *Secret) SetSecret(text string) {
	if text == "" {
		s.reveal = nil
		return
	}
	s.reveal = func() string { return text }
}

// Reveal returns the text, for the one call that needs it.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.reveal == nil }

// Equal compares the texts. It is not constant time: for tests.
func (s Secret) Equal(other Secret) bool { return s.Reveal() == other.Reveal() }

// String implements fmt.Stringer.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return redacted
}

// Format implements fmt.Formatter for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON implements json.Marshaler.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalYAML implements yaml.Marshaler.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
