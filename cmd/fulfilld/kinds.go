package main

import (
	"context"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/fulfillers/custom"
	"fulfilld/fulfillers/discord"
	"fulfilld/fulfillers/downloadables"
	"fulfilld/fulfillers/featureflag"
	"fulfilld/fulfillers/github"
	"fulfilld/fulfillers/licensekeys"
	"fulfilld/fulfillers/metercredit"
	"fulfilld/grant"
)

// keeper is what kinds keep in the ledger.
type keeper interface {
	licensekeys.Store
	metercredit.Store
	downloadables.Store
}

// store is that, and what kinds wait for each other by.
type store interface {
	keeper
	fulfillers.Lanes
}

// nowhere is enough to check a config, and to ask providers: it keeps nothing.
type nowhere struct{ keeper }

// Pass implements fulfillers.Lanes.
func (nowhere) Pass(context.Context, string, []grant.Limit, bool) (time.Duration, error) {
	return 0, nil
}

// Pause implements fulfillers.Lanes.
func (nowhere) Pause(context.Context, string, time.Duration, string) error { return nil }

// kinds is the list of fulfillers. A new one is its folder and its line here.
// A nil store is nowhere.
func kinds(s store) []fulfillers.Kind {
	if s == nil {
		s = nowhere{}
	}
	return []fulfillers.Kind{
		licensekeys.Kind(s),
		github.Kind(s),
		discord.Kind(s),
		metercredit.Kind(s),
		featureflag.Kind(),
		custom.Kind(s),
		downloadables.Kind(s),
	}
}

// meters are what events may consume; none while the kind is off.
func meters(built map[string]fulfillers.Built) []grant.Meter {
	if m, ok := built["meter_credit"].Fulfiller.(*metercredit.Fulfiller); ok {
		return m.Meters()
	}
	return nil
}
