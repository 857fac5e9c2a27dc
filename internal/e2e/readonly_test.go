//go:build linux

package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A daemon that may not write its file says so and does not start.
func TestReadOnlyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "fulfilld.db")
	d := newDaemon(t, "sqlite://"+path, "")
	turn := readOnly(t, d, dir)
	d.start()
	p := newPlatform(d)
	p.send(t, buys(1))
	d.issued(1, patience)
	d.kill()

	turn(true)
	if err := d.launch(); err != nil {
		t.Fatal(err)
	}
	if code := d.ended(patience); code != 1 {
		t.Errorf("ended with %d", code)
	}
	said := d.log.String()
	if i := strings.LastIndex(said, "\nfulfilld: "); i < 0 || !strings.Contains(said[i:], path) {
		t.Errorf("it does not name the file:\n%s", said)
	}

	turn(false)
	d.start()
	p.send(t, buys(2))
	d.issued(1, patience)
	d.issued(2, patience)
}

// readOnly returns what makes a folder read-only, and writable again. Root may
// write what its mode forbids: for it the folder is on a disk of its own.
func readOnly(t *testing.T, d *daemon, dir string) (turn func(on bool)) {
	t.Helper()
	if os.Geteuid() != 0 {
		return func(on bool) { chmod(t, dir, on) }
	}
	if err := syscall.Mount("fulfilld-e2e", dir, "tmpfs", 0, ""); err != nil {
		t.Skipf("SKIPPED: a read-only file for root needs a disk of its own, and none can be mounted: %v", err)
	}
	t.Cleanup(func() {
		d.kill()
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return func(on bool) {
		var flag uintptr
		if on {
			flag = syscall.MS_RDONLY
		}
		if err := syscall.Mount("fulfilld-e2e", dir, "tmpfs", syscall.MS_REMOUNT|flag, ""); err != nil {
			t.Fatal(err)
		}
	}
}

// chmod takes the right to write from a folder and its files, or gives it back.
func chmod(t *testing.T, dir string, readOnly bool) {
	t.Helper()
	folder, file := os.FileMode(0o700), os.FileMode(0o600)
	if readOnly {
		folder, file = 0o500, 0o400
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	for _, f := range files {
		err = errors.Join(err, os.Chmod(f, file))
	}
	if err := errors.Join(err, os.Chmod(dir, folder)); err != nil {
		t.Fatal(err)
	}
}
