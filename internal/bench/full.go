package main

import (
	"os"
	"path/filepath"
	"time"
)

// full measures short bursts and pickups in turn on a ledger that is nearly
// empty and on one that has seen many events.
func (b *bench) full(func(string) bool) error {
	began := time.Now()
	ledger, err := b.multiplied(b.settings.full, perEvent)
	if err != nil {
		return err
	}
	b.table.add("full", 1, fillTime, time.Since(began).Seconds())
	defer os.RemoveAll(filepath.Dir(ledger))
	info, err := os.Stat(ledger)
	if err != nil {
		return err
	}
	b.table.add("full", 1, fileSize, float64(info.Size())/1e6)
	var both [2]*subject
	for i, database := range []string{"", "sqlite://" + ledger} {
		if both[i], err = b.startDaemon(daemonOptions{database: database}); err != nil {
			return err
		}
		defer both[i].drop()
		b.table.add("full", i, startFull, ms(time.Since(both[i].proc.began)))
	}
	for range 5 {
		for i, s := range both {
			if err := s.bursts("full", i, b.short); err != nil {
				return err
			}
			if err := s.pickups("full", i, b.short); err != nil {
				return err
			}
		}
	}
	for i, s := range both {
		b.table.add("full", i, highFull, memory(s.proc.cmd.Process.Pid, "VmHWM"))
	}
	return nil
}

// multiplied makes a ledger as it is after many events, in these tables: a daemon
// does one, and its rows are multiplied.
func (b *bench) multiplied(n int, tables []string) (string, error) {
	d, err := b.startDaemon(daemonOptions{})
	if err != nil {
		return "", err
	}
	s, err := d.load().sender()
	if err == nil {
		defer s.conn.Close()
		err = s.send(time.Now())
	}
	if err == nil {
		_, err = d.drained(1)
	}
	d.stop()
	if err != nil {
		return "", err
	}
	file := filepath.Join(d.proc.dir, "l.db")
	return file, b.fill(file, s.req.event, n, tables)
}
