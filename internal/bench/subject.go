package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// subject is a program under measurement, with a Redis of its own.
type subject struct {
	*bench
	name    string
	address string
	proc    *process
	store   *process // its Redis
	memory  memoryOf
}

// memoryOf is where a subject keeps what it did.
type memoryOf interface {
	// mark begins to count.
	mark(ctx context.Context) error
	// done reports how much has been done since the mark, and whether that is all.
	done(ctx context.Context, events int) (bool, error)
	// effects tells of what was done since the mark.
	effects(ctx context.Context) (effects, error)
	close() error
}

// effects is what was done: when the last was, and how long each took from
// being sent, sorted.
type effects struct {
	count int
	last  time.Time
	waits []time.Duration
}

// options are the ways to start a daemon.
type daemonOptions struct {
	database string   // its URL; empty: a fresh file
	level    string   // of its log; empty: warn
	environ  []string // further settings
}

func (b *bench) startFloor() (*subject, error) {
	s := &subject{bench: b, name: "floor"}
	store, redis, err := b.redis()
	if err != nil {
		return nil, err
	}
	if s.address, err = freePort(); err != nil {
		return nil, err
	}
	dir, err := b.folder("floor")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(b.floorBin)
	cmd.Dir, cmd.Env = dir, environ("FLOOR_LISTEN="+s.address, "FLOOR_REDIS="+redis, "FLOOR_SECRET="+b.secret)
	if s.proc, err = b.start(cmd); err != nil {
		return nil, err
	}
	s.store, s.memory = store, floorMemory{"http://" + s.address}
	return s, s.proc.ready(b.ctx, s.address)
}

// startDaemon starts a daemon and returns once it listens.
func (b *bench) startDaemon(o daemonOptions) (*subject, error) {
	s, err := b.launchDaemon(o)
	if err != nil {
		return nil, err
	}
	if err := s.proc.ready(b.ctx, s.address); err != nil {
		return nil, err
	}
	s.memory, err = openLedger(o.url(s.proc.dir))
	return s, err
}

func (o daemonOptions) url(dir string) string {
	if o.database != "" {
		return o.database
	}
	return "sqlite://" + filepath.Join(dir, "l.db")
}

// launchDaemon starts a daemon and does not wait for it.
func (b *bench) launchDaemon(o daemonOptions) (*subject, error) {
	s := &subject{bench: b, name: "fulfilld"}
	store, redis, err := b.redis()
	if err != nil {
		return nil, err
	}
	admin, err := freePort()
	if err != nil {
		return nil, err
	}
	if s.address, err = freePort(); err != nil {
		return nil, err
	}
	dir, err := b.folder("daemon")
	if err != nil {
		return nil, err
	}
	if o.level == "" {
		o.level = "warn"
	}
	cmd := exec.Command(b.daemonBin, "serve")
	cmd.Dir, cmd.Env = dir, environ("FULFILLD_LISTEN="+s.address, "FULFILLD_ADMIN_LISTEN="+admin, "FULFILLD_ADMIN_TOKEN="+rand.Text(),
		"FULFILLD_DATABASE_URL="+o.url(dir), "FULFILLD_REDIS_URL=redis://"+redis+"/0",
		"FULFILLD_WEBHOOKS_POLAR_SECRETS="+b.secret, "FULFILLD_LOG_LEVEL="+o.level)
	cmd.Env = append(cmd.Env, o.environ...)
	s.store = store
	s.proc, err = b.start(cmd)
	return s, err
}

// stop ends it and forgets what its Redis kept; the ledger stays until the end
// of the run unless it is dropped.
func (s *subject) stop() {
	if s.memory != nil {
		_ = s.memory.close()
	}
	s.proc.stop(syscall.SIGTERM)
	s.store.stop(syscall.SIGKILL)
	_ = os.RemoveAll(s.store.dir)
}

// drop ends it and removes everything of it.
func (s *subject) drop() {
	s.stop()
	_ = os.RemoveAll(s.proc.dir)
}

func (s *subject) load() load { return load{s.ctx, s.address, s.key} }

// drained waits until all that was sent is done.
func (s *subject) drained(events int) (effects, error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.patience)
	defer cancel()
	for {
		ok, err := s.memory.done(ctx, events)
		if err != nil {
			return effects{}, s.proc.failed(err)
		}
		if ok {
			return s.memory.effects(ctx)
		}
		select {
		case <-ctx.Done():
			return effects{}, fmt.Errorf("%s: not all of %d events were done in time: %w", s.name, events, ctx.Err())
		case <-s.proc.done:
			return effects{}, s.proc.failed(fmt.Errorf("it exited"))
		case <-time.After(20 * time.Millisecond):
		}
	}
}
