//go:build unix

package testserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

const postgresRemedy = "install the Postgres server (Debian: apt-get install postgresql) or set POSTGRES_URL to one where databases may be created"

// Postgres returns the URL of an empty database, dropped at the end of the test.
// It is on the server of POSTGRES_URL if that is set, else on one that all tests
// of this process share.
func Postgres(t testing.TB) string {
	t.Helper()
	server := os.Getenv("POSTGRES_URL")
	if server == "" {
		server = ownServer(t)
	}
	name := "testserver_" + strings.ToLower(rand.Text())
	if err := run(server, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		t.Fatalf("testserver: %v", err)
	}
	t.Cleanup(func() {
		if err := run(server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("testserver: %v", err)
		}
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("testserver: POSTGRES_URL is no URL: %v", errors.Unwrap(err)) // its text holds a password
	}
	u.Path = "/" + name
	return u.String()
}

// run carries out one statement on a server.
func run(server, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

func ownServer(t testing.TB) string {
	t.Helper()
	p, err := sharedPostgres()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		Missing(t, "a Postgres server", postgresRemedy)
	case err != nil:
		t.Fatalf("testserver: %v", err)
	}
	return p.url()
}

// sharedPostgres starts the server of this process, which its guard ends with it.
var sharedPostgres = sync.OnceValues(func() (*postgres, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	for range 3 { // another may be quicker to take the port
		var p *postgres
		if p, err = newPostgres(bin); err == nil {
			return p, nil
		}
	}
	return nil, err
})

// postgresBin finds the folder of initdb and postgres. Debian keeps it out of
// PATH, one a version.
func postgresBin() (string, error) {
	if initdb, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(initdb), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", exec.ErrNotFound
	}
	return filepath.Dir(found[len(found)-1]), nil
}

type postgres struct {
	bin      string
	dir      string
	port     int
	password string // anybody on this machine can reach the port
	owner    *syscall.Credential
	process  *process
}

// quit ends a Postgres at once, but in order, so that no shared memory is left
// behind, waits for it, 5 s at most, and removes its directory. It waits for the
// lock file: the process may stay a zombie where nobody reaps.
const quit = `kill -QUIT "$0"; n=0; while [ -e "$1/data/postmaster.pid" ] && [ $n -lt 50 ]; do n=$((n+1)); sleep 0.1; done; rm -rf "$1"`

func newPostgres(bin string) (*postgres, error) {
	dir, err := os.MkdirTemp("", "testserver-postgres-")
	if err != nil {
		return nil, err
	}
	p := &postgres{bin: bin, dir: dir, password: rand.Text()}
	for _, step := range []func() error{p.own, p.init, p.run} {
		if err := step(); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
	}
	return p, nil
}

func (p *postgres) file(name string) string { return filepath.Join(p.dir, name) }

// own writes the password and, when we are root, as whom Postgres refuses to
// run, gives it all to another user.
func (p *postgres) own() error {
	if err := os.WriteFile(p.file("password"), []byte(p.password), 0o600); err != nil {
		return err
	}
	if os.Getuid() != 0 {
		return nil
	}
	var err error
	if p.owner, err = other(); err != nil {
		return err
	}
	uid, gid := int(p.owner.Uid), int(p.owner.Gid)
	return errors.Join(os.Chown(p.file("password"), uid, gid), os.Chown(p.dir, uid, gid))
}

// other is a user without rights.
func other() (*syscall.Credential, error) {
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

func (p *postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, name), args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.owner}
	return cmd
}

func (p *postgres) init() error {
	cmd := p.command("initdb", "--pgdata=data", "--username=tester", "--auth=password", "--pwfile=password",
		"--encoding=UTF8", "--no-locale", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// run starts the server, in a hurry: what it holds need not survive a crash of
// the machine, though it does survive one of the server.
func (p *postgres) run() error {
	var err error
	if p.port, err = freePort(); err != nil {
		return err
	}
	args := []string{"-D", "data", "-h", "127.0.0.1", "-p", strconv.Itoa(p.port)}
	for _, setting := range []string{
		"unix_socket_directories=", "dynamic_shared_memory_type=mmap", "max_connections=200",
		"fsync=off", "synchronous_commit=off", "full_page_writes=off",
	} {
		args = append(args, "-c", setting)
	}
	log := p.file("log")
	if p.process, err = start(p.command("postgres", args...), log, quit); err != nil {
		return err
	}
	if err := p.process.await(p.answers); err != nil {
		text := tail(log)
		p.process.stop()
		return fmt.Errorf("postgres at %s: %w\n%s", loopback(p.port), err, text)
	}
	return nil
}

// answers cannot be fooled by another's server: it would not know the password.
func (p *postgres) answers(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.url())
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

func (p *postgres) url() string {
	return fmt.Sprintf("postgres://tester:%s@%s/postgres?sslmode=disable", p.password, loopback(p.port))
}
