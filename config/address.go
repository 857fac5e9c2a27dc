package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fulfilld/internal/secret"
)

func (v *validation) addresses(c *Config) {
	v.listen("listen", c.Listen, "127.0.0.1:8080")
	v.listen("admin.listen", c.Admin.Listen, "127.0.0.1:9090")
	if c.Listen == c.Admin.Listen && !strings.HasSuffix(c.Listen, ":0") {
		v.add("admin.listen", fmt.Sprintf("%q is the public listener's address", c.Listen), "give it another port, so that it can stay private")
	}
	for i, host := range c.Admin.Hosts {
		if strings.ContainsAny(host, "/@? ") || strings.Contains(host, ":") && net.ParseIP(host) == nil {
			v.add(fmt.Sprintf("admin.hosts[%d]", i), fmt.Sprintf("%q is not a host name", redactURL(host)), "write the name alone, as in admin.example.com")
		}
	}
	for i, p := range c.TrustedProxies {
		if p.Bits() == 0 {
			v.add(fmt.Sprintf("trusted_proxies[%d]", i), p.String()+" is everybody, who could then write any address", "name your proxies alone, as in 10.0.0.0/8")
		}
	}
	v.publicURL(c.PublicURL)
	v.webURL("alerts.url", c.Alerts.URL, "write a URL such as https://example.com/alarm")
	v.supportURL(c.CustomerPage.SupportURL)
	v.database(c.Database.URL)
	v.redis(c.Redis.URL)
}

func (v *validation) listen(path, address, example string) {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		v.add(path, fmt.Sprintf("%q is not host:port", redactURL(address)), "write an address such as "+example)
	}
}

func (v *validation) publicURL(text string) {
	const instead = "write a URL such as https://fulfil.example.com"
	if !v.webURL("public_url", text, instead) {
		return
	}
	if u, _ := url.Parse(text); u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		v.add("public_url", "has more than a scheme, a host and a path", instead)
	}
}

func (v *validation) supportURL(text string) {
	if address, ok := strings.CutPrefix(text, "mailto:"); ok && strings.Contains(address, "@") {
		return
	}
	v.webURL("customer_page.support_url", text, "write a URL such as https://example.com/help or mailto:help@example.com")
}

// webURL checks an http or https URL; empty is fine, but not a URL. The text
// is not repeated: it may hold a secret anywhere.
func (v *validation) webURL(path, text, instead string) bool {
	if text == "" {
		return false
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		v.add(path, "is not an http or https URL", instead)
		return false
	}
	return true
}

func (v *validation) database(text string) {
	const instead = "write sqlite://./data/fulfilld.db or postgres://user:password@host/db"
	scheme, rest, _ := strings.Cut(text, "://")
	switch {
	case scheme == "sqlite" && strings.Trim(rest, "/") != "":
	case scheme == "sqlite":
		v.add("database.url", "names no file", instead)
	case scheme != "postgres" && scheme != "postgresql":
		v.add("database.url", "is neither a sqlite:// nor a postgres:// URL", instead)
	case len(hostsOf(rest)) == 0 && !strings.Contains(rest, "host="):
		v.add("database.url", "names no host", instead)
	}
}

var redisSchemes = []string{"redis", "rediss", "redis-sentinel", "redis-sentinel+tls", "redis-cluster", "redis-cluster+tls"}

func (v *validation) redis(text string) {
	if text == "" {
		return
	}
	const instead = "write redis://localhost:6379/0, or leave it out for a Redis inside the process"
	scheme, rest, _ := strings.Cut(text, "://")
	if !slices.Contains(redisSchemes, scheme) {
		v.add("redis.url", "its scheme is none of "+strings.Join(redisSchemes, ", "), instead)
		return
	}
	hosts := hostsOf(rest)
	switch {
	case len(hosts) == 0 || !allHosts(hosts):
		v.add("redis.url", "has no host, or one that is not host:port", instead)
	case len(hosts) > 1 && (scheme == "redis" || scheme == "rediss"):
		v.add("redis.url", "names several hosts", "write redis-sentinel:// or redis-cluster:// before them")
	}
}

// hostsOf lists the hosts of a URL's authority. url.Parse does not take apart
// the several hosts, each with a port, that sentinels and clusters have.
func hostsOf(rest string) []string {
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	if rest == "" {
		return nil
	}
	return strings.Split(rest, ",")
}

var hostPattern = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)

func allHosts(hosts []string) bool {
	return !slices.ContainsFunc(hosts, func(h string) bool { return !hostPattern.MatchString(h) })
}

var (
	urlPassword   = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*://[^:/?#]*):.*@`)
	queryPassword = regexp.MustCompile(`(?i)([?&; ][a-z_]*(?:password|secret|token|key)=)[^&\s]*`)
)

// redactURL hides the password of a URL: before the host, and in the query.
func redactURL(text string) string {
	text = urlPassword.ReplaceAllString(text, "$1:***@")
	return queryPassword.ReplaceAllString(text, "$1***")
}

// redactPath leaves a URL's scheme and host.
func redactPath(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return secret.Redacted
	}
	if u.Path == "" || u.Path == "/" {
		return u.Scheme + "://" + u.Host
	}
	return u.Scheme + "://" + u.Host + "/" + secret.Redacted
}
