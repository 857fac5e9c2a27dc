//go:build unix

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// ran is how a command ended.
type ran struct {
	t           testing.TB
	name        string
	code        int
	out, errors string
}

// command runs the program beside the daemon, with its environment.
func (d *daemon) command(args ...string) *ran {
	d.t.Helper()
	return d.commandWith(nil, args...)
}

func (d *daemon) commandWith(settings []string, args ...string) *ran {
	d.t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(binary(d.t), args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = d.dir, append(d.env[:len(d.env):len(d.env)], settings...), &out, &errs
	r := &ran{t: d.t, name: strings.Join(args, " ")}
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		d.t.Fatal(err)
	}
	r.code, r.out, r.errors = cmd.ProcessState.ExitCode(), out.String(), errs.String()
	for _, secret := range []string{webhookSecret, webhookSecret[len("whsec_"):], adminToken} {
		if strings.Contains(r.out+r.errors, secret) {
			d.t.Errorf("%s: prints a secret", r.name)
		}
	}
	if strings.Contains(r.errors, "panic") {
		d.t.Errorf("%s:\n%s", r.name, r.errors)
	}
	return r
}

// says checks the exit code and that what was printed contains each text; what
// is meant for people goes to standard error when the code is not 0.
func (r *ran) says(code int, texts ...string) *ran {
	r.t.Helper()
	said, silent := r.out, r.errors
	if code != 0 {
		said, silent = r.errors, ""
	}
	good := r.code == code && silent == ""
	for _, text := range texts {
		good = good && strings.Contains(said, text)
	}
	if !good {
		r.t.Errorf("%s: exit code %d, want %d and %q\nstdout:\n%s\nstderr:\n%s", r.name, r.code, code, texts, r.out, r.errors)
	}
	return r
}

func TestOperatorsCommands(t *testing.T) {
	t.Parallel()
	d := started(t, "", "")
	p := newPlatform(d)
	p.send(t, buys(0))
	p.send(t, buys(1))
	p.send(t, fact{typ: "revoked", grant: 1, word: "revoked", at: time.Now()}.webhook())
	unread := webhook{uuid.NewString(), []byte(`{"type":"benefit_grant.created","timestamp":"2026-01-01T00:00:00Z","data":{}}`)}
	p.send(t, unread)
	d.issued(0, patience)
	within(t, patience, "revoked", func() error { return d.shows(1, "revoked") })
	customer := number("customer", 0)

	d.command("health").says(0, "200 OK")
	d.command("version").says(0, "fulfilld ")
	d.command("grants", "list").says(0, grantID(0), grantID(1), "granted", "revoked", "2 in all")
	d.command("grants", "list", "--state", "failed").says(0, "0 in all")
	d.command("grants", "list", "--customer", customer, "--granted").says(0, grantID(0), "1 in all")
	d.command("grants", "list", "--customer", "e2e-0").says(0, "2 in all")
	d.command("grants", "list", "--state", "gone").says(1, "gone", "failed")
	d.command("grants", "show", grantID(0)).says(0, grantID(0), "granted", "license_keys", "JOURNAL", customerMail(0))
	d.command("grants", "show", grantID(77)).says(3, "not found")
	d.command("grants", "show", "../events").says(1, "is no id")
	d.command("grants", "retry", grantID(0)).says(0)
	d.command("grants", "retry", grantID(77)).says(3, "not found")
	d.command("events", "list", "--state", "failed").says(0, unread.id, "benefit_grant.created", "1 in all")
	d.command("events", "show", unread.id).says(0, "failed", "data.", "timestamp")
	d.command("events", "show", uuid.NewString()).says(3, "not found")
	d.command("events", "replay", unread.id).says(0, "1 will be applied again")
	d.command("events", "replay", "--failed").says(0)
	d.command("events", "replay").says(1, "--failed")
	d.command("customers", "list").says(0, customer, customerMail(0), "1 in all")
	d.command("customers", "list", customerMail(0)[:8]).says(0, customer)
	d.command("customers", "show", customer).says(0, customerMail(0), grantID(0), grantID(1))
	d.command("customers", "show", uuid.NewString()).says(3, "not found")
	d.command("licenses", "list", "--status", "granted").says(0, "****-", customerMail(0), "1 in all")
	d.raised("events_failed", true)
	d.command("alarms").says(0, "events_failed", "Next: ")
	d.command("nonsense").says(1, "unknown command")

	var listed list[grantItem]
	r := d.command("grants", "list", "--json").says(0)
	if err := json.Unmarshal([]byte(r.out), &listed); err != nil || len(listed.Items) != 2 {
		t.Errorf("--json is %s: %v", r.out, err)
	}
	d.commandWith([]string{"FULFILLD_ADMIN_TOKEN=another-token-0123456789abcdef"}, "grants", "list").says(4, "token")
	d.commandWith([]string{"FULFILLD_ADMIN_URL=http://" + d.public}, "alarms").says(4, d.public)

	d.kill()
	d.command("grants", "list").says(4, "no answer")
	d.command("trigger", "benefit_grant.created").says(4, "no answer")
	if r := d.command("health"); r.code == 0 {
		t.Error("health of a daemon that is gone: 0")
	}
}

