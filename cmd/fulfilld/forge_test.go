package main

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// forge is a fulfiller of repositories at GitHub that knows octocat. What it
// fails with is the test's to say.
type forge struct {
	refuses error
	probe   func(ctx context.Context, params string) error
	probed  atomic.Int64
}

func (*forge) Check(json.RawMessage) error { return nil }
func (*forge) Provider() string            { return "github" }

func (*forge) Grant(context.Context, grant.Fulfilment) (grant.Properties, error) { return nil, nil }
func (*forge) Revoke(context.Context, grant.Fulfilment) error                    { return nil }

// Resources refuses what the operator has not allowed: everything of mallory's.
func (*forge) Resources(f grant.Fulfilment) ([]grant.Resource, error) {
	if strings.Contains(string(f.Target.Params), "mallory/") {
		return nil, fulfillers.Permanent("not_allowed", "matches nothing in allow")
	}
	return nil, nil
}

func (*forge) Observe(_ context.Context, _ grant.Fulfilment, all []grant.Resource) ([]grant.Access, error) {
	return make([]grant.Access, len(all)), nil
}

func (f *forge) Identify(_ context.Context, words string) (grant.Account, error) {
	if words != "octocat" && words != "583231" && f.refuses == nil {
		return grant.Account{}, fulfillers.ActionRequired("no_account", "GitHub has no account "+words)
	}
	return grant.Account{ID: "583231", Name: "octocat", Verified: true}, f.refuses
}

func (f *forge) Probe(ctx context.Context, params json.RawMessage) error {
	f.probed.Add(1)
	if f.probe == nil {
		return nil
	}
	return f.probe(ctx, string(params))
}

// forged is the kind with this fulfiller, and no other.
func forged(f fulfillers.Fulfiller) map[string]fulfillers.Built {
	return map[string]fulfillers.Built{"github_repository": {Fulfiller: f, Concurrency: 1}}
}
