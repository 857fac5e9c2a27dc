//go:build unix

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fulfilld/internal/testserver"
)

const (
	// patience bounds every wait; a machine busy with other tests is slow.
	patience = 120 * time.Second

	adminToken = "e2e-admin-token-0123456789abcdef"
	// The secret is one that can be used in either of the platform's schemes.
	webhookSecret = "whsec_ZTJlLXdlYmhvb2stc2VjcmV0LTAxMjM0NTY3ODlhYmNkZWY="
)

// daemon is one fulfilld under test. It keeps its addresses when it is started
// again.
type daemon struct {
	t             testing.TB
	public, admin string
	dir           string
	env           []string
	log           buffer

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed once cmd has ended
}

// buffer collects what a daemon says in all its lives.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// newDaemon prepares a daemon on a ledger and a Redis; settings are further
// variables. An empty ledger is a SQLite file of its own, an empty Redis the one
// inside the process.
func newDaemon(t testing.TB, ledger, redis string, settings ...string) *daemon {
	t.Helper()
	d := &daemon{t: t, public: testserver.FreeAddress(t), admin: testserver.FreeAddress(t), dir: t.TempDir()}
	if ledger == "" {
		ledger = "sqlite://" + filepath.Join(d.dir, "fulfilld.db")
	}
	d.env = append([]string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + d.dir,
		"TMPDIR=" + d.dir,
		"FULFILLD_LISTEN=" + d.public,
		"FULFILLD_ADMIN_LISTEN=" + d.admin,
		"FULFILLD_ADMIN_TOKEN=" + adminToken,
		"FULFILLD_DATABASE_URL=" + ledger,
		"FULFILLD_REDIS_URL=" + redis,
		"FULFILLD_WEBHOOKS_POLAR_SECRETS=" + webhookSecret,
		"FULFILLD_SHUTDOWN_TIMEOUT=10s",
	}, settings...)
	t.Cleanup(d.finish)
	return d
}

// started is newDaemon, running and ready.
func started(t testing.TB, ledger, redis string, settings ...string) *daemon {
	t.Helper()
	d := newDaemon(t, ledger, redis, settings...)
	d.start()
	return d
}

// finish ends the daemon and looks through what it said.
func (d *daemon) finish() {
	d.kill()
	said := d.log.String()
	for _, sign := range []string{"panic:", "goroutine 1 [", "fatal error:", "runtime error", "DATA RACE"} {
		if strings.Contains(said, sign) {
			d.t.Errorf("the daemon said %q", sign)
		}
	}
	for what, secret := range map[string]string{"the webhook secret": webhookSecret, "the webhook key": webhookSecret[len("whsec_"):], "the admin token": adminToken} {
		if strings.Contains(said, secret) {
			d.t.Errorf("%s is in the log", what)
		}
	}
	if d.t.Failed() {
		d.t.Logf("daemon %s:\n%s", d.public, said[max(0, len(said)-12000):])
	}
}

// launch starts the program and does not wait for it to be ready.
func (d *daemon) launch() error {
	group, err := leash()
	if err != nil {
		return err
	}
	cmd := exec.Command(binary(d.t), "serve")
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = d.dir, d.env, &d.log, &d.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: group}
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cmd, d.done = cmd, done
	return nil
}

// start starts the daemon and waits until it accepts webhooks. It is called
// from the test's own goroutine.
func (d *daemon) start() {
	d.t.Helper()
	if err := d.launch(); err != nil {
		d.t.Fatal(err)
	}
	d.eventually("ready", func() error {
		status, body := d.ready()
		if status != http.StatusOK {
			return fmt.Errorf("/readyz: %d %s", status, body)
		}
		return nil
	})
}

// ready asks /readyz of the public listener; 0 when nobody answers.
func (d *daemon) ready() (status int, body string) {
	return get("http://" + d.public + "/readyz")
}

func get(url string) (status int, body string) {
	resp, err := (&http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}).Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

func (d *daemon) process() (*exec.Cmd, chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cmd, d.done
}

func (d *daemon) signal(s os.Signal) {
	if cmd, _ := d.process(); cmd != nil {
		_ = cmd.Process.Signal(s) // it may have ended
	}
}

