package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server of ours. It logs to a file in its directory.
type process struct {
	cmd   *exec.Cmd
	dir   string
	began time.Time
	done  chan struct{}
	end   os.Signal // by which it ends when nothing of it is wanted any more
}

// start starts a server in a group of its own, so that Ctrl-C is ours to pass on.
func (b *bench) start(cmd *exec.Cmd) (*process, error) {
	log, err := os.OpenFile(filepath.Join(cmd.Dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, dir: cmd.Dir, began: began, done: make(chan struct{}), end: os.Kill}
	go func() {
		_ = cmd.Wait() // how it ended stands in its log
		close(p.done)
	}()
	b.running = append(b.running, p)
	return p, nil
}

// stop ends a server in order, or by force after half a minute.
func (p *process) stop(s os.Signal) {
	_ = p.cmd.Process.Signal(s)
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// ready waits until a server takes connections.
func (p *process) ready(ctx context.Context, address string) error {
	for {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.done:
			return p.failed(errors.New("it exited"))
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

// failed adds the end of the log to an error.
func (p *process) failed(err error) error {
	log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
	return fmt.Errorf("%s: %w\n%s", filepath.Base(p.cmd.Path), err, log[max(0, len(log)-2000):])
}

// cpu is the processor time a process has used, from /proc (in steps of 10 ms).
func cpu(pid int) time.Duration {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// memory is a line of /proc/<pid>/status in megabytes: VmRSS, or VmHWM for its highest.
func memory(pid int, line string) float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(text), line+":")
	var kb float64
	_, _ = fmt.Sscan(rest, &kb)
	return kb / 1024
}

// freePort is one that nothing listens on at the moment.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// environ is what every server gets; nothing of the caller's settings.
func environ(more ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LC_ALL=C", "TZ=UTC"}, more...)
}

func (b *bench) redis() (*process, string, error) {
	address, err := freePort()
	if err != nil {
		return nil, "", err
	}
	dir, err := b.folder("redis")
	if err != nil {
		return nil, "", err
	}
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "",
		"--appendonly", "yes", "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0")
	cmd.Dir, cmd.Env = dir, environ()
	p, err := b.start(cmd)
	if err != nil {
		return nil, "", err
	}
	return p, address, p.ready(b.ctx, address)
}
