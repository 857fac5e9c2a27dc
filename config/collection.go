package config

import (
	"reflect"

	"go.yaml.in/yaml/v3"
)

func (l *loader) fillDeep(at place, n *yaml.Node, v reflect.Value) {
	l.origins[at.path] = origin{variable: at.variable, line: n.Line}
	switch v.Kind() {
	case reflect.Pointer:
		fresh := reflect.New(v.Type().Elem())
		l.fill(at, n, fresh.Elem())
		v.Set(fresh)
	case reflect.Slice:
		l.fillList(at, n, v)
	case reflect.Map:
		l.fillMap(at, n, v)
	case reflect.Interface:
		v.Set(reflect.ValueOf(l.plain(at, n, false)))
	default:
		l.reportAt(at, n.Line, "cannot be set: the program has a "+v.Type().String()+" here", "")
	}
}

func (l *loader) fillList(at place, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		l.reportAt(at, n.Line, "is not a list", "write [a, b], or one item a line behind a dash")
		return
	}
	if len(n.Content) == 0 {
		return
	}
	list := reflect.MakeSlice(v.Type(), 0, len(n.Content))
	for i, item := range n.Content {
		element := reflect.New(v.Type().Elem())
		if d, ok := element.Interface().(defaulter); ok {
			d.setDefaults()
		}
		l.fillElement(at.index(i), item, element.Elem())
		list = reflect.Append(list, element.Elem())
	}
	v.Set(list)
}

// fillElement refuses an empty item: nothing stands behind it as a default.
func (l *loader) fillElement(at place, n *yaml.Node, v reflect.Value) {
	if empty(n) || isScalar(v.Type()) && n.Kind == yaml.ScalarNode && n.Value == "" && !l.broken[n] {
		l.reportAt(at, n.Line, "is empty", "write a value, or remove the item")
		return
	}
	l.fill(at, n, v)
}

func (l *loader) fillMap(at place, n *yaml.Node, v reflect.Value) {
	keys, ok := l.mapping(at, n)
	if !ok || v.Type().Key().Kind() != reflect.String {
		return
	}
	out := reflect.MakeMap(v.Type())
	at.listed = true
	for key := range pairs(n) {
		element := reflect.New(v.Type().Elem()).Elem()
		l.fill(at.child(key.Value), keys[key.Value], element)
		out.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), element)
	}
	v.Set(out)
}
