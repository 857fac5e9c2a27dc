package ledger

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// fdatasync makes a file's contents durable, but not its times, which would
// cost another write.
func fdatasync(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return err
		}
	}
}

// writeOut has the system begin to write what it holds of a file. It waits for
// nothing and promises nothing.
func writeOut(f *os.File) {
	_ = unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
}
