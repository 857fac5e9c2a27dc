package licensekeys

import (
	"strings"
	"testing"

	"fulfilld/fulfillers"
)

func build(edit func(*Config)) (fulfillers.Built, error) {
	return Kind(newMemory()).Build(func(into any) error { edit(into.(*Config)); return nil })
}

func TestLicenseKeysAreOnWithoutConfig(t *testing.T) {
	k := Kind(newMemory())
	b, err := build(func(*Config) {})
	if err != nil {
		t.Fatal(err)
	}
	if !k.Default || k.Name != "license_keys" || b.Concurrency != 64 {
		t.Errorf("kind %q, default %v, concurrency %d", k.Name, k.Default, b.Concurrency)
	}
}

func TestActivationURLMustBeAWebAddressWithoutTheKey(t *testing.T) {
	for url, refused := range map[string]string{
		"":                              "",
		"https://acme.example/activate": "",
		"http://localhost:3000/a/{license_key_id}?last={display_key}": "",
		"https://acme.example/{key}":                                  "only {license_key_id} and {display_key}",
		"https://acme.example/{license_key_id":                        "only {license_key_id} and {display_key}",
		"acme.example/{license_key_id}":                               "must be a whole https or http URL",
		"javascript:alert(1)":                                         "must be a whole https or http URL",
		"https:///{license_key_id}":                                   "must be a whole https or http URL",
		"https://acme.example/%zz":                                    "must be a whole https or http URL",
	} {
		_, err := build(func(c *Config) { c.ActivationURL = url })
		switch {
		case refused == "" && err != nil:
			t.Errorf("%q: %v", url, err)
		case refused != "" && (err == nil || !strings.Contains(err.Error(), "activation_url: "+refused)):
			t.Errorf("%q: error %v, want %q", url, err, refused)
		}
	}
}
