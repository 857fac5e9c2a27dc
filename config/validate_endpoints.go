package config

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Endpoint is a server that is told of what happens, by signed webhooks.
type Endpoint struct {
	// Name says which it is, in metrics and alarms: a slug such as mailer.
	Name string `yaml:"name"`
	// URL takes the POSTs. It is often a secret itself, so only its host is
	// printed.
	URL string `yaml:"url" print:"origin" file:"true"`
	// Secrets sign, each on its own: to rotate, add the new one, change the
	// receiver, remove the old one. Each is a Standard Webhooks secret, whsec_….
	Secrets []Secret `yaml:"secrets" signs:"true"`
	// Events are the types that it is told. Default: all.
	Events []string `yaml:"events"`
	// AllowPrivate are networks that the URL may lead to although they are not
	// public; only these may be reached by http. Default: none.
	AllowPrivate []netip.Prefix `yaml:"allow_private"`
}

// Told are the types of events that endpoints can be told.
var Told = []string{
	"benefit.created", "benefit.updated", "benefit_grant.created", "benefit_grant.updated", "benefit_grant.revoked", "benefit_grant.cycled",
}

func (v *validation) endpoints(c *Config) {
	seen := map[string]int{}
	for i, e := range c.Endpoints {
		path := fmt.Sprintf("endpoints[%d]", i)
		first, again := seen[e.Name]
		switch {
		case !isSlug(e.Name):
			v.add(path+".name", fmt.Sprintf("%q is not a name", e.Name), "write a slug such as mailer")
		case again:
			v.add(path+".name", fmt.Sprintf("%q is endpoints[%d] already", e.Name, first), "give each endpoint a name of its own")
		default:
			seen[e.Name] = i
		}
		v.endpointURL(path+".url", e)
		v.endpointSecrets(path+".secrets", e.Secrets)
		for j, typ := range e.Events {
			if !slices.Contains(Told, typ) {
				v.add(fmt.Sprintf("%s.events[%d]", path, j), fmt.Sprintf("%q is not a type of event", typ), fmt.Sprintf("did you mean %q?", closestOr(typ, Told)))
			}
		}
	}
}

// endpointURL repeats nothing of a URL: it may hold a secret anywhere.
func (v *validation) endpointURL(path string, e Endpoint) {
	const instead = "write a URL such as https://example.com/hook"
	if e.URL == "" {
		v.add(path, "is missing", instead)
	}
	if !v.webURL(path, e.URL, instead) {
		return
	}
	switch u, _ := url.Parse(e.URL); {
	case u.User != nil || u.Fragment != "":
		v.add(path, "has a user or a fragment", instead)
	case u.Scheme == "http" && len(e.AllowPrivate) == 0:
		v.add(path, "is not https", "write https, or name the receiver's network in allow_private")
	}
}

func (v *validation) endpointSecrets(path string, secrets []Secret) {
	const instead = `make one with: echo "whsec_$(openssl rand -base64 32)"`
	if len(secrets) == 0 {
		v.add(path, "is missing, and without it nothing can be signed", instead)
	}
	for i, s := range secrets {
		encoded, ok := strings.CutPrefix(s.Reveal(), "whsec_")
		key, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || err != nil || len(key) > 64 {
			v.add(fmt.Sprintf("%s[%d]", path, i), "is not whsec_ and at most 64 bytes in base64", instead)
		}
	}
}
