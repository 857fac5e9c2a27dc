//go:build unix

package testserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// patience bounds every wait for a server. A start takes well under a second;
// a machine busy with everybody's tests may need much longer.
const patience = 30 * time.Second

// process is a server that cannot outlive this process: beside it stands a
// guard, a shell that blocks on a pipe whose other end, the leash, only we hold.
// A cleanup alone would not do, because none runs after a panic or a timeout.
type process struct {
	cmd   *exec.Cmd
	guard *exec.Cmd
	leash *os.File
	alive *os.File // at its end once the server, which holds the other end, is gone
}

// start starts cmd, its output going to the file log. end is the shell command
// by which the guard ends it; $0 is the server's process id, $1 its directory.
func start(cmd *exec.Cmd, log, end string) (*process, error) {
	output, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	alive, held, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer held.Close()
	cmd.Stdout, cmd.Stderr = output, output
	cmd.ExtraFiles = []*os.File{held}
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, alive.Close())
	}
	p := &process{cmd: cmd, alive: alive}
	if err := p.tie(end); err != nil {
		return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait(), alive.Close())
	}
	return p, nil
}

// tie starts the guard.
func (p *process) tie(end string) error {
	read, leash, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	p.leash = leash
	p.guard = exec.Command("/bin/sh", "-c", "read _; "+end, strconv.Itoa(p.cmd.Process.Pid), p.cmd.Dir)
	p.guard.Stdin = read
	ownGroup(p.guard)
	if err := p.guard.Start(); err != nil {
		return errors.Join(err, leash.Close())
	}
	return nil
}

// ownGroup keeps an interrupt from the terminal away from cmd: the guard must
// live to tidy up after it.
func ownGroup(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
}

// stop lets the guard end the server and returns once both are gone. The server
// is reaped last, so that its id cannot belong to another when the guard uses it.
func (p *process) stop() {
	_ = p.leash.Close()
	_ = p.guard.Wait()
	_ = p.cmd.Wait()
	_ = p.alive.Close()
}

// await polls until ready returns nil, the server is gone or patience ends.
func (p *process) await(ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return p.poll(ctx, ready)
}

func (p *process) poll(ctx context.Context, ready func(context.Context) error) error {
	for {
		err := ready(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("not ready in %v: %w", patience, err)
		case p.gone(10 * time.Millisecond):
			return errors.New("it exited")
		}
	}
}

// gone waits up to d for the server's end.
func (p *process) gone(d time.Duration) bool {
	if err := p.alive.SetReadDeadline(time.Now().Add(d)); err != nil {
		return true
	}
	_, err := p.alive.Read(make([]byte, 1))
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// tail is the end of a log, for the text of an error.
func tail(log string) string {
	text, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}
