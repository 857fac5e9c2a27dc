//go:build unix

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"fulfilld/internal/testserver"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const (
	signingNow  = "whsec_bm93LWEtc2lnbmluZy1zZWNyZXQtMDEyMzQ1Njc4OQ=="
	signingNext = "whsec_bmV4dC1hLXNpZ25pbmctc2VjcmV0LTAxMjM0NTY3ODk="
)

// letter is a webhook that the daemon has sent.
type letter struct {
	path   string
	Body   string            `json:"body"`
	Header map[string]string `json:"headers"`
	Type   string            `json:"-"`
	Data   struct {
		ID         string
		Properties map[string]any
		Customer   struct{ Email string }
		IsGranted  bool `json:"is_granted"`
		IsRevoked  bool `json:"is_revoked"`
	} `json:"-"`
}

// merchant is a server that the daemon tells everything. The first letter of each
// type it refuses.
type merchant struct {
	*httptest.Server
	t testing.TB

	mu      sync.Mutex
	refused map[string]string // path and type -> id
	letters []letter
}

func newMerchant(t testing.TB) *merchant {
	m := &merchant{t: t, refused: map[string]string{}}
	m.Server = httptest.NewServer(m)
	t.Cleanup(m.Close)
	return m
}

func (m *merchant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	l := letter{path: r.URL.Path, Body: string(body), Header: map[string]string{}}
	for _, secret := range []string{signingNow, signingNext} {
		hook, err := standardwebhooks.NewWebhook(secret)
		if err == nil {
			err = hook.Verify(body, r.Header)
		}
		if err != nil {
			m.t.Errorf("%s: %v", l.path, err)
		}
	}
	for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		l.Header[name] = r.Header.Get(name)
	}
	var e struct {
		Type string
		Data json.RawMessage
	}
	if json.Unmarshal(body, &e) != nil || json.Unmarshal(e.Data, &l.Data) != nil {
		m.t.Errorf("no event: %s", body)
	}
	l.Type = e.Type
	m.mu.Lock()
	defer m.mu.Unlock()
	switch id, again := m.refused[l.path+l.Type]; {
	case !again:
		m.refused[l.path+l.Type] = l.Header["webhook-id"]
		w.WriteHeader(http.StatusInternalServerError)
		return
	case id != "" && id == l.Header["webhook-id"]:
		m.refused[l.path+l.Type] = "" // it has come again, as it was
	}
	m.letters = append(m.letters, l)
	_, _ = io.WriteString(w, `{"properties":{"seat":"12A"}}`)
}

// of are the letters about something, as path and type.
func (m *merchant) of(id string) (all []letter, types []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.letters {
		if l.Data.ID == id {
			all, types = append(all, l), append(types, strings.TrimPrefix(l.path, "/")+" "+l.Type)
		}
	}
	return all, types
}

// has waits until letters about something have come.
func (m *merchant) has(id string, want ...string) []letter {
	m.t.Helper()
	within(m.t, patience, strings.Join(want, ", "), func() error {
		_, types := m.of(id)
		slices.Sort(types)
		slices.Sort(want)
		if !slices.Equal(types, want) {
			return fmt.Errorf("have %q", types)
		}
		return nil
	})
	all, _ := m.of(id)
	return all
}

