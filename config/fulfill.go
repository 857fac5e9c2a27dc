package config

import (
	"encoding/json"
	"reflect"

	"go.yaml.in/yaml/v3"
)

// Fulfill is one kind's part in a benefit.
type Fulfill struct {
	// Kind names the fulfiller, such as license_keys.
	Kind string
	// Params is everything else in the entry, as canonical JSON: an object
	// with sorted keys. It belongs to the kind.
	Params json.RawMessage

	shown map[string]any // Params as written, with ${VARIABLE} in place
}

func (f *Fulfill) fill(l *loader, at place, n *yaml.Node) {
	keys, ok := l.mapping(at, n)
	if !ok {
		return
	}
	if n != nil {
		l.origins[at.path] = origin{line: n.Line, variable: at.variable}
	}
	l.fill(at.child("kind"), keys["kind"], reflect.ValueOf(&f.Kind).Elem())
	delete(keys, "kind")
	params := make(map[string]any, len(keys))
	f.shown = make(map[string]any, len(keys))
	for key, value := range keys {
		params[key] = l.plain(at.child(key), value, false)
		f.shown[key] = l.plain(at.child(key), value, true)
	}
	f.Params = canonical(params)
}

func canonical(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("{}") // plain has reported what JSON cannot hold
	}
	return text
}
