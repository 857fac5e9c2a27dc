package config_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"fulfilld/config"
)

const key = "0123456789abcdef01234567" // the shortest that signs

// load reads text as a file, with the variables given as NAME=value.
func load(t *testing.T, text string, environ ...string) *config.Config {
	t.Helper()
	return config.Load(write(t, "fulfilld.yaml", text), true, environ)
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func valid(t *testing.T, c *config.Config) {
	t.Helper()
	if err := c.Validate(config.Other); err != nil {
		t.Fatalf("unexpected problems:\n%v", err)
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(config.Config{}, config.Fulfillers{}, config.Fulfill{}), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestEmptyFileIsTheDefault(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"Nothing":    "",
		"Comment":    "# nothing\n",
		"Null":       "~",
		"ZeroValues": "listen: ''\nsettle: 0d\nlog: {level: ''}\nadmin:\ntrusted_proxies: []\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := load(t, text)
			valid(t, c)
			same(t, c, config.Default())
		})
	}
}

func TestEverythingInAFileArrives(t *testing.T) {
	t.Parallel()
	c := load(t, `
listen: :8080
trusted_proxies: [10.1.2.3, 10.0.0.0/8, "::1"]
admin: {token: `+key+`, hosts: [admin.example.com]}
redis: {url: "redis-sentinel://:pw@a:26379,b:26379/0?master=main"}
webhooks: {polar: {secrets: ["${S}"], tolerance: 1m}}
tokens: [{name: app, token: "${S}", scopes: ["license_keys:write"]}]
grace_period: 1d12h
retention: {ids: 30d, bodies: 7d}
benefits:
  - {id: 4CB7AB24-906C-4067-83B2-2C8152D36AB6, grace_period: 0d, fulfill: [{kind: custom, url: "https://${H}", n: 12345678901234567, list: [b, a], on: true}]}
  - {id: pro-chat, expires_after: 365d, fulfill: [{kind: discord}]}
products:
  - {id: 0f8a4f0e-5a0e-4a51-8f0e-3b1f4f3c2d1a, benefits: [pro-chat], grace_period: 3d}
`, "S=whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3", "H=example.com")
	valid(t, c)
	none, three := time.Duration(0), 72*time.Hour
	want := config.Default()
	want.Listen = ":8080"
	want.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.1.2.3/32"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	want.Admin.Token = config.NewSecret(key)
	want.Admin.Hosts = []string{"admin.example.com"}
	want.Tokens = []config.Token{{Name: "app", Token: config.NewSecret("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"), Scopes: []string{"license_keys:write"}}}
	want.Redis.URL = "redis-sentinel://:pw@a:26379,b:26379/0?master=main"
	want.Webhooks.Polar = config.PolarWebhooks{Secrets: []config.Secret{config.NewSecret("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3")}, Tolerance: time.Minute}
	want.GracePeriod = 36 * time.Hour
	want.Retention = config.Retention{IDs: 720 * time.Hour, Bodies: 168 * time.Hour}
	want.Benefits = []config.Benefit{
		{ID: "4cb7ab24-906c-4067-83b2-2c8152d36ab6", GracePeriod: &none, Fulfill: []config.Fulfill{
			{Kind: "custom", Params: []byte(`{"list":["b","a"],"n":12345678901234567,"on":true,"url":"https://example.com"}`)},
		}},
		{ID: "pro-chat", ExpiresAfter: 365 * 24 * time.Hour, Fulfill: []config.Fulfill{{Kind: "discord", Params: []byte(`{}`)}}},
	}
	want.Products = []config.Product{{ID: "0f8a4f0e-5a0e-4a51-8f0e-3b1f4f3c2d1a", Benefits: []string{"pro-chat"}, Refund: "full", GracePeriod: &three}}
	same(t, c, want)
}

func TestAnchorsAndMergesAreResolved(t *testing.T) {
	t.Parallel()
	c := load(t, "log: &l {level: debug}\nidentity: {github: &a {custom_field: x, customer_metadata: y}, discord: {<<: *a, custom_field: z}}\n")
	valid(t, c)
	same(t, c.Identity.Discord, config.Account{CustomField: "z", CustomerMetadata: "y"})
}

