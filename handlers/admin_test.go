package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fulfilld/grant"
	"fulfilld/internal/alarm"
	"fulfilld/ledger"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata")

const token = "a-token-of-the-operator-1234"

// desk is an admin handler over a real ledger with a little shop in it.
type desk struct {
	http.Handler
	t      *testing.T
	ledger *ledger.Ledger
	log    bytes.Buffer
}

func newDesk(t *testing.T, set ...func(*ledger.Options)) *desk {
	t.Helper()
	o := ledger.Options{Fast: true, Route: routed}
	for _, f := range set {
		f(&o)
	}
	l, err := ledger.Open(t.Context(), "sqlite://"+t.TempDir()+"/ledger.db", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	d := &desk{t: t, ledger: l}
	d.Handler = Admin(AdminOptions{
		Ledger: l, Token: token, Hosts: []string{"admin.example.com"}, Listen: "10.0.0.7:9090",
		Health:   named("health"),
		Metrics:  named("metrics"),
		Queues:   named("queues"),
		Retry:    func(ctx context.Context, id string) error { _, err := l.Retry(ctx, id); return err },
		Replay:   l.Replay,
		Accounts: directory{l}, Approvals: crowd{l}, Deliveries: l, Meters: deskMeters,
		Alarms: func() []alarm.Alarm {
			return []alarm.Alarm{{Code: "redis_down", Text: "Redis does not answer", Next: "Start it.", Since: day(1), Last: day(2), Count: 3}}
		},
		Log: slog.New(slog.NewTextHandler(&d.log, nil)),
	})
	return d
}

func named(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "this is", name) })
}

func routed(b grant.Benefit) grant.Route {
	provider := map[string]string{"github_repository": "github"}[b.Type]
	return grant.Route{Targets: []grant.Target{{Kind: b.Type, Managed: b.Type != "discord", Origin: "platform", Account: provider}}}
}

// day is the shop's clock.
func day(n int) time.Time { return time.Date(2025, 3, n, 12, 0, 0, 0, time.UTC) }

func version(n int) grant.Version { return grant.Version{At: day(n), Sent: day(n)} }

// id makes ids that can be told apart.
func id(what string, n int) string {
	return fmt.Sprintf("00000000-0000-4000-8%03x-%012d", what[0], n)
}

// hear accepts an event and applies what it says.
func (d *desk) hear(webhookID, typ string, n grant.News, fault error) {
	d.t.Helper()
	ev := grant.Event{Source: "polar", ID: webhookID, Type: typ, OccurredAt: day(1), ReceivedAt: day(2), Body: []byte(`{"type": "` + typ + `"}`)}
	if _, err := d.ledger.Accept(d.t.Context(), ev); err != nil {
		d.t.Fatal(err)
	}
	all, err := d.ledger.Unapplied(d.t.Context(), time.Hour, 1)
	if err != nil || len(all) != 1 {
		d.t.Fatal(all, err)
	}
	if _, err := d.ledger.Apply(d.t.Context(), []grant.Decoded{{Event: all[0], News: n, Err: fault}}); err != nil {
		d.t.Fatal(err)
	}
}

// work records what a worker saw of a fulfilment.
func (d *desk) work(fulfilment string, o grant.Outcome) {
	d.t.Helper()
	h, err := d.ledger.Look(d.t.Context(), fulfilment, time.Minute)
	if err != nil {
		d.t.Fatal(err)
	}
	if _, _, err := d.ledger.Record(d.t.Context(), h, o); err != nil {
		d.t.Fatal(err)
	}
}

