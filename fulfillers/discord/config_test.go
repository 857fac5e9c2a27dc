package discord

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fulfilld/config"
	"fulfilld/fulfillers"
)

func build(t *testing.T, yaml string, environ ...string) (fulfillers.Built, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "fulfilld.yaml")
	if err := os.WriteFile(file, []byte("fulfillers:\n  discord: "+yaml+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return Kind(nil).Build(config.Load(file, true, environ).Section("discord").Decode)
}

func TestDiscordIsOffWithoutASection(t *testing.T) {
	t.Parallel()
	if k := Kind(nil); k.Default || k.Name != "discord" {
		t.Errorf("kind %q, default %v", k.Name, k.Default)
	}
}

func TestATokenIsEnough(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ yaml, env string }{
		"InTheFile":       {"{ bot_token: " + token + " }", "A=b"},
		"InAnotherFile":   {"{ bot_token_file: " + file + " }", "A=b"},
		"InTheVariable":   {"{}", "FULFILLD_FULFILLERS_DISCORD_BOT_TOKEN=" + token},
		"NamedByVariable": {"{}", "FULFILLD_FULFILLERS_DISCORD_BOT_TOKEN_FILE=" + file},
	} {
		b, err := build(t, c.yaml, c.env)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		d := b.Fulfiller.(*Fulfiller)
		if d.config.BotToken.Reveal() != token || b.Concurrency != 40 || d.config.APIURL != DefaultAPI || b.Local {
			t.Errorf("%s: concurrency %d, address %s", name, b.Concurrency, d.config.APIURL)
		}
	}
}

func TestConfigReportsEveryProblemAndNoSecret(t *testing.T) {
	t.Parallel()
	_, err := build(t, `{ bot_token: "Bot `+token+`", concurrency: -1, allow: ["1", guild], protect: ["007"], api_url: "https://user:hunter2@proxy/", invite_channel: general }`)
	if err == nil {
		t.Fatal("no error")
	}
	for _, says := range []string{
		`bot_token: has the word "Bot" in front; write the token alone`,
		"concurrency: must be at least 1",
		"allow[1]: must be a Discord id", "use Copy Server ID",
		"protect[0]: must be a Discord id",
		"api_url: must have neither a user nor a query; write it like https://discord.com/api/v9/",
		"invite_channel: must be a Discord id",
	} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("does not say %q:\n%v", says, err)
		}
	}
	for _, secret := range []string{"a-secret", "hunter2"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("names a secret: %v", err)
		}
	}
}

func TestOneProblemAtATime(t *testing.T) {
	t.Parallel()
	for yaml, says := range map[string]string{
		`{}`:                               "bot_token: is missing",
		`{ bot_token: "a b" }`:             "bot_token: has a blank",
		`{ bot_token: "a\nb" }`:            "bot_token: has a blank",
		`{ bot_token: a, api_url: "x/y" }`: "api_url: must be a whole URL",
		`{ bot_token: a, api_url: "ftp://discord.com/" }`:     "api_url: must be a whole URL",
		`{ bot_token: a, api_url: "http://discord.com/" }`:    "api_url: would send the bot token unencrypted",
		`{ bot_token: a, api_url: "https://discord.com/?a" }`: "api_url: must have neither",
		`{ bot_token: a, guild: 1 }`:                          "no such key",
		`{ bot_token: a, api_url: "http://127.0.0.1:1/" }`:    "",
		`{ bot_token: a, api_url: "http://localhost:1" }`:     "",
		`{ bot_token: a, allow: [123], protect: ["4"] }`:      "",
	} {
		_, err := build(t, yaml)
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: error %v, want %q", yaml, err, says)
		}
	}
}

func TestTokenNeverPrintsItself(t *testing.T) {
	t.Parallel()
	var c Config
	c.BotToken.SetSecret(token)
	text, _ := json.Marshal(c)
	d := New(c, nil)
	shown := fmt.Sprintf("%v %+v %#v %s %q %x %s %v %+v", c, c, c, c.BotToken, c.BotToken, c.BotToken, text, c.BotToken.LogValue(), d)
	shown += slog.Any("c", c).String()
	if strings.Contains(shown, "a-secret") || !strings.Contains(shown, "[redacted]") {
		t.Error(shown)
	}
	c.BotToken.SetSecret("")
	if c.BotToken.Reveal() != "" || c.BotToken.String() != "" {
		t.Error("an emptied token is not empty")
	}
}
