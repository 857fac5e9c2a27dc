package ledger

import (
	"os"
	"syscall"
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
