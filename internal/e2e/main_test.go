//go:build unix

// Package e2e tests the built program from outside: real signals, real HTTP,
// real Redis and Postgres servers.
//
// It is a test package only. A test whose server is missing is skipped aloud, or
// fails where E2E=required is set. With E2E_BINARY the program is not built but
// taken from there.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil { // the small tests mostly wait
		panic(err)
	}
	code := m.Run()
	if dir := built.dir; dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

var built struct {
	once      sync.Once
	dir, path string
	err       error
}

// binary is the program under test, built once.
func binary(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		if built.path = os.Getenv("E2E_BINARY"); built.path != "" {
			return
		}
		//nolint:usetesting // it outlives the test that builds
		if built.dir, built.err = os.MkdirTemp("", "fulfilld-e2e-"); built.err != nil {
			return
		}
		built.path = filepath.Join(built.dir, "fulfilld")
		if out, err := exec.Command("go", "build", "-o", built.path, "fulfilld/cmd/fulfilld").CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatalf("build: %v", built.err)
	}
	return built.path
}

// leash keeps daemons from outliving this process, however it ends: they are in
// the process group of a shell that kills the group, itself too, when the pipe
// it reads from is closed.
var leash = sync.OnceValues(func() (group int, err error) {
	read, write, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer read.Close()
	guard := exec.Command("/bin/sh", "-c", "read _; kill -KILL 0")
	guard.Stdin = read
	guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := guard.Start(); err != nil {
		return 0, err
	}
	held = write
	return guard.Process.Pid, nil
})

var held *os.File // the leash's end: never closed by us
