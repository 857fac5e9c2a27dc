//go:build unix

package testserver_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"fulfilld/internal/testserver"
)

// recorder is a test that remembers how it was ended.
type recorder struct {
	testing.TB
	fatal, skipped string
}

func (r *recorder) Fatal(args ...any) { r.fatal = fmt.Sprint(args...); r.TB.SkipNow() }
func (r *recorder) Skip(args ...any)  { r.skipped = fmt.Sprint(args...); r.TB.SkipNow() }

func TestWithoutARedis(t *testing.T) {
	for name, required := range map[string]string{"Skips": "", "FailsWhereRequired": "required"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PATH", t.TempDir())
			t.Setenv("REDIS_ADDR", "")
			t.Setenv("E2E", required)
			var r recorder
			t.Run("Test", func(t *testing.T) {
				r.TB = t
				testserver.Redis(&r)
			})
			said := r.skipped
			if required != "" {
				said = r.fatal
			}
			if !strings.Contains(said, "apt-get install redis-server") {
				t.Errorf("skipped %q, failed %q", r.skipped, r.fatal)
			}
		})
	}
}

const crash = "TESTSERVER_CRASH" // set in the process that TestNothingOutlivesACrash ends

func TestNothingOutlivesACrash(t *testing.T) {
	if os.Getenv(crash) != "" {
		postgres, err := url.Parse(testserver.Postgres(t))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("at", postgres.Host, testserver.Redis(t, `save ""`).Addr())
		os.Exit(3) // no cleanup runs
	}
	t.Setenv("POSTGRES_URL", "")
	testserver.Postgres(t) // skips us where there is none
	tmp := openDir(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestNothingOutlivesACrash$")
	cmd.Env = append(os.Environ(), crash+"=1", "TMPDIR="+tmp)
	out, _ := cmd.Output()
	if cmd.ProcessState.ExitCode() != 3 {
		t.Fatalf("%v\n%s", cmd.ProcessState, out)
	}
	for _, addr := range strings.Fields(string(out))[1:3] {
		eventually(t, func() error { return refused(addr) })
	}
	eventually(t, func() error { return noneLeft(tmp) })
}

// openDir is a directory that Postgres, which runs as another user, may enter:
// those above t.TempDir are closed to others.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "testserver-test-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func refused(addr string) error {
	if conn, err := net.Dial("tcp", addr); err == nil {
		_ = conn.Close()
		return fmt.Errorf("%s still answers", addr)
	}
	return nil
}

func noneLeft(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "testserver-postgres-") {
			return fmt.Errorf("%s is left", e.Name())
		}
	}
	return nil
}

func eventually(t *testing.T, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for err := check(); err != nil; err = check() {
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-tick.C:
		}
	}
}
