package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fulfilld/internal/testserver"
)

// elsewhere are the README's commands that this test leaves to others, with who
// runs them.
var elsewhere = map[string]string{
	"go run ./cmd/fulfilld demo":                       "internal/e2e, with --once",
	"go test ./...":                                    ".ci/run",
	"go build -o bin/fulfilld ./cmd/fulfilld":          "internal/e2e builds it",
	`export FULFILLD_WEBHOOKS_POLAR_SECRETS="whsec_…"`: "this test's environment",
}

// TestReadmeCommandsWork runs every command of the README, in its order, beside
// a running daemon.
func TestReadmeCommandsWork(t *testing.T) {
	dir := t.TempDir()
	environ := []string{
		"FULFILLD_LISTEN=" + testserver.FreeAddress(t),
		"FULFILLD_ADMIN_LISTEN=" + testserver.FreeAddress(t),
		"FULFILLD_DATABASE_URL=sqlite://" + filepath.Join(dir, "fulfilld.db"),
		"FULFILLD_WEBHOOKS_POLAR_SECRETS=whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
	}
	d, err := startDaemon(t.Context(), &options{environ: environ}, slog.New(slog.DiscardHandler), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.shutdown(); err != nil {
			t.Error(err)
		}
	})
	ran := 0
	for _, line := range commands(t, "../../README.md") {
		words := strings.Fields(line)
		if elsewhere[line] != "" {
			continue
		}
		if words[0] != "fulfilld" {
			t.Errorf("nobody runs %q", line)
			continue
		}
		if err := eventually(t, words[1:], environ); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		ran++
	}
	if ran < 8 {
		t.Errorf("only %d commands ran", ran)
	}
}

// eventually runs a command until it succeeds: what the one before it set off
// takes a moment.
func eventually(t *testing.T, args, environ []string) error {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		var out bytes.Buffer
		err := run(t.Context(), args, environ, &out, &out)
		if err == nil || time.Now().After(deadline) {
			if err != nil {
				err = fmt.Errorf("%w\n%s", err, out.String())
			}
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// commands are the lines of a document's sh blocks.
func commands(t *testing.T, path string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, block := range strings.Split(string(text), "```") {
		if body, ok := strings.CutPrefix(block, "sh\n"); ok && i%2 == 1 {
			lines = append(lines, strings.Split(strings.TrimSpace(body), "\n")...)
		}
	}
	return lines
}

// TestReadmeListsTheKinds compares the table with the list.
func TestReadmeListsTheKinds(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "## What it fulfils")
	table, _, _ := strings.Cut(rest, "\n## ")
	got := map[string]bool{}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) > 3 && strings.Contains(cells[1], "`") {
			got[strings.Trim(cells[1], " `")] = strings.TrimSpace(cells[3]) == "yes"
		}
	}
	want := map[string]bool{}
	for _, k := range kinds(nil) {
		want[k.Name] = k.Default
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