// kill ends the daemon as a crash would, and waits for its end.
func (d *daemon) kill() {
	d.signal(syscall.SIGKILL)
	d.ended(patience)
}

// ended waits for the process and returns its exit code: -1 for a signal, -2
// when it still runs.
func (d *daemon) ended(within time.Duration) int {
	cmd, done := d.process()
	if cmd == nil {
		return -1
	}
	select {
	case <-done:
		return cmd.ProcessState.ExitCode()
	case <-time.After(within):
		return -2
	}
}

// eventually waits for a condition, and ends the test when it does not come.
func (d *daemon) eventually(what string, check func() error) {
	d.t.Helper()
	within(d.t, patience, what, func() error {
		if _, done := d.process(); closed(done) {
			return errEnded
		}
		return check()
	})
}

var errEnded = errors.New("the daemon has ended")

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// within polls a condition for as long as allowed, and returns how long it took.
func within(t testing.TB, limit time.Duration, what string, check func() error) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		err := check()
		switch {
		case err == nil:
			return time.Since(began)
		case time.Since(began) > limit, errors.Is(err, errEnded):
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
		time.Sleep(20 * time.Millisecond) // between two looks; nothing is synchronised by it
	}
}

// api asks the admin listener and reads its answer into v.
func (d *daemon) api(method, path string, v any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+d.admin+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %d %.200s", method, path, resp.StatusCode, text)
	}
	if s, ok := v.(*string); ok {
		*s = string(text)
		return nil
	}
	return json.Unmarshal(text, v)
}

// list is a page as the admin API answers it.
type list[T any] struct {
	Items      []T `json:"items"`
	Pagination struct {
		Total int `json:"total_count"`
		Max   int `json:"max_page"`
	} `json:"pagination"`
}

// grantItem is what the tests look at of a grant in the admin API.
type grantItem struct {
	ID        string          `json:"id"`
	State     string          `json:"state"`
	IsGranted bool            `json:"is_granted"`
	IsRevoked bool            `json:"is_revoked"`
	LastError json.RawMessage `json:"last_error"`
}

type eventItem struct {
	ID    string          `json:"id"`
	Type  string          `json:"type"`
	State string          `json:"state"`
	Error string          `json:"error"`
	Body  json.RawMessage `json:"body"`
}

// all reads every page of a list.
func all[T any](d *daemon, path string) (items []T, err error) {
	join := "?"
	if strings.Contains(path, "?") {
		join = "&"
	}
	for page, last := 1, 1; page <= last; page++ {
		var l list[T]
		if err := d.api(http.MethodGet, fmt.Sprintf("%s%slimit=100&page=%d", path, join, page), &l); err != nil {
			return nil, err
		}
		items, last = append(items, l.Items...), l.Pagination.Max
	}
	return items, nil
}

// alarmed reports whether an alarm stands, in the API and in the metric alike.
func (d *daemon) alarmed(code string) (bool, error) {
	alarms, err := all[struct {
		Code string `json:"code"`
	}](d, "/v1/alarms/")
	if err != nil {
		return false, err
	}
	var standing bool
	for _, a := range alarms {
		standing = standing || a.Code == code
	}
	n, err := d.metric(fmt.Sprintf("fulfilld_alarm{code=%q}", code))
	if err == nil && (n == 1) != standing {
		err = fmt.Errorf("alarm %s: on the list %v, in the metric %v", code, standing, n)
	}
	return standing, err
}

// raised waits for an alarm to stand, or to be gone.
func (d *daemon) raised(code string, want bool) time.Duration {
	d.t.Helper()
	return within(d.t, patience, fmt.Sprintf("alarm %s %v", code, want), func() error {
		got, err := d.alarmed(code)
		if err == nil && got != want {
			err = fmt.Errorf("it is %v", got)
		}
		return err
	})
}

// metric reads one series.
func (d *daemon) metric(series string) (float64, error) {
	var text string
	if err := d.api(http.MethodGet, "/metrics", &text); err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			var v float64
			_, err := fmt.Sscan(rest, &v)
			return v, err
		}
	}
	return 0, fmt.Errorf("no series %s", series)
}