func TestTrigger(t *testing.T) {
	t.Parallel()
	d := started(t, "", "")
	for n, scheme := range []string{"auto", "legacy", "standard"} {
		d.command("trigger", "benefit_grant.created", "--scheme", scheme, "--grant", grantID(n), "--customer", number("customer", n)).
			says(0, "nobody outside is contacted", "202")
		d.issued(n, patience)
	}
	d.command("trigger", "benefit_grant.revoked", "--grant", grantID(0), "--customer", number("customer", 0)).says(0, "202")
	within(t, patience, "revoked", func() error { return d.shows(0, "revoked") })
	d.command("trigger", "order.paid").says(0, "202")
	d.command("trigger", "nobody.knows").says(1, "benefit_grant.created")
	d.commandWith([]string{"FULFILLD_WEBHOOKS_POLAR_SECRETS=another-secret-0123456789abcdef"}, "trigger", "order.paid").says(1, "did not accept")

	// A secret without the platform's prefix is used as it is.
	legacy := "a-legacy-secret-0123456789abcdef"
	old := started(t, "", "", "FULFILLD_WEBHOOKS_POLAR_SECRETS="+legacy)
	r := old.command("trigger", "benefit_grant.created", "--grant", grantID(9)).says(0, "202")
	old.issued(9, patience)
	old.command("trigger", "order.paid", "--scheme", "standard").says(1, "legacy")
	if strings.Contains(r.out+old.log.String(), legacy) {
		t.Error("the secret is shown")
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, "postgres://someone:pass-word-of-postgres@localhost/db", "redis://:pass-word-of-redis@localhost:6379/0")
	d.command("check").says(0, "The config is fine", "license_keys")
	r := d.command("check", "--print").says(0, d.public, "license_keys")
	if strings.Contains(r.out, "pass-word") {
		t.Errorf("--print shows a password:\n%s", r.out)
	}

	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte(`
listen: nowhere
admin: { token: short }
databse: { url: "sqlite://x" }
webhooks: { polar: { secrets: [tiny], tolerance: soon } }
redis: { url: "http://localhost" }
fulfillers: { license_keys: { concurency: 3 }, nonsense: {} }
grace_period: -1d
`), 0o600); err != nil {
		t.Fatal(err)
	}
	d.env = []string{"PATH=" + os.Getenv("PATH")}
	d.command("check", "--config", bad).says(1, "listen", "admin.token", "databse", "database", "webhooks.polar.secrets", "tolerance", "redis.url", "concurency", "nonsense", "grace_period")
	d.command("check", "--config", filepath.Join(filepath.Dir(bad), "none.yaml")).says(1, "none.yaml")
	d.command("check").says(1, "webhooks.polar.secrets")
	d.command("serve").says(1, "webhooks.polar.secrets")
}

