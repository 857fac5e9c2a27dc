package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fulfilld/config"
)

// ledgerIn is the config of a daemon with its data in dir, and no token.
func ledgerIn(dir string) *config.Config {
	return config.Load("", true, []string{"FULFILLD_DATABASE_URL=sqlite://" + filepath.Join(dir, "fulfilld.db")})
}

func TestATokenIsMadeOnceForItsOwnerOnly(t *testing.T) {
	t.Parallel()
	cfg := ledgerIn(filepath.Join(t.TempDir(), "data"))
	first, file, err := adminToken(cfg)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 || len(first) < shortestToken {
		t.Errorf("%q in %v, %v", first, info.Mode(), err)
	}
	if again, _, err := adminToken(cfg); err != nil || again != first {
		t.Errorf("the second start has %q, %v", again, err)
	}
	if read, err := daemonsToken(cfg); err != nil || read != first {
		t.Errorf("a command reads %q, %v", read, err)
	}
	if _, err := makeToken(file); err == nil {
		t.Error("a token that somebody else made is overwritten")
	}
}

func TestATokenThatOthersMayKnowIsRefused(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("t", shortestToken)
	for _, tt := range []struct {
		name, text string
		mode       os.FileMode
		says       string // empty: taken
	}{
		{"Good", good + "\n", 0o600, ""},
		{"ReadOnly", good, 0o400, ""},
		{"Group", good, 0o640, "mode 0640"},
		{"World", good, 0o604, "mode 0604"},
		{"GroupWrites", good, 0o620, "mode 0620"},
		{"Short", good[1:] + "\n", 0o600, "holds 23 characters"},
		{"Empty", "\n", 0o600, "holds 0 characters"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "admin.token")
			write(t, file, tt.text)
			if err := os.Chmod(file, tt.mode); err != nil {
				t.Fatal(err)
			}
			_, _, served := adminToken(ledgerIn(dir))
			_, asked := daemonsToken(ledgerIn(dir))
			for who, err := range map[string]error{"the daemon": served, "a command": asked} {
				if tt.says == "" && err != nil {
					t.Errorf("%s: %v", who, err)
				}
				if tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "delete it")) {
					t.Errorf("%s: %v, want %q and a mend", who, err, tt.says)
				}
				if err != nil && strings.Contains(err.Error(), "tttt") {
					t.Errorf("%s tells the token: %v", who, err)
				}
			}
		})
	}
}