// fill is the little shop: Ada has a license key, Bob's repository failed, and
// his chat is not switched on here.
func (d *desk) fill() {
	benefit := func(n int, typ, description string) grant.Benefit {
		return grant.Benefit{ID: id("benefit", n), OrganizationID: id("org", 1), Type: typ, Description: description, Version: version(n),
			Body: fmt.Appendf(nil, `{"id":%q,"type":%q,"description":%q,"created_at":%q}`, id("benefit", n), typ, description, day(n).Format(time.RFC3339))}
	}
	customer := func(n int, name string) grant.Customer {
		email := strings.ToLower(name) + "@example.com"
		return grant.Customer{ID: id("customer", n), OrganizationID: id("org", 1), ExternalID: fmt.Sprint("usr_", n), Email: email, Name: name, Version: version(n),
			Body: fmt.Appendf(nil, `{"id":%q,"email":%q,"name":%q}`, id("customer", n), email, name)}
	}
	given := func(n, benefit, customer int) grant.Grant {
		return grant.Grant{ID: id("grant", n), BenefitID: id("benefit", benefit), CustomerID: id("customer", customer), SubscriptionID: id("subscription", n),
			Source: grant.Platform, CreatedAt: day(n), GrantedAt: day(n).Add(1500 * time.Microsecond), Word: grant.SaysGranted, Version: version(n)}
	}
	d.hear("msg_1", "benefit_grant.created", grant.News{
		Benefits:  []grant.Benefit{benefit(1, "license_keys", "Pro <license>"), benefit(2, "github_repository", "Source"), benefit(3, "discord", "Chat")},
		Customers: []grant.Customer{customer(1, "Ada"), customer(2, "Bob")},
		Members:   []grant.Member{{ID: id("member", 2), CustomerID: id("customer", 2), Version: version(2)}},
		Grants:    []grant.Grant{given(1, 1, 1), given(2, 2, 2), given(3, 3, 2)},
	}, nil)
	d.hear("msg_2", "benefit_grant.created", grant.News{}, errors.New("the grant has no id"))
	d.hear("msg/3", "checkout.created", grant.News{Ignored: "nothing hangs on it"}, nil)
	d.work(id("grant", 1)+".license_keys", grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true, Properties: grant.Properties{"display_key": "****-E304DA"}})
	d.work(id("grant", 2)+".github_repository", grant.Outcome{Action: grant.DoGrant, State: grant.Failed, Attempts: 1, Since: day(3),
		Class: "permanent", Code: "no_such_repository", Text: "acme/gone does not exist", Took: 1234 * time.Millisecond})
	if _, err := d.ledger.IssueLicenseKey(d.t.Context(), grant.LicenseKey{FulfilmentID: id("grant", 1) + ".license_keys", BenefitID: id("benefit", 1),
		CustomerID: id("customer", 1), OrganizationID: id("org", 1), Key: "ACME-1C285B2D-E304DA", DisplayKey: "****-E304DA", ExpiresAt: day(30)}, 1); err != nil {
		d.t.Fatal(err)
	}
}

// ask sends a request: its first line, then headers, an empty line and a body.
func (d *desk) ask(request string) *httptest.ResponseRecorder {
	d.t.Helper()
	head, body, _ := strings.Cut(strings.TrimSpace(request), "\n\n")
	lines := strings.Split(head, "\n")
	method, target, ok := strings.Cut(lines[0], " ")
	if !ok {
		d.t.Fatalf("no request: %q", lines[0])
	}
	r := httptest.NewRequestWithContext(d.t.Context(), method, target, strings.NewReader(body))
	r.Host = "localhost:9090"
	r.Header.Set("Authorization", "Bearer "+token)
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if r.Header.Set(name, value); name == "Host" {
			r.Host = value
		}
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

var timestamp = regexp.MustCompile(`"\d{4}-\d\d-\d\dT[0-9:.]+Z"`)

// shown is a response as the scripts write it; times of this run are NOW.
func shown(w *httptest.ResponseRecorder) string {
	var b strings.Builder
	fmt.Fprintln(&b, w.Code, w.Header().Get("Content-Type"))
	for _, name := range []string{"Location", "Allow"} {
		if v := w.Header().Get(name); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	b.WriteString("\n")
	var pretty bytes.Buffer
	if json.Indent(&pretty, w.Body.Bytes(), "", "  ") != nil {
		pretty = *w.Body
	}
	b.WriteString(timestamp.ReplaceAllStringFunc(strings.TrimSpace(pretty.String()), func(s string) string {
		if at, err := time.Parse(time.RFC3339Nano, strings.Trim(s, `"`)); err == nil && time.Since(at).Abs() < time.Hour {
			return `"NOW"`
		}
		return s
	}))
	return b.String() + "\n"
}

func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/admin/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.fill()
			d.play(file)
		})
	}
}

// play sends each request of a script and compares the answer behind it. A
// script is a txtar archive: a comment, then files of requests and answers.
func (d *desk) play(file string) {
	script, err := os.ReadFile(file)
	if err != nil {
		d.t.Fatal(err)
	}
	comment, files := unpack(string(script))
	played := comment
	for i, f := range files {
		if strings.HasSuffix(f.name, answerOf) {
			continue
		}
		got, want := shown(d.ask(f.text)), ""
		if next := i + 1; next < len(files) && files[next].name == f.name+answerOf {
			want = files[next].text
		}
		if diff := cmp.Diff(want, got); diff != "" && !*update {
			d.t.Errorf("%s: %s", f.name, diff)
		}
		played += "-- " + f.name + " --\n" + f.text + "-- " + f.name + answerOf + " --\n" + got
	}
	if *update {
		if err := os.WriteFile(file, []byte(played), 0o600); err != nil {
			d.t.Fatal(err)
		}
	}
}

const answerOf = ": answer"

type scriptFile struct{ name, text string }

func unpack(script string) (comment string, files []scriptFile) {
	for line := range strings.Lines(script) {
		name, isName := strings.CutPrefix(strings.TrimSpace(line), "-- ")
		if name, ends := strings.CutSuffix(name, " --"); isName && ends {
			files = append(files, scriptFile{name: name})
		} else if len(files) == 0 {
			comment += line
		} else {
			files[len(files)-1].text += line
		}
	}
	return comment, files
}
