// Package config reads what the operator decided: one YAML file, the
// environment over it, and defaults under both.
//
// It reports every problem at once, each with its path, its place and what to
// write instead. It must not know a vendor's fields (a kind decodes its own
// [Section]), must not reach the network, and imports nothing of the project but
// what keeps secrets from being printed.
package config

import (
	"net/netip"
	"time"
)

// Config is the effective configuration. A zero value in the file or the
// environment means the default. Every field has a variable: its path in upper
// case behind FULFILLD_, as in FULFILLD_WEBHOOKS_POLAR_SECRETS; lists of plain
// values are separated by commas, anything deeper is written as YAML or JSON.
type Config struct {
	// Listen is the public listener's host:port. Default 127.0.0.1:8080.
	Listen string `yaml:"listen"`
	// PublicURL is that listener's address as customers see it; download links
	// and the customer page need it. Default: none.
	PublicURL string `yaml:"public_url"`
	// TrustedProxies are the addresses whose X-Forwarded-For is believed.
	// Default: none, the peer's own address counts.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"`

	Admin Admin `yaml:"admin"`
	// Tokens let a merchant's programs into the API, on both listeners.
	// Default: none.
	Tokens []Token `yaml:"tokens"`
	// LicenseAPI limits what apps may ask without a token.
	LicenseAPI LicenseAPI `yaml:"license_api"`

	Database Database `yaml:"database"`
	Redis    Redis    `yaml:"redis"`
	Webhooks Webhooks `yaml:"webhooks"`
	Polar    Polar    `yaml:"polar"`

	// GracePeriod is how long a customer keeps what a failed payment would
	// take away, unless the benefit or the product says otherwise. Default 0.
	GracePeriod time.Duration `yaml:"grace_period"`
	// Settle is how long a removal that destroys something waits for a grant
	// of the same thing (a plan change). Default 30s.
	Settle time.Duration `yaml:"settle"`
	// MaxRemovals is how many accounts may lose one resource within ten minutes
	// because of an edit, of a benefit or of this file, before the operator is
	// asked. What the shop says of one customer, and deletions, are never held
	// back. Default 25; 0 never asks.
	MaxRemovals int `yaml:"max_removals"`
	// ShutdownTimeout is how long running work may take to finish after the
	// signal to stop. Default 30s.
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout"`

	CustomerPage CustomerPage `yaml:"customer_page"`

	Retention Retention `yaml:"retention"`
	Log       Log       `yaml:"log"`
	Alerts    Alerts    `yaml:"alerts"`
	Identity  Identity  `yaml:"identity"`
	// Endpoints are told of what becomes of grants and benefits of every kind.
	// Default: none.
	Endpoints  []Endpoint `yaml:"endpoints"`
	Fulfillers Fulfillers `yaml:"fulfillers"`

	// Benefits decide, by id, what is done for a benefit. An entry wins over
	// the platform's metadata and type.
	Benefits []Benefit `yaml:"benefits"`
	// Products are the own catalogue: what fulfilld itself grants for a product.
	Products []Product `yaml:"products"`

	loader *loader
}

// Admin is the operator's listener: the API, the queue dashboard and metrics.
type Admin struct {
	// Listen is its host:port. Default 127.0.0.1:9090.
	Listen string `yaml:"listen"`
	// Token is the bearer token, at least 24 bytes. Default: the daemon makes
	// one beside its data and prints where.
	Token Secret `yaml:"token" signs:"true"`
	// Hosts are host names, beside loopback, that a request may be addressed
	// to. Default: none.
	Hosts []string `yaml:"hosts"`
}

// Token is one program's way into the API.
type Token struct {
	// Name says whose it is.
	Name string `yaml:"name"`
	// Token is what it sends as its bearer token, at least 24 bytes.
	Token Secret `yaml:"token" signs:"true"`
	// Scopes are what it may do, by the platform's names, such as
	// license_keys:write. The operator's own calls have none.
	Scopes []string `yaml:"scopes"`
}

