package licensekeys

import (
	"errors"
	"net/url"
	"strings"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// Config is the license_keys section of the config.
type Config struct {
	// Concurrency is how many keys are issued at a time. Default 64.
	Concurrency int `yaml:"concurrency"`

	// ActivationURL is a link shown to the customer beside the key. In it
	// {license_key_id} and {display_key} are replaced; the key itself never
	// goes into a link. Default none.
	ActivationURL string `yaml:"activation_url"`
}

// Kind is this package's entry in the list of kinds. It is on by default.
func Kind(store Store) fulfillers.Kind {
	return fulfillers.Define("license_keys", true, Config{Concurrency: 64},
		func(c Config) (fulfillers.Fulfiller, int, error) {
			return New(c, store), c.Concurrency, c.check()
		})
}

func (c Config) check() error {
	if c.ActivationURL == "" {
		return nil
	}
	sample := c.activationURL(grant.LicenseKey{ID: "id", DisplayKey: "key"})
	if strings.ContainsAny(sample, "{}") {
		return errors.New("activation_url: only {license_key_id} and {display_key} are replaced; remove other braces")
	}
	u, err := url.Parse(sample)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return errors.New("activation_url: must be a whole https or http URL, for example https://example.com/activate/{license_key_id}")
	}
	return nil
}

func (c Config) activationURL(k grant.LicenseKey) string {
	return strings.NewReplacer(
		"{license_key_id}", url.PathEscape(k.ID),
		"{display_key}", url.PathEscape(k.DisplayKey),
	).Replace(c.ActivationURL)
}
