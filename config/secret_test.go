package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"fulfilld/config"
)

const hidden = "hunter2hunter2hunter2hunter2"

// holder has a secret in every position a struct can.
type holder struct {
	Open   config.Secret
	closed config.Secret
	list   []config.Secret
	byName map[string]config.Secret
	behind *config.Secret
	any    any
}

func hold() holder {
	s := config.NewSecret(hidden)
	return holder{Open: s, closed: s, list: []config.Secret{s}, byName: map[string]config.Secret{"a": s}, behind: &s, any: s}
}

// showsIt looks for the secret as text and as hexadecimal digits.
func showsIt(text string) bool {
	low := strings.ToLower(text)
	return strings.Contains(low, hidden) || strings.Contains(low, fmt.Sprintf("%x", "hunter2"))
}

func TestSecretNeverPrintsItself(t *testing.T) {
	t.Parallel()
	s := config.NewSecret(hidden)
	for _, flags := range []string{"", "+", "#", " ", "-40", "0", ".3"} {
		for verb := 'A'; verb <= 'z'; verb++ {
			for _, v := range []any{s, &s, hold(), []config.Secret{s}} {
				if text := fmt.Sprintf("%"+flags+string(verb), v); showsIt(text) {
					t.Errorf("%%%s%c of %T: %s", flags, verb, v, text)
				}
			}
		}
	}
	if text := fmt.Sprintf("%v %s %#v %q", s, s, s, s); text != strings.TrimSpace(strings.Repeat("[redacted] ", 4)) {
		t.Errorf("got %s", text)
	}
}

func TestSecretNeverEncodesItself(t *testing.T) {
	t.Parallel()
	s := config.NewSecret(hidden)
	asJSON, err := json.Marshal(map[string]any{"a": s, "b": hold(), "c": map[string]config.Secret{"d": s}})
	if err != nil || showsIt(string(asJSON)) || !bytes.Contains(asJSON, []byte("[redacted]")) {
		t.Errorf("JSON: %s, %v", asJSON, err)
	}
	asYAML, err := yaml.Marshal(map[string]any{"a": s, "b": struct{ C config.Secret }{s}})
	if err != nil || showsIt(string(asYAML)) || !bytes.Contains(asYAML, []byte("[redacted]")) {
		t.Errorf("YAML: %s, %v", asYAML, err)
	}
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "a", s, "b", hold(), "c", &s)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "a", s, "b", hold(), "c", &s)
	if showsIt(out.String()) {
		t.Errorf("slog: %s", &out)
	}
}

func TestSecretRevealsItselfWhenAsked(t *testing.T) {
	t.Parallel()
	var none config.Secret
	s := config.NewSecret(hidden)
	same(t, s.Reveal(), hidden)
	same(t, s.IsZero(), false)
	same(t, none.IsZero(), true)
	same(t, none.Reveal(), "")
	same(t, none.String(), "")
	same(t, config.NewSecret(""), none)
}
