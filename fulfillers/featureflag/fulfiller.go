// Package featureflag grants feature flags: there is nothing to be done for one
// but to remember that it is granted. Who asks for a customer's state sees it.
package featureflag

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// Config is the feature_flag section of the config.
type Config struct {
	// Concurrency is how many flags are granted at a time. Default 16.
	Concurrency int `yaml:"concurrency"`
}

// Kind is this package's entry in the list of kinds. It is off by default.
func Kind() fulfillers.Kind {
	return fulfillers.Define("feature_flag", false, Config{Concurrency: 16},
		func(c Config) (fulfillers.Fulfiller, int, error) { return Fulfiller{}, c.Concurrency, nil })
}

// Fulfiller grants feature flags.
type Fulfiller struct{}

// Local implements fulfillers.Local.
func (Fulfiller) Local() {}

// params is an entry of the config; the platform's benefits have none.
type params struct {
	Key *string `json:"key"` // what the merchant's program calls the flag
}

// longestKey is more than anybody types.
const longestKey = 100

func parse(raw json.RawMessage) (p params, err error) {
	if len(raw) == 0 {
		return p, nil
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return p, errors.New(`key: must be text, as in key: beta-editor`)
	}
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	if p.Key != nil && (*p.Key == "" || utf8.RuneCountInString(*p.Key) > longestKey || strings.ContainsFunc(*p.Key, unprintable)) {
		return p, fmt.Errorf("key: must be 1 to %d printable characters; without a key the benefit's id is it", longestKey)
	}
	return p, nil
}

// Check implements fulfillers.Fulfiller.
func (Fulfiller) Check(raw json.RawMessage) error {
	_, err := parse(raw)
	return err
}

// Grant implements fulfillers.Fulfiller.
func (Fulfiller) Grant(ctx context.Context, f grant.Fulfilment) (grant.Properties, error) {
	if err := ctx.Err(); err != nil {
		return nil, fulfillers.Transient("cancelled", err)
	}
	p, err := parse(f.Target.Params)
	if err != nil {
		return nil, fulfillers.Permanent("bad_params", "feature_flag: "+err.Error())
	}
	if p.Key == nil {
		return grant.Properties{}, nil
	}
	return grant.Properties{"key": *p.Key}, nil
}

// Revoke implements fulfillers.Fulfiller.
func (Fulfiller) Revoke(ctx context.Context, _ grant.Fulfilment) error {
	if err := ctx.Err(); err != nil {
		return fulfillers.Transient("cancelled", err)
	}
	return nil
}
