package config

import (
	"fmt"
	"slices"
	"time"
)

// scopes are the platform's, as far as there is something here that takes them.
var scopes = []string{
	"benefits:read", "benefits:write", "customer_meters:read", "customer_sessions:write", "customers:read", "customers:write",
	"events:write", "files:read", "files:write", "license_keys:read", "license_keys:write",
}

func (v *validation) tokens(c *Config) {
	names, texts := map[string]int{}, map[string]int{}
	if text := c.Admin.Token.Reveal(); text != "" {
		texts[text] = -1
	}
	for i, t := range c.Tokens {
		path := fmt.Sprintf("tokens[%d]", i)
		if first, again := names[t.Name]; again && t.Name != "" {
			v.add(path+".name", fmt.Sprintf("%q is tokens[%d] already", t.Name, first), "give each program a token of its own")
		} else if t.Name == "" {
			v.add(path+".name", "is missing", "name the program that has the token, as in name: desktop-app")
		}
		names[t.Name] = i
		v.tokenText(path+".token", t.Token.Reveal(), texts, i)
		if len(t.Scopes) == 0 {
			v.add(path+".scopes", "is empty", "name what the program may do, as in scopes: [license_keys:write]")
		}
		for j, s := range t.Scopes {
			if !slices.Contains(scopes, s) {
				v.add(fmt.Sprintf("%s.scopes[%d]", path, j), fmt.Sprintf("%q is not a scope", s), fmt.Sprintf("did you mean %q?", closestOr(s, scopes)))
			}
		}
	}
}

// licenseAPI refuses limits that would let nobody in, or remember more than a
// small machine has room for.
func (v *validation) licenseAPI(l LicenseAPI) {
	for _, n := range []struct {
		name       string
		value, max int
		instead    string
	}{
		{"rate", l.Rate, 1_000_000, "write how many requests a second one client may make about one key, as in rate: 3"},
		{"guesses", l.Guesses, 1_000_000, "write how many requests a second one client may make about unknown keys, as in guesses: 50"},
		{"clients", l.Clients, 10_000_000, "write how many clients are remembered, as in clients: 100000"},
	} {
		if n.value < 1 || n.value > n.max {
			v.add("license_api."+n.name, fmt.Sprintf("%d is not between 1 and %d", n.value, n.max), n.instead)
		}
	}
	if l.Block < time.Second {
		v.add("license_api.block", formatDuration(l.Block)+" is shorter than a second", "write how long a client that asks too much is refused, as in block: 60s")
	}
}

func (v *validation) tokenText(path, text string, texts map[string]int, i int) {
	first, again := texts[text]
	switch {
	case text == "":
		v.add(path, "is missing", "write at least 24 random bytes, for example what `openssl rand -hex 24` prints")
	case again && first < 0:
		v.add(path, "is admin.token too", "give the program a token of its own")
	case again:
		v.add(path, fmt.Sprintf("is that of tokens[%d] too", first), "give each program a token of its own")
	}
	texts[text] = i
}

func closestOr(word string, words []string) string {
	if near := closest(word, words); near != "" {
		return near
	}
	return words[0]
}
