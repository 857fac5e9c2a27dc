package config

import (
	"encoding"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"time"

	"fulfilld/internal/secret"

	"go.yaml.in/yaml/v3"
)

// Print writes the effective configuration as YAML, with secrets and the
// passwords in URLs redacted. Kinds are shown as their Decode left them.
func (c *Config) Print(w io.Writer) error {
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(shown(reflect.ValueOf(c).Elem())); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return encoder.Close()
}

// shown is a value as it may be seen.
func shown(v reflect.Value) *yaml.Node {
	switch x := v.Interface().(type) {
	case Fulfillers:
		return x.shown()
	case Fulfill:
		return x.node()
	case time.Duration:
		return textNode(formatDuration(x))
	}
	if isSecret(v.Type()) {
		return shownSecret(v)
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok && v.Kind() != reflect.Pointer {
		text, _ := m.MarshalText()
		return textNode(string(text))
	}
	return shownDeep(v)
}

func shownSecret(v reflect.Value) *yaml.Node {
	if v.IsZero() {
		return scalarNode("")
	}
	return scalarNode(secret.Redacted)
}

func shownDeep(v reflect.Value) *yaml.Node {
	switch v.Kind() {
	case reflect.Struct:
		return shownStruct(v)
	case reflect.Slice:
		list := listNode(nil)
		for i := range v.Len() {
			list.Content = append(list.Content, shown(v.Index(i)))
		}
		return inlineWhenEmpty(list)
	case reflect.Map:
		out := map[string]*yaml.Node{}
		for _, key := range v.MapKeys() {
			out[key.String()] = shown(v.MapIndex(key))
		}
		return mappingNode(out)
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return scalarNode(nil)
		}
		return shown(v.Elem())
	case reflect.String:
		return scalarNode(redactURL(v.String()))
	}
	return scalarNode(v.Interface())
}

// shownStruct leaves out pointers to nothing: they mean "not said here".
func shownStruct(v reflect.Value) *yaml.Node {
	out := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range fieldsOf(v.Type()) {
		value := v.FieldByIndex(f.index)
		if value.Kind() == reflect.Pointer && value.IsNil() {
			continue
		}
		n := shown(value)
		if f.origin && n.Value != "" {
			n = scalarNode(redactPath(value.String()))
		}
		out.Content = append(out.Content, scalarNode(f.key), n)
	}
	return inlineWhenEmpty(out)
}

func (f Fulfillers) shown() *yaml.Node {
	out := map[string]*yaml.Node{}
	for kind, s := range f.sections {
		if s.value.IsValid() {
			out[kind] = shown(s.value)
		}
	}
	return mappingNode(out)
}

func (f Fulfill) node() *yaml.Node {
	n := mappingNode(nil)
	n.Content = append(n.Content, scalarNode("kind"), scalarNode(f.Kind))
	n.Content = append(n.Content, shownParam("", f.shown).Content...)
	n.Style = 0
	return n
}

// secretName matches the names of parameters that hold secrets: a kind's
// parameters have no type here that would tell.
var secretName = regexp.MustCompile(`(?i)(secret|token|password|(^|_)key)$`)

func shownParam(name string, v any) *yaml.Node {
	switch x := v.(type) {
	case map[string]any:
		out := map[string]*yaml.Node{}
		for key, value := range x {
			out[key] = shownParam(key, value)
		}
		return mappingNode(out)
	case []any:
		list := listNode(nil)
		for _, item := range x {
			list.Content = append(list.Content, shownParam(name, item))
		}
		return inlineWhenEmpty(list)
	case string:
		switch onlyVariables := variable.ReplaceAllString(x, "") == ""; {
		case onlyVariables:
		case secretName.MatchString(name):
			return scalarNode(secret.Redacted)
		case name == "url": // where something is told; its path is often a secret
			return scalarNode(redactPath(x))
		}
		return scalarNode(redactURL(x))
	}
	return scalarNode(v)
}

func mappingNode(values map[string]*yaml.Node) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		n.Content = append(n.Content, scalarNode(key), values[key])
	}
	return inlineWhenEmpty(n)
}

func inlineWhenEmpty(n *yaml.Node) *yaml.Node {
	if len(n.Content) == 0 {
		n.Style = yaml.FlowStyle
	}
	return n
}

func scalarNode(v any) *yaml.Node {
	var n yaml.Node
	if err := n.Encode(v); err != nil {
		return textNode(secret.Redacted) // no field has such a type
	}
	return &n
}
