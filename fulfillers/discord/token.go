package discord

import (
	"fmt"
	"io"
	"log/slog"
)

// Token is the bot's token. It never prints itself: the text sits in a closure,
// so that printing a struct that holds one shows nothing either.
type Token struct{ reveal func() string }

// SetSecret replaces the token; by it the config knows that this is a secret.
func (t *Token) SetSecret(text string) {
	t.reveal = nil
	if text != "" {
		t.reveal = func() string { return text }
	}
}

// Reveal returns the token, for the one call that needs it.
func (t Token) Reveal() string {
	if t.reveal == nil {
		return ""
	}
	return t.reveal()
}

// String implements fmt.Stringer.
func (t Token) String() string {
	if t.reveal == nil {
		return ""
	}
	return "[redacted]"
}

// Format implements fmt.Formatter for every verb.
func (t Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

// MarshalText implements encoding.TextMarshaler.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// LogValue implements slog.LogValuer.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }
