package config

import (
	"math"

	"go.yaml.in/yaml/v3"
)

// plain turns a node into what JSON can hold; asWritten leaves ${VARIABLE} in
// place, for printing.
func (l *loader) plain(at place, n *yaml.Node, asWritten bool) any {
	switch n.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		for key, value := range pairs(n) {
			out[key.Value] = l.plain(at.child(key.Value), value, asWritten)
		}
		return out
	case yaml.SequenceNode:
		out := []any{}
		for i, item := range n.Content {
			out = append(out, l.plain(at.index(i), item, asWritten))
		}
		return out
	}
	if text, ok := l.written[n]; ok && asWritten {
		return text
	}
	return l.plainScalar(at, n, asWritten)
}

func (l *loader) plainScalar(at place, n *yaml.Node, asWritten bool) any {
	var v any = n.Value
	switch n.ShortTag() {
	case "!!null", "!!bool", "!!int", "!!float":
		if err := n.Decode(&v); err != nil {
			return n.Value // sound has reported it
		}
	}
	if f, ok := v.(float64); ok && (math.IsInf(f, 0) || math.IsNaN(f)) {
		if !asWritten {
			l.reportAt(at, n.Line, "is not a finite number", "write a number, or quote the text")
		}
		return n.Value
	}
	return v
}
