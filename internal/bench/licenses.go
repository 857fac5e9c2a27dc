package main

import (
	"bytes"
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const licenseToken = "a-token-of-the-benchmark-0123456789"

// licenses measures validations of random keys over the route for tokens: a bare
// server that answers the same bytes, and the daemon on ledgers of two sizes, in
// turn.
func (b *bench) licenses(func(string) bool) error {
	few, err := b.licensed(100_000)
	if err != nil {
		return err
	}
	defer few.daemon.drop()
	shops := []*licenseShop{few}
	if b.keys > 0 {
		many, err := b.licensed(b.keys)
		if err != nil {
			return err
		}
		defer many.daemon.drop()
		shops = append(shops, many)
	}
	floor, err := b.startBare(few)
	if err != nil {
		return err
	}
	defer floor.stop(os.Kill)
	return b.licenseRounds(floor, shops)
}

func (b *bench) licenseRounds(floor *bareServer, shops []*licenseShop) error {
	for round := range b.settings.rounds + 1 {
		got, err := b.validations(shops[0], floor.address, floor.process, b.short)
		if err != nil {
			return err
		}
		b.tell(round, "licenses", 0, got)
		for i, s := range shops {
			got, err := b.validations(s, s.daemon.address, s.daemon.proc, b.short)
			if err != nil {
				return err
			}
			if i == 0 {
				b.tell(round, "licenses", 1, got)
			}
			if len(shops) > 1 {
				b.tell(round, "licenses-size", i, got)
			}
		}
	}
	return nil
}

// tell adds figures of a round; the first is to warm up.
func (b *bench) tell(round int, part string, column int, figures map[string]float64) {
	for what, v := range figures {
		if round > 0 {
			b.table.add(part, column, what, v)
		}
	}
}

// licenseShop is a daemon with so many keys.
type licenseShop struct {
	daemon       *subject
	organization string
	keys         []string
}

// licensed has a daemon issue one key, multiplies it, and starts a daemon on that.
func (b *bench) licensed(n int) (*licenseShop, error) {
	file, err := b.multiplied(n, []string{"customers", "license_keys"})
	if err != nil {
		return nil, err
	}
	s := &licenseShop{}
	if err := s.read(b, file); err != nil {
		return nil, err
	}
	s.daemon, err = b.startDaemon(daemonOptions{database: "sqlite://" + file,
		environ: []string{`FULFILLD_TOKENS=[{name: bench, token: ` + licenseToken + `, scopes: ["license_keys:write"]}]`}})
	return s, err
}

func (s *licenseShop) read(b *bench, file string) error {
	db, err := sql.Open("sqlite", "file:"+file+"?mode=ro")
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.QueryRowContext(b.ctx, `SELECT organization_id FROM license_keys LIMIT 1`).Scan(&s.organization); err != nil {
		return err
	}
	rows, err := db.QueryContext(b.ctx, `SELECT key FROM license_keys`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return err
		}
		s.keys = append(s.keys, key)
	}
	return rows.Err()
}

// bareServer answers what the daemon answers.
type bareServer struct {
	*process
	address string
}

func (b *bench) startBare(s *licenseShop) (*bareServer, error) {
	if err := b.build(filepath.Join(b.root, "bare"), "./internal/bench/bare"); err != nil {
		return nil, err
	}
	asks, err := s.asker(s.daemon.address)
	if err != nil {
		return nil, err
	}
	defer asks.conn.Close()
	text, err := asks.ask(s.keys[0])
	if err != nil {
		return nil, s.daemon.proc.failed(err)
	}
	if !bytes.Contains(text, []byte(`"activation":null`)) {
		return nil, fmt.Errorf("a validation is answered %.200q", text)
	}
	dir, err := b.folder("bare")
	if err != nil {
		return nil, err
	}
	f := &bareServer{}
	if f.address, err = freePort(); err != nil {
		return nil, err
	}
	answer := filepath.Join(dir, rand.Text())
	if err := os.WriteFile(answer, text, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(b.root, "bare"))
	cmd.Dir, cmd.Env = dir, environ("BARE_LISTEN="+f.address, "BARE_ANSWER="+answer)
	if f.process, err = b.start(cmd); err != nil {
		return nil, err
	}
	return f, f.ready(b.ctx, f.address)
}

// validations asks about random keys for a while.
func (b *bench) validations(s *licenseShop, address string, server *process, d time.Duration) (map[string]float64, error) {
	used, began := cpu(server.cmd.Process.Pid), time.Now()
	ours := cpu(os.Getpid())
	waits, err := s.storm(b.ctx, address, d)
	if err != nil {
		return nil, server.failed(err)
	}
	took, n := time.Since(began), float64(len(waits))
	return map[string]float64{
		validated: n / took.Seconds(),
		validP50:  ms(percentile(waits, 50)),
		validP99:  ms(percentile(waits, 99)),
		cpuValid:  float64((cpu(server.cmd.Process.Pid) - used).Microseconds()) / n,
		cpuAsker:  float64((cpu(os.Getpid()) - ours).Microseconds()) / n,
	}, nil
}
