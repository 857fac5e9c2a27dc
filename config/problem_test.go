package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fulfilld/config"
)

// problems are the lines of Validate, with the file's directory cut off.
func problems(c *config.Config, purpose config.Purpose) string {
	err := c.Validate(purpose)
	if err == nil {
		return ""
	}
	return strings.ReplaceAll(err.Error(), filepath.Dir(c.File())+"/", "") + "\n"
}

func TestAllProblemsAreToldAtOnce(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/mistakes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c := load(t, string(text), "FULFILLD_LOG_FROMAT=json", "FULFILLD_SETTLE=soon", "FULFILLD_BENEFIT=x", "FULFILLD_POLAR_SERVER=moon")
	var keys struct {
		Concurrency int `yaml:"concurrency"`
	}
	_ = c.Section("license_keys").Decode(&keys)
	c.Section("custom")
	golden(t, "testdata/mistakes.golden", problems(c, config.Serve))
}

func TestOneMistakeIsToldOnce(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text, want string
		environ    []string
	}{
		"UnsetVariable": {
			text: "webhooks: {polar: {secrets: ['${SECRET}']}}",
			want: "webhooks.polar.secrets[0]: the variable SECRET is not set; set it, or write the value here (fulfilld.yaml:1)\n",
		},
		"ShortKeyBehindBase64": {
			text: "webhooks: {polar: {secrets: [whsec_MDEyMzQ1Njc4OWFiY2RlZjA=]}}",
			want: "webhooks.polar.secrets[0]: decodes to 17 bytes, too short for a key; use at least 24 random bytes, as from: openssl rand -base64 32 (fulfilld.yaml:1)\n",
		},
		"NotYAML": {
			text: "listen: [\n",
			want: "fulfilld.yaml: is not valid YAML: did not find expected node content (fulfilld.yaml:1)\n",
		},
		"NotAMapping": {
			text: "- listen\n",
			want: "fulfilld.yaml: is not a mapping; write keys below it, one a line (fulfilld.yaml:1)\nwebhooks.polar.secrets: is missing, and without it no webhook can be verified; copy the secret from the endpoint's page at Polar (Settings, Webhooks) into it or into FULFILLD_WEBHOOKS_POLAR_SECRETS\n",
		},
		"AddressTwice": {
			text: "alerts: {url: 'https://example.com', url_file: /run/secrets/alerts}\n",
			want: "alerts.url: is set twice, here and in url_file; keep one of them (fulfilld.yaml:1)\nwebhooks.polar.secrets: is missing, and without it no webhook can be verified; copy the secret from the endpoint's page at Polar (Settings, Webhooks) into it or into FULFILLD_WEBHOOKS_POLAR_SECRETS\n",
		},
		"NoTwinForWhatHoldsNoSecret": {
			text:    "log: {level_file: /run/level}\n",
			environ: []string{"FULFILLD_WEBHOOKS_POLAR_SECRETS=" + key},
			want:    "log.level_file: no such key; the keys here are level, format (fulfilld.yaml:1)\n",
		},
		"MissingSign": {
			text: "a: [b}\n",
			want: "fulfilld.yaml: is not valid YAML: did not find expected ',' or ']'\n",
		},
		"MissingSecret": {
			want: "webhooks.polar.secrets: is missing, and without it no webhook can be verified; copy the secret from the endpoint's page at Polar (Settings, Webhooks) into it or into FULFILLD_WEBHOOKS_POLAR_SECRETS\n",
		},
		"ShortKeyInVariable": {
			environ: []string{"FULFILLD_WEBHOOKS_POLAR_SECRETS=" + key + ",short"},
			want:    "webhooks.polar.secrets[1]: is 5 bytes, too short for a key; use at least 24 random bytes, as from: openssl rand -base64 32 (FULFILLD_WEBHOOKS_POLAR_SECRETS)\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			same(t, problems(load(t, tt.text, tt.environ...), config.Serve), tt.want)
		})
	}
}

func TestMissingFileIsAProblemOnlyWhenNamed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none.yaml")
	valid(t, config.Load(path, false, nil))
	err := config.Load(path, true, nil).Validate(config.Serve)
	if err == nil || err.Error() != path+": cannot be read: no such file or directory; check --config" {
		t.Errorf("got %v", err)
	}
}

func TestProblemsNeverRepeatASecret(t *testing.T) {
	t.Parallel()
	c := load(t, "admin: {token: hunter2}\nredis: {url: 'http://u:hunter2@h'}\nlisten: 'postgres://u:hunter2@h'\ndatabase: {url: 'mysql://u:hunter2@h/d'}\nalerts: {url: 'ftp://hunter2'}\npolar: {access_token: [hunter2]}\n")
	err := c.Validate(config.Serve)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got:\n%v", err)
	}
}

func TestYAMLMistakesNeverRepeatASecret(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"UnknownAnchor":  "admin: {token: *hunter2}\n",
		"ContainsItself": "admin: &hunter2 {token: *hunter2}\n",
		"NotThatType":    "admin: {token: !!int hunter2}\n",
		"Backticks":      "admin: {token: !!int '`hunter2`hunter2'}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := load(t, text).Validate(config.Other); err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got:\n%v", err)
			}
		})
	}
}

func TestHostileYAMLIsAProblem(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"ContainsItself": "benefits: &a [*a]",
		"MergesItself":   "a: &a\n  <<: *a\n? [x]\na: &a\n\n",
		"TwiceTheKey":    "listen: a:1\nlisten: b:1\n",
		"TwoDocuments":   "listen: a:1\n---\nlisten: b:1\n",
		"Explodes":       "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := load(t, text).Validate(config.Other); err == nil {
				t.Error("no problem")
			}
		})
	}
}

func FuzzLoadNeverPanics(f *testing.F) {
	for _, name := range []string{"testdata/mistakes.yaml", "../deploy/fulfilld.example.yaml"} {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, "FULFILLD_BENEFITS=[{id: a}]")
	}
	f.Add([]byte("a: &a\n  <<: *a\n? [x]\n: ${Y}\n"), "FULFILLD_PRODUCTS=&a [*a]")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte, variable string) {
		path := filepath.Join(dir, "fulfilld.yaml")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		c := config.Load(path, true, []string{variable})
		var section struct {
			Free map[string]any
			Key  config.Secret
		}
		_ = c.Section("custom").Decode(&section)
		_ = c.Validate(config.Serve)
		if err := c.Print(new(strings.Builder)); err != nil {
			t.Error(err)
		}
	})
}

func TestLimitsThatLetNobodyInAreRefused(t *testing.T) {
	t.Parallel()
	c := load(t, "trusted_proxies: [0.0.0.0/0]\nlicense_api: {rate: -1, guesses: 2000000, block: 1ms, clients: -5}\n")
	want := `trusted_proxies[0]: 0.0.0.0/0 is everybody, who could then write any address; name your proxies alone, as in 10.0.0.0/8 (fulfilld.yaml:1)
license_api.block: 1ms is shorter than a second; write how long a client that asks too much is refused, as in block: 60s (fulfilld.yaml:2)
license_api.clients: -5 is not between 1 and 10000000; write how many clients are remembered, as in clients: 100000 (fulfilld.yaml:2)
license_api.guesses: 2000000 is not between 1 and 1000000; write how many requests a second one client may make about unknown keys, as in guesses: 50 (fulfilld.yaml:2)
license_api.rate: -1 is not between 1 and 1000000; write how many requests a second one client may make about one key, as in rate: 3 (fulfilld.yaml:2)
`
	if got := problems(c, config.Other); got != want {
		t.Errorf("got\n%s", got)
	}
}
