package ledger

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("ledger", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("NOT TESTED: a full disk needs the right to mount one: %v", err)
	}
	s := open(t, "sqlite://"+dir+"/ledger.db", Options{})
	t.Cleanup(func() {
		_ = s.Close()
		must(t, syscall.Unmount(dir, syscall.MNT_DETACH))
	})
	ballast := filepath.Join(dir, "ballast")
	s.fails(func() {
		f, err := os.Create(ballast)
		must(t, err)
		defer f.Close()
		for err == nil {
			_, err = f.Write(make([]byte, 512))
		}
		if err := s.Probe(t.Context()); err == nil {
			t.Error("the probe went through")
		}
	}, func() { must(t, os.Remove(ballast)) })
}

// unprivileged runs fn without root's right to read and write everything.
func unprivileged(t *testing.T, fn func()) {
	if os.Getuid() != 0 {
		fn()
		return
	}
	runtime.LockOSThread() // never unlocked: the thread ends with its goroutine
	must(t, syscall.Setfsuid(65534))
	fn()
}

func TestReadOnlyFolderAndFileAreNamed(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]os.FileMode{"folder": 0o555, "file": 0o777} {
		dir := filepath.Join(t.TempDir(), "data")
		must(t, os.MkdirAll(dir, 0o777))
		must(t, os.WriteFile(filepath.Join(dir, "ledger.db"), nil, 0o444))
		must(t, os.Chmod(dir, mode))
		must(t, os.Chmod(filepath.Dir(dir), 0o755))
		must(t, os.Chmod(filepath.Dir(filepath.Dir(dir)), 0o755))
		err := make(chan error)
		go func() {
			unprivileged(t, func() {
				_, openErr := Open(t.Context(), "sqlite://"+dir+"/ledger.db", Options{})
				err <- openErr
			})
		}()
		if err := <-err; err == nil || !strings.Contains(err.Error(), "ledger.db") || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: %v", name, err)
		} else {
			t.Log(err)
		}
	}
}
