package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"fulfilld/config"
	"fulfilld/fulfillers"
	"fulfilld/grant"
)

const (
	probeWithin  = 20 * time.Second
	probesAtOnce = 4
	mostProbes   = 50 // in one round of the daemon
)

// probe asks a provider whether it lets a kind do what something asks for.
type probe struct {
	kind   string
	about  string
	params json.RawMessage // nil: the credentials alone
	prober fulfillers.Prober
}

// key is the same for what is the same question.
func (p probe) key() [2]string { return [2]string{p.kind, string(p.params)} }

// String says what is asked.
func (p probe) String() string { return p.kind + ", " + p.about }

func (p probe) ask(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			err = fulfillers.Transient("panic", fmt.Errorf("panic in the probe: %v", r))
		}
	}()
	return p.prober.Probe(ctx, p.params)
}

// oneLine has what a provider refuses in one line; it may be several things.
func oneLine(err error) string { return plain(strings.ReplaceAll(err.Error(), "\n", "; ")) }

// askAll asks a few at a time, and returns where each answer will be.
func askAll(ctx context.Context, all []probe) []chan error {
	answers, free := make([]chan error, len(all)), make(chan struct{}, probesAtOnce)
	for i, p := range all {
		answers[i] = make(chan error, 1)
		go func() {
			free <- struct{}{}
			answers[i] <- p.ask(ctx)
			<-free
		}()
	}
	return answers
}

// credentials are one probe for each kind that can ask.
func credentials(kinds map[string]fulfillers.Built) (all []probe) {
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		if p, ok := kinds[kind].Fulfiller.(fulfillers.Prober); ok {
			all = append(all, probe{kind, "its credentials", nil, p})
		}
	}
	return all
}

// configured are one for each entry of the config's benefits.
func configured(kinds map[string]fulfillers.Built, benefits []config.Benefit) (all []probe) {
	for _, b := range benefits {
		for _, f := range b.Fulfill {
			if p, ok := kinds[f.Kind].Fulfiller.(fulfillers.Prober); ok {
				all = append(all, probe{f.Kind, "benefit " + b.ID, f.Params, p})
			}
		}
	}
	return all
}

// routed are one for each target that benefits are routed to now. What a kind would
// refuse by itself, because the operator has not allowed it, is not asked.
func routed(r fulfillers.Router, benefits []grant.Benefit) (all []probe) {
	for _, b := range benefits {
		for _, t := range r.Route(b).Targets {
			k := r.Kinds[t.Kind].Fulfiller
			if p, ok := k.(fulfillers.Prober); ok && t.Problem == "" && allowed(k, t) {
				all = append(all, probe{t.Kind, "benefit " + b.ID, t.Params, p})
			}
		}
	}
	return all
}

func allowed(k fulfillers.Fulfiller, t grant.Target) bool {
	r, ok := k.(fulfillers.Resourceful)
	if !ok {
		return true
	}
	anybody := grant.Account{Provider: r.Provider(), ID: "1"} // only to ask what there is for them
	_, err := r.Resources(grant.Fulfilment{Kind: t.Kind, Target: t, Account: anybody})
	return err == nil
}

// probes are the daemon's: the config's, and what the youngest benefits in the
// ledger ask for beside them.
func (d *daemon) probes(ctx context.Context) []probe {
	all := append(credentials(d.route.Kinds), configured(d.route.Kinds, d.cfg.Benefits)...)
	if len(all) == 0 {
		return nil
	}
	known, _, _ := d.ledger.Benefits(ctx, grant.BenefitFilter{}, grant.Page{Number: 1, Limit: 100}) // an alarm of its own tells of a ledger that fails
	return distinct(append(all, routed(d.route, known)...))
}

// distinct leaves out what is asked already.
func distinct(all []probe) (rest []probe) {
	asked := map[[2]string]bool{}
	for _, p := range all {
		if !asked[p.key()] {
			rest = append(rest, p)
		}
		asked[p.key()] = true
	}
	return rest
}
