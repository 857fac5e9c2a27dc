//go:build unix

// Package testserver starts throw-away Redis and Postgres servers for tests.
//
// Each belongs to the process that started it and goes away with it, however
// that ends. A test whose server cannot be had is skipped aloud, or fails where
// E2E=required is set. It must not know anything of the daemon, and only tests
// and benchmarks import it.
package testserver

import (
	"fmt"
	"os"
	"testing"
)

// Missing ends a test whose server is not to be had.
func Missing(t testing.TB, what, remedy string) {
	t.Helper()
	text := fmt.Sprintf("NOT TESTED: %s needs %s; %s", t.Name(), what, remedy)
	if os.Getenv("E2E") == "required" {
		t.Fatal(text)
	}
	fmt.Fprintln(os.Stderr, text) // go test shows the reason of a skip only with -v
	t.Skip(text)
}
