package github

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fulfilld/config"
	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/internal/secret"

	"github.com/google/go-cmp/cmp"
)

func build(edit func(*Config)) (fulfillers.Built, error) {
	return Kind(nil).Build(func(into any) error { edit(into.(*Config)); return nil })
}

func asApp(c *Config) { c.AppID, c.PrivateKey = 4711, secret.New(keyPEM()) }

func TestRepositoriesAreOffWithoutASection(t *testing.T) {
	k := Kind(nil)
	b, err := build(asApp)
	if k.Default || k.Name != "github_repository" || err != nil || b.Concurrency != 100 || b.Local {
		t.Errorf("kind %+v, built %+v, %v", k, b, err)
	}
	for _, contract := range []bool{
		func() bool { _, ok := b.Fulfiller.(fulfillers.Resourceful); return ok }(),
		func() bool { _, ok := b.Fulfiller.(fulfillers.Prober); return ok }(),
		func() bool { _, ok := b.Fulfiller.(fulfillers.Inviter); return ok }(),
	} {
		if !contract {
			t.Error("a part of the contract is missing")
		}
	}
}

func TestConfigIsAcceptedInAllItsForms(t *testing.T) {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(keyOnce())
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*Config){
		"App": asApp,
		"PKCS8": func(c *Config) {
			asApp(c)
			c.PrivateKey = secret.New(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
		},
		"OneLine": func(c *Config) { asApp(c); c.PrivateKey = secret.New(strings.ReplaceAll(keyPEM(), "\n", `\n`)) },
		"Token":   func(c *Config) { c.Token = secret.New(pat) },
		"Lists": func(c *Config) {
			asApp(c)
			c.Allow, c.Protect = []string{"acme/*", "acme/pro-*", "Acme/x.y"}, []string{"alice", "583231", "x_corp"}
		},
		"Enterprise": func(c *Config) { asApp(c); c.APIURL = "https://ghe.example.com/api/v3" },
		"Loopback":   func(c *Config) { asApp(c); c.APIURL = "http://127.0.0.1:9999/" },
		"Compose":    func(c *Config) { asApp(c); c.APIURL = "http://github:9999" },
	} {
		if _, err := build(edit); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConfigProblemsAreAllNamedAtOnce(t *testing.T) {
	const hidden = "hunter2 hunter2"
	_, err := build(func(c *Config) {
		*c = Config{AppID: -1, PrivateKey: secret.New(hidden), Token: secret.New(hidden), MaxPermission: "read", APIURL: "ftp://x:" + hidden + "@y",
			Allow: []string{"acme/*", "*", "acme", "acme/..", "acme/a/b", "*/pro"}, Protect: []string{"alice", "a b", ""}}
	})
	want := `fulfillers.github_repository: token: is set beside a GitHub App; keep one of them
app_id: must be the App's number; its settings page shows it
private_key: must be the App's RSA key in PEM form; write private_key_file with the path of the file that GitHub made
allow[1]: must be owner/name or owner/*, for example acme/*
allow[2]: must be owner/name or owner/*, for example acme/*
allow[3]: must be owner/name or owner/*, for example acme/*
allow[4]: must be owner/name or owner/*, for example acme/*
allow[5]: must be owner/name or owner/*, for example acme/*
protect[1]: must be a login or the numeric id of an account
protect[2]: must be a login or the numeric id of an account
api_url: must be a whole https URL without credentials, for example https://api.github.com/
concurrency: must be at least 1
max_permission: must be one of pull, triage, push, maintain, admin
limits.invitations_per_day: must be more than 0; remove it for the default
limits.writes_per_minute: must be more than 0; remove it for the default
limits.writes_per_hour: must be more than 0; remove it for the default
limits.spacing: must be more than 0; remove it for the default`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestConfigNamesTheMend(t *testing.T) {
	elliptic, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := x509.MarshalPKCS8PrivateKey(elliptic)
	if err != nil {
		t.Fatal(err)
	}
	for want, edit := range map[string]func(*Config){
		"app_id: is missing; write app_id":   func(*Config) {},
		"private_key: must be the App's RSA": func(c *Config) { c.AppID = 1 },
		"app_id: must be the App's number":   func(c *Config) { c.PrivateKey = secret.New(keyPEM()) },
		"token: has a blank":                 func(c *Config) { c.Token = secret.New("ghp_x\n") },
		"private_key: must be": func(c *Config) {
			asApp(c)
			c.PrivateKey = secret.New(string(pem.EncodeToMemory(&pem.Block{Bytes: ec})))
		},
		"api_url: must be a whole https URL": func(c *Config) { asApp(c); c.APIURL = "http://api.github.com/" },
		"api_url: must be":                   func(c *Config) { asApp(c); c.APIURL = "https://api.github.com/?x" },
	} {
		if _, err := build(edit); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestTheSectionIsReadWithItsFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"app.pem": keyPEM(), "fulfilld.yaml": `
fulfillers:
  github_repository: { app_id: 4711, private_key_file: app.pem, max_permission: push, allow: ["acme/*"], limits: { spacing: 2s } }
`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := config.Load(filepath.Join(dir, "fulfilld.yaml"), true, nil)
	b, err := Kind(nil).Build(c.Section("github_repository").Decode)
	if err != nil {
		t.Fatal(err)
	}
	got := b.Fulfiller.(*Fulfiller).config
	if got.PrivateKey.Reveal() != strings.TrimSpace(keyPEM()) || got.MaxPermission != "push" || !got.allows("ACME/pro") {
		t.Errorf("%+v", got)
	}
	want := []grant.Limit{{Calls: 1, Per: 2 * time.Second}, {Calls: 80, Per: time.Minute, Spare: 4}, {Calls: 500, Per: time.Hour, Spare: 25}}
	if diff := cmp.Diff(want, got.writes()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]grant.Limit{{Calls: 45, Per: 25 * time.Hour}}, got.invitations()); diff != "" {
		t.Error(diff)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	c := Config{Token: secret.New(pat), PrivateKey: secret.New(keyPEM())}
	text, err := json.Marshal(c)
	for _, shown := range []string{fmt.Sprint(c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", &c), fmt.Sprintf("%s %q %x", c.Token, c.Token, c.Token), string(text)} {
		if err != nil || strings.Contains(shown, pat) || strings.Contains(shown, "BEGIN") || strings.Contains(shown, fmt.Sprintf("%x", pat)) {
			t.Errorf("%v: %s", err, shown)
		}
	}
	if got := fmt.Sprint(c.Token, secret.Text{}); got != "[redacted] " {
		t.Errorf("%q", got)
	}
}