func TestTheMerchantIsToldOfEveryKind(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	d := newDaemon(t, "", "")
	config := fmt.Sprintf(`
endpoints:
  - { name: mailer, url: "%[1]s/mailer", secrets: [%[2]s, %[3]s], allow_private: [127.0.0.0/8] }
fulfillers:
  custom: { url: "%[1]s/custom", secrets: [%[2]s, %[3]s], allow_private: [127.0.0.1] }
benefits:
  - { id: %[4]s, fulfill: [ { kind: license_keys } ] }
  - { id: %[5]s, fulfill: [ { kind: custom, note: "Book your call" } ] }
`, m.URL, signingNow, signingNext, number("benefit", 0), number("benefit", 1))
	if err := os.WriteFile(filepath.Join(d.dir, "fulfilld.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	d.start()
	shop := newPlatform(d)
	bought := time.Now().Add(-2 * time.Hour)
	for n := range 2 { // a license key, and the merchant's own
		shop.send(t, fact{typ: "created", grant: n, word: "granted", at: bought}.webhook())
	}
	m.has(number("benefit", 0), "mailer benefit.created")
	created := m.has(grantID(0), "mailer benefit_grant.created")
	if g := created[0].Data; !g.IsGranted || g.Customer.Email != customerMail(0) || g.Properties["display_key"] == nil {
		t.Errorf("told %s", created[0].Body)
	}
	m.has(grantID(1), "custom benefit.granted", "mailer benefit_grant.created")
	var shown struct{ Properties map[string]any }
	if err := d.api(http.MethodGet, "/v1/benefit-grants/"+grantID(1), &shown); err != nil || shown.Properties["seat"] != "12A" || shown.Properties["note"] != "Book your call" {
		t.Errorf("%v, %v", shown, err)
	}
	for n := range 2 {
		shop.send(t, fact{typ: "cycled", grant: n, word: "granted", at: bought.Add(time.Hour)}.webhook())
	}
	m.has(grantID(0), "mailer benefit_grant.created", "mailer benefit_grant.cycled")
	m.has(grantID(1), "custom benefit.granted", "mailer benefit_grant.created", "custom benefit.cycled", "mailer benefit_grant.cycled")
	for n := range 2 {
		shop.send(t, fact{typ: "revoked", grant: n, word: "revoked", at: time.Now()}.webhook())
	}
	m.has(grantID(0), "mailer benefit_grant.created", "mailer benefit_grant.cycled", "mailer benefit_grant.revoked")
	last := m.has(grantID(1), "custom benefit.granted", "mailer benefit_grant.created", "custom benefit.cycled", "mailer benefit_grant.cycled",
		"custom benefit.revoked", "mailer benefit_grant.revoked")
	if g := last[5].Data; !g.IsRevoked || g.IsGranted {
		t.Errorf("told %s", last[5].Body)
	}
	m.mu.Lock()
	for what, id := range m.refused {
		if id != "" {
			t.Errorf("what was refused of %s did not come again under its id", what)
		}
	}
	m.mu.Unlock()
	d.afterwards(m)
	nodeVerifies(t, append(created, last...))
}

// withProperties is a webhook in which the platform says so of the grant.
func withProperties(t testing.TB, w webhook, properties map[string]any) webhook {
	t.Helper()
	var e map[string]any
	err := json.Unmarshal(w.body, &e)
	if err == nil {
		e["data"].(map[string]any)["properties"] = properties
		w.body, err = json.Marshal(e)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// The platform makes a key of its own for a license_keys benefit. The one that we
// tell of is the one that we know.
func TestTheKeyThatIsToldOfCanBeAskedFor(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	d := started(t, "", "", fmt.Sprintf(`FULFILLD_ENDPOINTS=[{name: mailer, url: "%s/mailer", secrets: [%s, %s], allow_private: [127.0.0.0/8]}]`, m.URL, signingNow, signingNext))
	theirs := map[string]any{"license_key_id": "b0b7e1a5-010a-4d85-9804-4822b5c0bec0", "display_key": "****-E304DA"}
	newPlatform(d).send(t, withProperties(t, buys(0), theirs))
	told := m.has(grantID(0), "mailer benefit_grant.created")[0].Data.Properties
	var shown, key struct {
		ID         string
		Properties map[string]any
		DisplayKey string `json:"display_key"`
	}
	var state struct {
		Granted []struct{ Properties map[string]any } `json:"granted_benefits"`
	}
	for path, v := range map[string]any{
		"/v1/benefit-grants/" + grantID(0):                       &shown,
		"/v1/customers/" + number("customer", 0) + "/state":      &state,
		"/v1/license-keys/" + fmt.Sprint(told["license_key_id"]): &key,
	} {
		if err := d.api(http.MethodGet, path, v); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	if len(state.Granted) != 1 {
		t.Fatalf("%+v", state)
	}
	for where, p := range map[string]map[string]any{"grant": shown.Properties, "state": state.Granted[0].Properties, "webhook": told} {
		if p["license_key_id"] != key.ID || p["display_key"] != key.DisplayKey {
			t.Errorf("the %s says %v of the key %+v", where, p, key)
		}
	}
}

// afterwards looks at what the daemon says of it.
func (d *daemon) afterwards(m *merchant) {
	d.t.Helper()
	d.command("deliveries", "list", "--endpoint", "mailer").says(0, "benefit_grant.revoked", "delivered")
	d.command("deliveries", "retry").says(0, "0 will be tried now")
	if n, err := d.metric(`fulfilld_deliveries_total{endpoint="mailer",outcome="delivered"}`); n < 8 || err != nil {
		d.t.Error(n, err)
	}
	if n, err := d.metric(`fulfilld_deliveries_waiting{endpoint="mailer"}`); n != 0 || err != nil {
		d.t.Error(n, err)
	}
	for _, secret := range []string{signingNow, signingNext, m.URL + "/mailer", m.URL + "/custom", customerMail(0)} {
		if strings.Contains(d.log.String(), secret) {
			d.t.Errorf("the log holds %s", secret)
		}
	}
	db := openLedger(d.t, "sqlite://"+filepath.Join(d.dir, "fulfilld.db"))
	var left int
	if err := db.QueryRow(`SELECT count(*) FROM deliveries WHERE data <> ''`).Scan(&left); err != nil || left > 0 {
		d.t.Errorf("%d deliveries keep what they said: %v", left, err)
	}
}

const nodeScript = `
const { Webhook } = require('standardwebhooks')
const { secrets, letters } = JSON.parse(require('fs').readFileSync(0, 'utf8'))
let n = 0
for (const l of letters) for (const s of secrets) {
  new Webhook(s).verify(l.body, l.headers)
  n++
}
console.log('verified', n)
try { new Webhook(secrets[0]).verify(letters[0].body + ' ', letters[0].headers); console.log('and a forgery') } catch (e) {}
`

// nodeVerifies has the reference library for JavaScript verify letters.
func nodeVerifies(t *testing.T, letters []letter) {
	t.Helper()
	dir := t.TempDir()
	install := exec.CommandContext(t.Context(), "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", dir, "standardwebhooks@1.0.0")
	if out, err := install.CombinedOutput(); err != nil {
		testserver.Missing(t, "npm and its registry", fmt.Sprintf("%v\n%s", err, out))
	}
	input, err := json.Marshal(map[string]any{"secrets": []string{signingNow, signingNext}, "letters": letters})
	if err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), "node", "-e", nodeScript)
	node.Dir, node.Stdin = dir, bytes.NewReader(input)
	out, err := node.CombinedOutput()
	if want := fmt.Sprintf("verified %d\n", 2*len(letters)); err != nil || string(out) != want {
		t.Errorf("node: %v\n%s", err, out)
	}
}