// LicenseAPI limits each client of the license routes that need no token. A
// client is an address, or of IPv6 a /64; see TrustedProxies.
type LicenseAPI struct {
	// Rate is how many requests a second a client may make about one key.
	// Default 3.
	Rate int `yaml:"rate"`
	// Guesses is how many requests a second a client may make about keys that
	// there are not. It is for everybody behind one address. Default 50.
	Guesses int `yaml:"guesses"`
	// Block is how long a client that asks more is refused. Default 60s.
	Block time.Duration `yaml:"block"`
	// Clients is how many are remembered, at some 200 bytes each; who came
	// longest ago is forgotten. Default 100000.
	Clients int `yaml:"clients"`
}

// Database is where the ledger lives.
type Database struct {
	// URL is sqlite://PATH or postgres://user:password@host/db.
	// Default sqlite://./data/fulfilld.db.
	URL string `yaml:"url" file:"true"`
}

// Redis is where the queue lives.
type Redis struct {
	// URL is redis://, redis-sentinel:// or redis-cluster://, or with TLS
	// rediss://, redis-sentinel+tls:// or redis-cluster+tls://.
	// Default: empty, a Redis inside the process.
	URL string `yaml:"url" file:"true"`
}

// Webhooks are the platforms that may send events.
type Webhooks struct {
	Polar PolarWebhooks `yaml:"polar"`
}

// PolarWebhooks is the endpoint Polar sends to.
type PolarWebhooks struct {
	// Secrets verify a delivery; any of them may match, so one can be rotated.
	// Each is at least 24 bytes. Required to serve.
	Secrets []Secret `yaml:"secrets" signs:"true"`
	// Tolerance is how far a delivery's timestamp may be from now, either
	// way. Default 5m.
	Tolerance time.Duration `yaml:"tolerance"`
}

// Polar is Polar's API, for what webhooks do not carry.
type Polar struct {
	// AccessToken is an organization access token. Default: none, the API is
	// not called.
	AccessToken Secret `yaml:"access_token"`
	// Server is production, sandbox or a base URL. Default production.
	Server string `yaml:"server"`
}

// CustomerPage is where customers see what they have bought, on the public
// listener.
type CustomerPage struct {
	// Name is the shop's, in the page's title. Default: none.
	Name string `yaml:"name"`
	// SupportURL is where the page sends whoever needs help; mailto: is fine.
	// Default: none.
	SupportURL string `yaml:"support_url"`
	// SessionTTL is how long a link to the page is good. Default 1h.
	SessionTTL time.Duration `yaml:"session_ttl"`
}

// Retention is how long the ledger remembers events.
type Retention struct {
	// IDs keeps event ids and hashes, which recognise a duplicate. Default 400d.
	IDs time.Duration `yaml:"ids"`
	// Bodies keeps raw payloads, which hold addresses; at most IDs. Default 90d.
	// A failed event keeps its own for as long as IDs, one that is not applied
	// yet until it is.
	Bodies time.Duration `yaml:"bodies"`
}

// Log is what the daemon writes to standard error.
type Log struct {
	// Level is debug, info, warn or error. Default info.
	Level string `yaml:"level"`
	// Format is text or json. Default text.
	Format string `yaml:"format"`
}

// Alerts is where alarms are posted beside the log.
type Alerts struct {
	// URL receives a POST for each alarm, at most one a code and hour. Such
	// addresses are often secrets themselves, so only the host is printed.
	// Default: none.
	URL string `yaml:"url" print:"origin" file:"true"`
}

// Identity says where a customer's accounts elsewhere are to be found.
type Identity struct {
	GitHub  Account `yaml:"github"`
	Discord Account `yaml:"discord"`
}

// Account names the two places on the platform that may hold an account; empty
// means that place is not looked at.
type Account struct {
	// CustomField is a key of the order's or subscription's custom fields.
	CustomField string `yaml:"custom_field"`
	// CustomerMetadata is a key of the customer's metadata.
	CustomerMetadata string `yaml:"customer_metadata"`
}

// Embedded reports whether the queue runs inside the process. With Postgres
// that is right for a single daemon only.
func (c *Config) Embedded() bool { return c.Redis.URL == "" }
