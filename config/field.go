package config

import (
	"encoding"
	"net/netip"
	"reflect"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// secretSetter is what makes a type a secret.
type secretSetter interface{ SetSecret(string) }

// filler is a type that reads its own node.
type filler interface {
	fill(l *loader, at place, n *yaml.Node)
}

// defaulter is an element of a list that has defaults.
type defaulter interface{ setDefaults() }

var (
	durationType = reflect.TypeFor[time.Duration]()
	prefixType   = reflect.TypeFor[netip.Prefix]()
	secretType   = reflect.TypeFor[secretSetter]()
	fillerType   = reflect.TypeFor[filler]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// field is one exported field of a struct.
type field struct {
	key    string
	index  []int
	typ    reflect.Type
	signs  bool
	twin   bool // a <name>_file may hold it
	origin bool // print only a URL's origin
}

// fieldsOf lists a struct's fields, those of embedded structs among them.
func fieldsOf(t reflect.Type) []field {
	var out []field
	for _, f := range reflect.VisibleFields(t) {
		key := keyOf(f)
		if !f.IsExported() || f.Anonymous || key == "-" {
			continue
		}
		out = append(out, field{
			key: key, index: f.Index, typ: f.Type,
			signs: f.Tag.Get("signs") == "true", origin: f.Tag.Get("print") == "origin",
			twin: isSecret(f.Type) || isSecretList(f.Type) || f.Tag.Get("file") == "true",
		})
	}
	return out
}

// keyOf is the name in the yaml tag, else in the json tag, else the field's
// own in snake case.
func keyOf(f reflect.StructField) string {
	for _, tag := range []string{"yaml", "json"} {
		if key, _, _ := strings.Cut(f.Tag.Get(tag), ","); key != "" {
			return key
		}
	}
	var b strings.Builder
	for i, r := range f.Name {
		if unicode.IsUpper(r) && i > 0 && !unicode.IsUpper(rune(f.Name[i-1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// isSection reports whether a type's fields have variables of their own.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !isScalar(t) && !reflect.PointerTo(t).Implements(fillerType)
}

func isSecret(t reflect.Type) bool { return reflect.PointerTo(t).Implements(secretType) }

func isSecretList(t reflect.Type) bool { return t.Kind() == reflect.Slice && isSecret(t.Elem()) }
