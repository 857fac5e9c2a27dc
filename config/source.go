package config

import (
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// source finds the value of a field that is not a section: its variable wins
// over the file, and the _file twin of what may hold a secret stands for it in
// either.
func (l *loader) source(at place, keys map[string]*yaml.Node, f field) (*yaml.Node, place) {
	if !at.listed && at.variable == "" {
		if n, from, ok := l.fromEnv(at, f); ok {
			return n, from
		}
	}
	n, file := keys[f.key], keys[f.key+"_file"]
	if !f.twin || empty(file) {
		return n, at
	}
	if !empty(n) {
		l.reportAt(at, n.Line, "is set twice, here and in "+f.key+"_file", "keep one of them")
		return nil, at
	}
	return l.secretFile(at.beside("_file"), file, f.typ), at
}

// fromEnv finds the value in the field's variable or its _FILE twin.
func (l *loader) fromEnv(at place, f field) (*yaml.Node, place, bool) {
	name := variableOf(at.path)
	value, ok := l.env.field(name)
	var path string
	var inFile bool
	if f.twin {
		path, inFile = l.env.field(name + "_FILE")
	}
	switch {
	case ok && inFile:
		l.reportAt(at.from(name), 0, "is set twice, in "+name+" and "+name+"_FILE", "keep one of them")
		return nil, at.from(name), true
	case ok:
		return l.fromText(at.from(name), value, f.typ), at.from(name), true
	case inFile:
		n := &yaml.Node{Kind: yaml.ScalarNode, Value: path}
		from := at.from(name + "_FILE")
		return l.secretFile(from, n, f.typ), from, true
	}
	return nil, at, false
}

// fromText gives a variable's text the shape of its field.
func (l *loader) fromText(at place, text string, t reflect.Type) *yaml.Node {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case isScalar(t):
		return textNode(text)
	case t.Kind() == reflect.Slice && isScalar(t.Elem()):
		return listNode(strings.Split(text, ","))
	}
	n, _ := newTree(l, at, false).read([]byte(text))
	return n
}

// secretFile reads the secret, or the secrets one a line, that a path leads to.
func (l *loader) secretFile(at place, path *yaml.Node, t reflect.Type) *yaml.Node {
	if l.broken[path] {
		return nil
	}
	if path.Kind != yaml.ScalarNode {
		l.reportAt(at, path.Line, "is not a path", "write the path of a file that holds the secret")
		return nil
	}
	text, err := readRegular(l.resolvePath(path.Value))
	if err != nil {
		l.reportAt(at, path.Line, "the file "+path.Value+" cannot be read: "+reason(err), "write the path of a file that holds the secret")
		return nil
	}
	n := textNode(strings.TrimRight(string(text), "\r\n"))
	if isSecretList(t) {
		n = listNode(strings.Split(string(text), "\n"))
	}
	n.Line = path.Line
	return n
}

func textNode(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

// listNode drops the blanks around items, and empty items.
func listNode(items []string) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for _, item := range items {
		if item = strings.TrimSpace(item); item != "" {
			list.Content = append(list.Content, textNode(item))
		}
	}
	return list
}
