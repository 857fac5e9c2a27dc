package main

import (
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// postgres measures one burst and one pickup on a Postgres of our own, which
// syncs like SQLite does.
func (b *bench) postgres(func(string) bool) error {
	url, stop, err := b.startPostgres()
	if err != nil {
		return err
	}
	defer stop()
	b.table.share("postgres", 0, "pickup", 1)
	b.table.share("postgres", 0, "burst", 1)
	d, err := b.startDaemon(daemonOptions{database: url})
	if err != nil {
		return err
	}
	defer d.drop()
	if err := d.bursts("postgres", 1, b.burst); err != nil {
		return err
	}
	return d.pickups("postgres", 1, b.pickup)
}

func (b *bench) startPostgres() (url string, stop func(), err error) {
	dir, err := b.folder("postgres")
	if err != nil {
		return "", nil, err
	}
	owner, err := unprivileged()
	if err != nil {
		return "", nil, err
	}
	password := rand.Text()
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte(password), 0o600); err != nil {
		return "", nil, err
	}
	if owner != nil {
		if err := errors.Join(os.Chown(dir, int(owner.Uid), int(owner.Gid)), os.Chown(filepath.Join(dir, "password"), int(owner.Uid), int(owner.Gid))); err != nil {
			return "", nil, err
		}
	}
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(postgresBin(), name), args...)
		cmd.Dir, cmd.Env = dir, environ()
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
		return cmd
	}
	if out, err := command("initdb", "--pgdata=data", "--username=bench", "--auth=password", "--pwfile=password",
		"--encoding=UTF8", "--no-locale").CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	address, err := freePort()
	if err != nil {
		return "", nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	p, err := b.start(command("postgres", "-D", "data", "-h", "127.0.0.1", "-p", port,
		"-c", "unix_socket_directories=", "-c", "shared_buffers=256MB", "-c", "max_wal_size=4GB"))
	if err != nil {
		return "", nil, err
	}
	p.end = syscall.SIGQUIT // it leaves no shared memory behind
	url = fmt.Sprintf("postgres://bench:%s@%s/postgres?sslmode=disable", password, address)
	return url, func() { p.stop(p.end) }, b.answers(p, url)
}

// answers waits until a Postgres does.
func (b *bench) answers(p *process, url string) error {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	defer db.Close()
	for began := time.Now(); ; {
		err := db.PingContext(b.ctx)
		if err == nil {
			return nil
		}
		if time.Since(began) > 30*time.Second || b.pause(20*time.Millisecond) != nil {
			return p.failed(err)
		}
	}
}

// postgresBin is the folder of initdb and postgres; Debian keeps it out of PATH.
func postgresBin() string {
	if initdb, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(initdb)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}

// unprivileged is a user without rights when we are root, as whom Postgres
// refuses to run.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, err
	}
	uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(uidErr, gidErr)
}