func TestDollarDollarIsTheTextItself(t *testing.T) {
	t.Parallel()
	c := load(t, "identity: {github: {custom_field: '$${A}${B}'}}", "B=b")
	valid(t, c)
	same(t, c.Identity.GitHub.CustomField, "${A}b")
}

func TestSecretsComeFromFiles(t *testing.T) {
	t.Parallel()
	one := write(t, "one", key+"\r\n")
	two := write(t, "two", key+"\n\n"+key+"2\n")
	c := load(t, "admin: {token_file: "+one+"}", "FULFILLD_WEBHOOKS_POLAR_SECRETS_FILE="+two)
	valid(t, c)
	same(t, c.Admin.Token.Reveal(), key)
	same(t, c.Webhooks.Polar.Secrets, []config.Secret{config.NewSecret(key), config.NewSecret(key + "2")})
}

func TestAddressesComeFromFilesLikeSecrets(t *testing.T) {
	t.Parallel()
	database := write(t, "database", "postgres://fulfilld:hunter2@db/fulfilld\n")
	redis := write(t, "redis", "rediss://:hunter2@redis:6379/0\n")
	alerts := write(t, "alerts", "https://hooks.example.com/hunter2\n")
	want := config.Default()
	want.Database.URL, want.Redis.URL, want.Alerts.URL = "postgres://fulfilld:hunter2@db/fulfilld", "rediss://:hunter2@redis:6379/0", "https://hooks.example.com/hunter2"
	for name, c := range map[string]*config.Config{
		"InTheFile": load(t, "database: {url_file: "+database+"}\nredis: {url_file: "+redis+"}\nalerts: {url_file: "+alerts+"}\n"),
		"InVariables": load(t, "database: {url: 'sqlite://file.db'}",
			"FULFILLD_DATABASE_URL_FILE="+database, "FULFILLD_REDIS_URL_FILE="+redis, "FULFILLD_ALERTS_URL_FILE="+alerts),
	} {
		t.Run(name, func(t *testing.T) {
			valid(t, c)
			same(t, c, want)
		})
	}
}

func TestRedisIsReachedInEveryWay(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"redis://localhost", "rediss://user:pw@host:6379/1",
		"redis-sentinel://a:26379,b/0?master=m", "redis-sentinel+tls://:pw@a,b?master=m", "redis-cluster://a:1,b:2", "redis-cluster+tls://[::1]:1",
	} {
		valid(t, load(t, "redis: {url: '"+url+"'}"))
	}
	for _, url := range []string{"redis+tls://host", "rediss+tls://host", "redis-cluster+ssl://host", "redis-cluster+tls://"} {
		if err := load(t, "redis: {url: '"+url+"'}").Validate(config.Other); err == nil {
			t.Errorf("%s is taken", url)
		}
	}
}

func TestPathsAreRelativeToTheFile(t *testing.T) {
	t.Parallel()
	path := write(t, "fulfilld.yaml", "admin: {token_file: token}")
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "token"), []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	c := config.Load(path, true, nil)
	valid(t, c)
	same(t, c.Admin.Token.Reveal(), key)
	same(t, c.Resolve("app.pem"), filepath.Join(filepath.Dir(path), "app.pem"))
	same(t, c.Resolve("/app.pem"), "/app.pem")
}

func TestDefaultFileIsReadWhenItExists(t *testing.T) {
	t.Chdir(t.TempDir())
	same(t, config.Load("", false, nil).Log.Level, "info")
	if err := os.WriteFile(config.DefaultFile, []byte("log: {level: debug}"), 0o600); err != nil {
		t.Fatal(err)
	}
	same(t, config.Load("", false, nil).Log.Level, "debug")
	same(t, config.Load("", true, nil).Log.Level, "info")
}

func TestWithoutRedisTheQueueIsEmbedded(t *testing.T) {
	t.Parallel()
	same(t, config.Default().Embedded(), true)
	same(t, load(t, "redis: {url: 'redis://localhost'}").Embedded(), false)
}
