package custom

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"fulfilld/fulfillers"
	"fulfilld/internal/outbound"
	"fulfilld/internal/secret"
)

// Config is the custom section of the config.
type Config struct {
	// Concurrency is how many deliveries are under way at a time. Default 16.
	Concurrency int `yaml:"concurrency"`

	// URL is where grants are delivered whose benefit names no URL of its own.
	// Default none: then they are granted, and nothing is called.
	URL string `yaml:"url" print:"origin" file:"true"`

	// Secrets sign what is delivered, each on its own: add the new one, change the
	// receiver, remove the old one. They are needed as soon as there is a URL.
	Secrets []secret.Text `yaml:"secrets" signs:"true"`

	// SecretsFor are secrets of single URLs, instead of Secrets.
	SecretsFor []SecretsFor `yaml:"secrets_for"`

	// Allow lists the hosts that a benefit's metadata may name: a name, or
	// *.example.com for all names below it. Empty: only this config names URLs.
	Allow []string `yaml:"allow"`

	// AllowPrivate are networks that URLs may lead to although they are not
	// public, and the only ones that may be reached by plain http.
	AllowPrivate []netip.Prefix `yaml:"allow_private"`
}

// SecretsFor are the secrets of one URL.
type SecretsFor struct {
	URL     string        `yaml:"url" print:"origin"`
	Secrets []secret.Text `yaml:"secrets" signs:"true"`
}

// Kind is this package's entry in the list of kinds. It is on by default.
func Kind(lanes fulfillers.Lanes) fulfillers.Kind {
	return fulfillers.Define("custom", true, Config{Concurrency: 16},
		func(c Config) (fulfillers.Fulfiller, int, error) {
			f := New(c, lanes)
			return f, c.Concurrency, f.check()
		})
}

// check reports all problems at once. It quotes no URL: one is often a secret.
func (c *Fulfiller) check() error {
	var errs []error
	if c.config.URL != "" {
		if _, err := c.checkURL(c.config.URL); err != nil {
			errs = append(errs, fmt.Errorf("url: %w", err))
		}
	}
	errs = append(errs, checkSecrets("secrets", c.config.Secrets))
	for i, s := range c.config.SecretsFor {
		path := fmt.Sprintf("secrets_for[%d]", i)
		if _, err := c.client.Check(s.URL); err != nil {
			errs = append(errs, fmt.Errorf("%s.url: %w", path, err))
		}
		if len(s.Secrets) == 0 {
			errs = append(errs, fmt.Errorf("%s.secrets: is missing; write at least one", path))
		}
		errs = append(errs, checkSecrets(path+".secrets", s.Secrets))
	}
	for i, host := range c.config.Allow {
		if !hostPattern.MatchString(host) {
			errs = append(errs, fmt.Errorf("allow[%d]: must be a host such as hooks.example.com, or *.example.com", i))
		}
	}
	return errors.Join(errs...)
}

func checkSecrets(path string, secrets []secret.Text) error {
	var errs []error
	for i, s := range secrets {
		if err := outbound.CheckSecret(s); err != nil {
			errs = append(errs, fmt.Errorf("%s[%d]: %w", path, i, err))
		}
	}
	return errors.Join(errs...)
}

var (
	hostPattern = regexp.MustCompile(`^(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)
	asciiHost   = regexp.MustCompile(`^[A-Za-z0-9.:_-]+$`)
)

// checkURL takes a URL apart that can be delivered to: one that there is a secret for.
func (c *Fulfiller) checkURL(address string) (*url.URL, error) {
	u, err := c.client.Check(address)
	switch {
	case err != nil:
		return nil, err
	case !asciiHost.MatchString(u.Hostname()):
		return nil, errors.New("has a host that is not ASCII; write it as xn--…")
	case len(c.config.secretsOf(u.String())) == 0:
		return nil, errors.New("has no secret to sign with; write fulfillers.custom.secrets")
	}
	return u, nil
}

// secretsOf takes an address as url.URL writes it.
func (c Config) secretsOf(address string) []secret.Text {
	for _, s := range c.SecretsFor {
		if u, err := url.Parse(s.URL); err == nil && u.String() == address {
			return s.Secrets
		}
	}
	return c.Secrets
}

// allows reports whether others than this config may name the host.
func (c Config) allows(host string) bool {
	host = strings.ToLower(host)
	return slices.ContainsFunc(c.Allow, func(pattern string) bool {
		below, all := strings.CutPrefix(pattern, "*")
		return host == pattern || all && strings.HasSuffix(host, below)
	})
}
