package config

import (
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// fill sets v from a node; none, null and the zero value leave it as it is.
func (l *loader) fill(at place, n *yaml.Node, v reflect.Value) {
	if l.broken[n] {
		return
	}
	own, isFiller := v.Addr().Interface().(filler)
	switch {
	case isFiller:
		own.fill(l, at, n)
	case isSection(v.Type()):
		l.fillSection(at, n, v)
	case empty(n):
	case isScalar(v.Type()):
		l.fillScalar(at, n, v)
	default:
		l.fillDeep(at, n, v)
	}
}

func empty(n *yaml.Node) bool {
	return n == nil || n.Kind == 0 || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// fillSection walks every field, even without a node: the environment may name
// it.
func (l *loader) fillSection(at place, n *yaml.Node, v reflect.Value) {
	if n != nil && at.path != "" {
		l.origins[at.path] = origin{line: n.Line, variable: at.variable}
	}
	keys, _ := l.mapping(at, n)
	var known []string
	for _, f := range fieldsOf(v.Type()) {
		l.fillField(at.child(f.key), keys, f, v.FieldByIndex(f.index))
		known = append(known, f.key)
		delete(keys, f.key)
		if f.twin {
			delete(keys, f.key+"_file")
		}
	}
	for key, value := range pairs(n) {
		if _, left := keys[key.Value]; left {
			l.reportAt(at.child(key.Value), lineOf(key, value), "no such key", suggestion(key.Value, known, "the keys here are "+strings.Join(known, ", ")))
		}
	}
}

func lineOf(key, value *yaml.Node) int {
	if key.Line > 0 {
		return key.Line
	}
	return value.Line
}

func (l *loader) fillField(at place, keys map[string]*yaml.Node, f field, v reflect.Value) {
	at.signs = f.signs
	if isSection(f.typ) {
		l.fill(at, keys[f.key], v)
		return
	}
	n, at := l.source(at, keys, f)
	l.fill(at, n, v)
}

// mapping is a node's keys; false, and reported, when it is something else.
func (l *loader) mapping(at place, n *yaml.Node) (map[string]*yaml.Node, bool) {
	keys := map[string]*yaml.Node{}
	if empty(n) {
		return keys, true
	}
	if n.Kind != yaml.MappingNode {
		l.reportAt(at, n.Line, "is not a mapping", "write keys below it, one a line")
		return keys, false
	}
	for key, value := range pairs(n) {
		keys[key.Value] = value
	}
	return keys, true
}
