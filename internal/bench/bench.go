package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bench is one run.
type bench struct {
	settings
	ctx                 context.Context
	root                string // everything it keeps
	daemonBin, floorBin string
	secret              string // of the webhooks
	key                 []byte // the same, decoded
	patience            time.Duration
	running             []*process
	table               table
	used                string // a ledger that has seen a burst
}

func newBench(ctx context.Context, s settings) (*bench, error) {
	root, err := os.MkdirTemp(sameDisk(s.dir), "fulfilld-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{settings: s, ctx: ctx, root: root, key: make([]byte, 32), patience: 5 * time.Minute, table: table{}}
	if root, err = filepath.Abs(root); err == nil {
		b.root = root
	}
	_, _ = rand.Read(b.key) // never fails
	b.secret = "whsec_" + base64.StdEncoding.EncodeToString(b.key)
	b.daemonBin, b.floorBin = filepath.Join(b.root, "fulfilld"), filepath.Join(b.root, "floor")
	if err := errors.Join(os.Chmod(b.root, 0o755), b.build(b.daemonBin, "./cmd/fulfilld"), b.build(b.floorBin, "./internal/bench/floor")); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// sameDisk is where files may lie on the disk of the working directory.
func sameDisk(dir string) string {
	if dir != "" {
		return dir
	}
	var here, temp syscall.Stat_t
	if syscall.Stat(".", &here) == nil && syscall.Stat(os.TempDir(), &temp) == nil && here.Dev == temp.Dev {
		return os.TempDir()
	}
	return "."
}

func (b *bench) build(to, what string) error {
	cmd := exec.CommandContext(b.ctx, "go", "build", "-o", to, what)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", what, err, out)
	}
	return nil
}

func (b *bench) folder(name string) (string, error) { return os.MkdirTemp(b.root, name+"-") }

// close ends whatever runs, and removes everything.
func (b *bench) close() {
	for _, p := range slices.Backward(b.running) {
		p.stop(p.end)
	}
	_ = os.RemoveAll(b.root)
}

// pause waits, or ends early when the run does.
func (b *bench) pause(d time.Duration) error {
	select {
	case <-b.ctx.Done():
		return b.ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// facts is the machine: what it is, how its disk syncs, how busy it was before.
func (b *bench) facts() (string, error) {
	const appends = 500
	waits, err := b.syncs(appends)
	if err != nil {
		return "", err
	}
	text, _ := os.ReadFile("/proc/loadavg")
	busy, _, _ := strings.Cut(string(text), " ")
	return fmt.Sprintf("%d cores, %s, %s/%s; load before the run %s; append of 2.3 KB and fsync: p50 %.2f ms, p99 %.2f ms (%d, %s)\n",
		runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH, busy,
		ms(percentile(waits, 50)), ms(percentile(waits, 99)), appends, time.Now().UTC().Format("2006-01-02 15:04 MST")), nil
}

func (b *bench) syncs(n int) ([]time.Duration, error) {
	f, err := os.Create(filepath.Join(b.root, "syncs"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	chunk := make([]byte, 2300)
	var waits []time.Duration
	for range n {
		began := time.Now()
		if _, err := f.Write(chunk); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		waits = append(waits, time.Since(began))
	}
	slices.Sort(waits)
	return waits, nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// percentile reads it off a sorted list.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, len(sorted)*p/100)]
}