func TestDemo(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, "", "")
	d.env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + d.dir}
	r := d.command("demo", "--once").says(0, "Ada", "Grace", "Linus", "Margaret", "Edsger", "granted", "revoked", "/queues/", "What Ada Lovelace sees:", "/customer/enter/", "your server is told benefit.granted: Kathrin", "your server is told benefit.revoked: Kathrin")
	if strings.ContainsAny(r.out, "\x1b\r") {
		t.Errorf("what is not a terminal gets control characters: %q", r.out)
	}
	if left, err := filepath.Glob(filepath.Join(d.dir, "fulfilld-demo-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// Whatever the daemon says to anybody who may read along holds no secret, no
// address of a customer and no license key.
func TestNothingSecretIsSaid(t *testing.T) {
	t.Parallel()
	d := started(t, "", "", "FULFILLD_LOG_LEVEL=debug")
	p := newPlatform(d)
	for n := range 4 {
		p.send(t, buys(n))
		d.issued(n, patience)
	}
	p.send(t, fact{typ: "revoked", grant: 1, word: "revoked", at: time.Now()}.webhook())
	within(t, patience, "revoked", func() error { return d.shows(1, "revoked") })
	w := buys(5)
	p.send(t, w)
	w.body = bytes.Replace(w.body, []byte("A Customer"), []byte("Another One"), 1)
	p.send(t, w) // the same id with another body: an alarm
	attempt{body: w.body, secret: "whsec_YW5vdGhlci1zZWNyZXQtYW5vdGhlci1zZWNyZXQ=", want: http.StatusUnauthorized}.send(t, d)
	p.send(t, webhook{uuid.NewString(), bytes.Replace(buys(6).body, []byte(`"metadata":{}`), []byte(`"metadata":5`), 1)})
	d.raised("webhook_conflict", true)

	said := map[string]string{"the log": d.log.String()}
	for _, path := range []string{"/metrics", "/v1/license-keys/", "/v1/benefit-grants/", "/v1/benefits/", "/v1/alarms/", "/v1/customers/", "/v1/events/", "/queues/"} {
		var text string
		if err := d.api(http.MethodGet, path, &text); err != nil {
			t.Error(err)
		}
		said[path] = text
	}
	for _, path := range []string{"/healthz", "/readyz", "/v1/customers/", "/metrics", "/queues/"} {
		_, said["unauthorized "+path] = get("http://" + d.admin + path)
	}
	keys, err := pairs(openLedger(t, "sqlite://"+filepath.Join(d.dir, "fulfilld.db")), `SELECT key, display_key FROM license_keys`)
	if err != nil || len(keys) < 4 {
		t.Fatalf("%d keys: %v", len(keys), err)
	}
	mayHoldMail := map[string]bool{"/v1/license-keys/": true, "/v1/benefit-grants/": true, "/v1/customers/": true}
	for where, text := range said {
		for key := range keys {
			if where == "/v1/license-keys/" { // it has whole keys, like the platform's
				break
			}
			if strings.Contains(strings.ToUpper(text), key) || strings.Contains(strings.ToUpper(text), key[len("ACME-"):]) {
				t.Errorf("%s: a whole license key", where)
			}
		}
		for _, secret := range []string{webhookSecret[len("whsec_"):], adminToken} {
			if strings.Contains(text, secret) {
				t.Errorf("%s: a secret", where)
			}
		}
		if !mayHoldMail[where] && (strings.Contains(text, "@e2e.example") || strings.Contains(text, "Customer\"") || strings.Contains(text, "Oberkampf")) {
			t.Errorf("%s: a customer's address", where)
		}
	}
	if t.Failed() {
		t.Log(fmt.Sprint(said))
	}
}
