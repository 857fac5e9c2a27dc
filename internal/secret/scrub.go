package secret

import (
	"regexp"
	"strings"
)

// longest is how much of somebody else's text is worth keeping.
const longest = 300

var address = regexp.MustCompile(`[^\s"'<>(),;]+@[^\s"'<>(),;]+`)

// Scrub makes what somebody else says fit for logs and errors: an answer that
// quotes us must not spill a secret, nor a person's address.
func Scrub(text string, secrets ...Text) string {
	for _, s := range secrets {
		if !s.IsZero() {
			text = strings.ReplaceAll(text, s.Reveal(), Redacted)
		}
	}
	text = address.ReplaceAllString(text, Redacted)
	return strings.ToValidUTF8(text[:min(len(text), longest)], "")
}
