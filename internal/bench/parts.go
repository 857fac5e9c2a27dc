package main

import (
	"os"
	"path/filepath"
	"time"
)

// rounds measures bursts and pickups, floor and daemon in turn.
func (b *bench) rounds(want func(string) bool) error {
	for round := range b.settings.rounds {
		if err := b.round(want, round == b.settings.rounds-1); err != nil {
			return err
		}
	}
	if !want("burst") {
		return nil
	}
	b.table.share("burst-info", 0, "burst", 1)
	d, err := b.startDaemon(daemonOptions{level: "info"})
	if err != nil {
		return err
	}
	defer d.drop()
	return d.bursts("burst-info", 1, b.burst)
}

// round measures the floor, then the daemon. The last ledger is kept.
func (b *bench) round(want func(string) bool, last bool) error {
	floor, err := b.startFloor()
	if err != nil {
		return err
	}
	err = floor.round(want, 0)
	floor.drop()
	if err != nil {
		return err
	}
	daemon, err := b.startDaemon(daemonOptions{})
	if err != nil {
		return err
	}
	if err := daemon.round(want, 1); err != nil {
		return err
	}
	if !last {
		daemon.drop()
		return nil
	}
	daemon.stop()
	b.used = daemonOptions{}.url(daemon.proc.dir)
	return nil
}

func (s *subject) round(want func(string) bool, column int) error {
	if want("burst") {
		if err := s.bursts("burst", column, s.burst); err != nil {
			return err
		}
		pid := s.proc.cmd.Process.Pid
		s.table.add("idle", column, afterRSS, memory(pid, "VmRSS"))
		s.table.add("idle", column, highRSS, memory(pid, "VmHWM"))
	}
	if !want("pickup") {
		return nil
	}
	return s.pickups("pickup", column, s.pickup)
}

// bursts measures one burst, from the first send to the last job done.
func (s *subject) bursts(part string, column int, d time.Duration) error {
	if err := s.memory.mark(s.ctx); err != nil {
		return err
	}
	used := s.cpus()
	got, err := s.load().burst(d)
	if err != nil {
		return s.proc.failed(err)
	}
	ours := cpu(os.Getpid()) - used[2]
	did, err := s.drained(got.events)
	if err != nil {
		return err
	}
	now, n := s.cpus(), float64(got.events)
	for what, v := range map[string]float64{
		ack:      n / got.took.Seconds(),
		ackP50:   ms(percentile(got.waits, 50)),
		ackP99:   ms(percentile(got.waits, 99)),
		jobs:     float64(did.count) / did.last.Sub(got.began).Seconds(),
		drain:    max(0, did.last.Sub(got.began.Add(got.took)).Seconds()),
		lost:     n - float64(did.count),
		cpuProg:  float64((now[0] - used[0]).Microseconds()) / n,
		cpuRedis: float64((now[1] - used[1]).Microseconds()) / n,
		cpuLoad:  float64(ours.Microseconds()) / n,
	} {
		s.table.add(part, column, what, v)
	}
	return nil
}

// cpus is the time used so far by the program, its Redis and ourselves.
func (s *subject) cpus() [3]time.Duration {
	return [3]time.Duration{cpu(s.proc.cmd.Process.Pid), cpu(s.store.cmd.Process.Pid), cpu(os.Getpid())}
}

// rate is the steady load's, in events a second.
const rate = 200

// pickups measures how long it takes, at a steady load, until what was sent is done.
func (s *subject) pickups(part string, column int, d time.Duration) error {
	if err := s.memory.mark(s.ctx); err != nil {
		return err
	}
	got, err := s.load().steady(rate, d)
	if err != nil {
		return s.proc.failed(err)
	}
	did, err := s.drained(got.events)
	if err != nil {
		return err
	}
	s.table.add(part, column, pickP50, ms(percentile(did.waits, 50)))
	s.table.add(part, column, pickP99, ms(percentile(did.waits, 99)))
	if part == "pickup" {
		s.table.add(part, column, ackP99, ms(percentile(got.waits, 99)))
		s.table.add(part, column, lost, float64(got.events-did.count))
	}
	return nil
}

// idle watches both do nothing, at the same time.
func (b *bench) idle(func(string) bool) error {
	floor, err := b.startFloor()
	if err != nil {
		return err
	}
	defer floor.drop()
	daemon, err := b.startDaemon(daemonOptions{})
	if err != nil {
		return err
	}
	defer daemon.drop()
	if err := b.pause(3 * time.Second); err != nil { // what follows a start is over
		return err
	}
	both, began := []*subject{floor, daemon}, time.Now()
	before := [2]time.Duration{floor.cpus()[0], daemon.cpus()[0]}
	if err := b.pause(b.settings.idle); err != nil {
		return err
	}
	for i, s := range both {
		b.table.add("idle", i, idleCPU, 100*(s.cpus()[0]-before[i]).Seconds()/time.Since(began).Seconds())
		b.table.add("idle", i, idleRSS, memory(s.proc.cmd.Process.Pid, "VmRSS"))
	}
	return nil
}

// starts measures from the start of the process to its first 202.
func (b *bench) starts(func(string) bool) error {
	if b.used == "" {
		d, err := b.startDaemon(daemonOptions{})
		if err != nil {
			return err
		}
		err = d.bursts("", 1, b.short)
		d.stop()
		if err != nil {
			return err
		}
		b.used = daemonOptions{}.url(d.proc.dir)
	}
	for range 5 {
		for column, database := range []string{"", b.used} {
			if err := b.firstAck(column, database); err != nil {
				return err
			}
		}
	}
	return os.RemoveAll(filepath.Dir(b.used[len("sqlite://"):]))
}

func (b *bench) firstAck(column int, database string) error {
	d, err := b.launchDaemon(daemonOptions{database: database})
	if err != nil {
		return err
	}
	defer d.drop()
	if err := d.proc.ready(b.ctx, d.address); err != nil {
		return err
	}
	s, err := d.load().sender()
	if err != nil {
		return err
	}
	defer s.conn.Close()
	if err := s.send(time.Now()); err != nil {
		return d.proc.failed(err)
	}
	b.table.add("start", column, firstAck, ms(time.Since(d.proc.began)))
	return nil
}
