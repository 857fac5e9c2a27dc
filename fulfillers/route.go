package fulfillers

import (
	"encoding/json"
	"strings"
	"time"

	"fulfilld/grant"
)

// Want is one entry of a benefit's `fulfill` list in the config.
type Want struct {
	Kind   string
	Params json.RawMessage
}

// Entry is what the config says of one benefit.
type Entry struct {
	Fulfill      []Want
	Grace        *time.Duration // nil: the router's
	ExpiresAfter time.Duration
}

// Router says what is to be done for a benefit.
type Router struct {
	Kinds   map[string]Built // those switched on
	Entries map[string]Entry // by benefit id
	Grace   time.Duration    // where an entry says nothing
}

// Route picks a benefit's targets. The first that has any decides, without
// merging: the config's entry; the benefit's metadata (fulfill: "kind,kind",
// with parameters as "kind.parameter"); the benefit's own type.
func (r Router) Route(b grant.Benefit) grant.Route {
	entry := r.Entries[b.ID]
	route := grant.Route{Grace: r.Grace, ExpiresAfter: entry.ExpiresAfter}
	if entry.Grace != nil {
		route.Grace = *entry.Grace
	}
	for _, w := range entry.Fulfill {
		route.Targets = r.add(route.Targets, w, "config")
	}
	if len(entry.Fulfill) > 0 {
		return route
	}
	for _, w := range fromMetadata(b.Metadata) {
		route.Targets = r.add(route.Targets, w, "metadata")
	}
	if len(route.Targets) == 0 && b.Type != "" {
		route.Targets = r.add(nil, Want{b.Type, b.Properties}, "platform")
	}
	return route
}

// add appends a target, one for each kind, and says why its parameters are refused.
func (r Router) add(all []grant.Target, w Want, origin string) []grant.Target {
	for _, t := range all {
		if t.Kind == w.Kind {
			return all
		}
	}
	t := grant.Target{Kind: w.Kind, Params: w.Params, Origin: origin}
	if kind, ok := r.Kinds[w.Kind]; ok {
		t.Managed = true
		_, t.Cycles = kind.Fulfiller.(Cycler)
		if r, ok := kind.Fulfiller.(Resourceful); ok {
			t.Account = r.Provider()
		}
		if err := kind.Check(w.Params); err != nil {
			t.Problem = err.Error()
		}
	}
	return append(all, t)
}

func fromMetadata(metadata map[string]any) (all []Want) {
	list, _ := metadata["fulfill"].(string)
	for kind := range strings.SplitSeq(list, ",") {
		if kind = strings.TrimSpace(kind); kind == "" {
			continue
		}
		params := map[string]any{}
		for key, v := range metadata {
			if name, ok := strings.CutPrefix(key, kind+"."); ok {
				params[name] = v
			}
		}
		text, err := json.Marshal(params)
		if err != nil {
			text = json.RawMessage("{}")
		}
		all = append(all, Want{kind, text})
	}
	return all
}
