package grant

import (
	"encoding/json"
	"time"
)

// Benefit is what a product promises: a license key, a repository, a role.
type Benefit struct {
	ID             string
	OrganizationID string
	Type           string // the platform's type, for example "license_keys"
	Description    string
	Properties     json.RawMessage
	Metadata       map[string]any
	DeletedAt      time.Time       // non-zero: gone for good
	Body           json.RawMessage // the platform's object, for API answers
	Version        Version
}

// Target is one fulfiller's part in a benefit: which kind, and with which
// parameters. A benefit routes to one target per kind.
type Target struct {
	Kind    string          `json:"kind"`
	Params  json.RawMessage `json:"params,omitempty"`
	Origin  string          `json:"origin"`            // who named it: config, metadata or platform
	Managed bool            `json:"managed"`           // a fulfiller of this kind is switched on here
	Cycles  bool            `json:"cycles,omitempty"`  // the kind acts on every renewal
	Account string          `json:"account,omitempty"` // the provider whose accounts the kind deals with
	Problem string          `json:"problem,omitempty"` // why the parameters are refused
}

// Configured reports whether the operator's config named the target.
func (t Target) Configured() bool { return t.Origin == "config" }

// Route is what is to be done for a benefit, and on which terms.
type Route struct {
	Targets      []Target      `json:"targets"`
	Grace        time.Duration `json:"grace,omitempty"`
	ExpiresAfter time.Duration `json:"expires_after,omitempty"`
}
