package config_test

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"fulfilld/config"
)

// ownSecret is a secret as a kind has it that cannot import config.
type ownSecret struct{ text string }

func (s *ownSecret) SetSecret(text string) { s.text = text }

type pool struct {
	Concurrency int
}

type kindConfig struct {
	pool                     // inline
	PrivateKey ownSecret     `yaml:"private_key" signs:"true"`
	Timeout    time.Duration `yaml:"timeout"`
	AppID      int64
	Allow      []string          `json:"allow"`
	Headers    map[string]string `yaml:"headers"`
	Nested     struct {
		On bool `yaml:"on"`
	} `yaml:"nested"`
}

func TestSectionIsDecodedByTheSameRules(t *testing.T) {
	t.Parallel()
	file := write(t, "key", key+"\n")
	c := load(t, "fulfillers: {custom: {private_key_file: "+file+", timeout: 1d, app_id: 7, headers: {A: '${A}'}}}",
		"A=b", "FULFILLD_FULFILLERS_CUSTOM_ALLOW=a/*, b", "FULFILLD_FULFILLERS_CUSTOM_NESTED_ON=true", "FULFILLD_FULFILLERS_CUSTOM_APP_ID=8")
	got := kindConfig{pool: pool{Concurrency: 16}, Timeout: time.Minute}
	if err := c.Section("custom").Decode(&got); err != nil {
		t.Fatal(err)
	}
	valid(t, c)
	want := kindConfig{pool: pool{Concurrency: 16}, PrivateKey: ownSecret{key}, Timeout: 24 * time.Hour, AppID: 8, Allow: []string{"a/*", "b"}, Headers: map[string]string{"A": "b"}}
	want.Nested.On = true
	if got.PrivateKey != want.PrivateKey || got.pool != want.pool || got.Nested != want.Nested || got.Timeout != want.Timeout || got.AppID != want.AppID {
		t.Errorf("got %+v, want %+v", got, want)
	}
	same(t, got.Allow, want.Allow)
	same(t, got.Headers, want.Headers)
}

func TestSectionIsPresentByFileOrVariable(t *testing.T) {
	t.Parallel()
	c := load(t, "fulfillers:\n  license_keys:\n", "FULFILLD_FULFILLERS_DISCORD_BOT_TOKEN=x")
	for kind, want := range map[string]bool{"license_keys": true, "discord": true, "custom": false} {
		if got := c.Section(kind).Present(); got != want {
			t.Errorf("%s is present: %v", kind, got)
		}
	}
}

func TestSectionTellsItsProblems(t *testing.T) {
	t.Parallel()
	c := load(t, "fulfillers:\n  custom:\n    private_key: short\n    timeut: 1s\n", "FULFILLD_FULFILLERS_CUSTOM_APP_IDD=7")
	var into kindConfig
	s := c.Section("custom")
	err := s.Decode(&into)
	s.Problem("private_key", "is no PEM", "paste the file")
	s.Problem("", "does not work today", "")
	want := `fulfillers.custom: does not work today (fulfilld.yaml:3)
fulfillers.custom.private_key: is 5 bytes, too short for a key; use at least 24 random bytes, as from: openssl rand -base64 32 (fulfilld.yaml:3)
fulfillers.custom.private_key: is no PEM; paste the file (fulfilld.yaml:3)
fulfillers.custom.timeut: no such key; did you mean "timeout"? (fulfilld.yaml:4)
FULFILLD_FULFILLERS_CUSTOM_APP_IDD: no field has this variable; did you mean "FULFILLD_FULFILLERS_CUSTOM_APP_ID"?
`
	same(t, problems(c, config.Other), want)
	if found := (config.Problems)(nil); !errors.As(err, &found) || len(found) != 2 {
		t.Errorf("Decode returned %v", err)
	}
}

func TestPrintHidesSecrets(t *testing.T) {
	t.Parallel()
	c := load(t, `
admin: {token: `+hidden+`}
database: {url: "postgres://user:hunter2hunter2@host/db?sslmode=disable&sslpassword=hunter2"}
redis: {url: "redis://:hunter2@host:6379/0"}
alerts: {url: "https://hooks.example.com/hunter2"}
webhooks: {polar: {secrets: [`+hidden+`]}}
retention: {ids: 30d, bodies: 36h}
fulfillers: {custom: {private_key: `+hidden+`}}
endpoints: [{name: mailer, url: "https://hooks.example.com/hunter2", secrets: [whsec_aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMg==], events: [benefit.created]}]
benefits:
  - {id: pro, grace_period: 7d, fulfill: [{kind: custom, signing_key: hunter2, url: "https://u:hunter2@h/p", header: "${H}"}]}
`, "H=hunter2")
	var into kindConfig
	_ = c.Section("custom").Decode(&into)
	valid(t, c)
	var out strings.Builder
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "hunter2") {
		t.Errorf("a secret in:\n%s", out.String())
	}
	golden(t, "testdata/print.golden", out.String())
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	same(t, strings.Split(got, "\n"), strings.Split(string(want), "\n"))
}

// licenseKeys are the fields the example shows.
type licenseKeys struct {
	Concurrency   int    `yaml:"concurrency"`
	ActivationURL string `yaml:"activation_url"`
}

func TestExampleLoads(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../deploy/fulfilld.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c := load(t, string(text), "POLAR_WEBHOOK_SECRET="+key)
	keys := licenseKeys{Concurrency: 16}
	_ = c.Section("license_keys").Decode(&keys)
	if err := c.Validate(config.Serve); err != nil {
		t.Fatalf("as it stands:\n%v", err)
	}
	want := config.Default()
	want.Webhooks.Polar.Secrets = []config.Secret{config.NewSecret(key)}
	same(t, c, want)
}

func TestExampleLoadsWithEverythingUncommented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../deploy/fulfilld.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`(?m)^ *# +[a-z_]+_file: .*\n`).ReplaceAll(text, nil)
	text = regexp.MustCompile(`(?m)^( *)# ( *(- )?[a-z_]+:( .*)?)$`).ReplaceAll(text, []byte("$1$2"))
	c := load(t, string(text), "POLAR_WEBHOOK_SECRET="+key, "ADMIN_TOKEN="+key, "DESKTOP_APP_TOKEN="+key+"2", "POLAR_ACCESS_TOKEN="+key,
		"MAILER_SECRET=whsec_"+strings.Repeat("c2ln", 10), "CUSTOM_SECRET="+key, "PARTNER_SECRET="+key)
	var keys licenseKeys
	_ = c.Section("license_keys").Decode(&keys)
	for _, kind := range []string{"github_repository", "discord", "meter_credit", "feature_flag", "custom", "downloadables"} { // what is in them is for the kinds to judge
		var any map[string]any
		_ = c.Section(kind).Decode(&any)
	}
	if err := c.Validate(config.Serve); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if len(c.Benefits) != 2 || len(c.Products) != 1 || keys.ActivationURL == "" || len(c.Endpoints) != 1 || c.Alerts.URL == "" {
		t.Errorf("not everything was uncommented:\n%s", text)
	}
	same(t, string(c.Benefits[0].Fulfill[0].Params), `{"expire_subscriptions":true}`)
}
