package secret

import (
	"strings"
	"testing"
)

func TestWhatQuotesUsIsScrubbed(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"no such role":                             "no such role",
		"Bot hunter22 may not":                     "Bot [redacted] may not",
		`user "ada@example.com" and <b@c.d> exist`: `user "[redacted]" and <[redacted]> exist`,
		"": "",
	} {
		if got := Scrub(said, New("hunter22"), Text{}); got != want {
			t.Errorf("%q: %q, want %q", said, got, want)
		}
	}
	if got := Scrub(strings.Repeat("é", 200)); len(got) != 300 {
		t.Errorf("%d bytes", len(got))
	}
	if got := Scrub("x" + strings.Repeat("é", 200)); len(got) != 299 {
		t.Errorf("%d bytes, and half a letter", len(got))
	}
}
