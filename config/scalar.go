package config

import (
	"encoding"
	"encoding/base64"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// shortestKey is the least a key that signs may have, in bytes: Standard
// Webhooks asks for 24 to 64.
const shortestKey = 24

// isScalar reports whether one YAML scalar fills the type.
func isScalar(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	p := reflect.PointerTo(t)
	return p.Implements(secretType) || p.Implements(textType)
}

// fillScalar sets v, unless the text is its type's zero: that is the default.
// Booleans have no default but false or what the caller put there, so false
// is taken at its word.
func (l *loader) fillScalar(at place, n *yaml.Node, v reflect.Value) {
	l.origins[at.path] = origin{variable: at.variable, line: n.Line}
	if n.Kind != yaml.ScalarNode {
		l.reportAt(at, n.Line, "is not a single value", "write "+example(v.Type()))
		return
	}
	if isSecret(v.Type()) {
		l.fillSecret(at, n, v)
		return
	}
	text := strings.TrimSpace(n.Value)
	fresh := reflect.New(v.Type()).Elem()
	if text != "" && !setScalar(fresh, text) {
		l.reportAt(at, n.Line, fmt.Sprintf("%q is not %s", redactURL(text), noun(v.Type())), "write "+example(v.Type()))
		return
	}
	if !fresh.IsZero() || v.Kind() == reflect.Bool && text != "" {
		v.Set(fresh)
	}
}

// setScalar sets v from text that is not empty.
func setScalar(v reflect.Value, text string) bool {
	if v.Type() == durationType {
		d, err := parseDuration(text)
		v.SetInt(int64(d))
		return err == nil
	}
	if v.Type() == prefixType {
		p, ok := parsePrefix(text)
		v.Set(reflect.ValueOf(p))
		return ok
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text)) == nil
	}
	return setBasic(v, text)
}

func setBasic(v reflect.Value, text string) bool {
	switch {
	case v.Kind() == reflect.String:
		v.SetString(text)
		return true
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		v.SetBool(b)
		return err == nil
	case v.CanInt():
		i, err := strconv.ParseInt(text, 10, v.Type().Bits())
		v.SetInt(i)
		return err == nil
	case v.CanUint():
		u, err := strconv.ParseUint(text, 10, v.Type().Bits())
		v.SetUint(u)
		return err == nil
	default:
		f, err := strconv.ParseFloat(text, v.Type().Bits())
		v.SetFloat(f)
		return err == nil
	}
}

// parsePrefix takes a network, or an address as the network of itself.
func parsePrefix(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

func (l *loader) fillSecret(at place, n *yaml.Node, v reflect.Value) {
	if n.Value == "" {
		return
	}
	if at.signs {
		if wrong := weak(n.Value); wrong != "" {
			l.reportAt(at, n.Line, wrong, fmt.Sprintf("use at least %d random bytes, as from: openssl rand -base64 32", shortestKey))
			return
		}
	}
	v.Addr().Interface().(secretSetter).SetSecret(n.Value)
}

// weak says why a key is too short to sign with, or nothing. Behind whsec_ the
// key is what the base64 decodes to.
func weak(key string) string {
	if len(key) < shortestKey {
		return fmt.Sprintf("is %d bytes, too short for a key", len(key))
	}
	encoded, ok := strings.CutPrefix(key, "whsec_")
	if !ok {
		return ""
	}
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	if err == nil && len(decoded) < shortestKey {
		return fmt.Sprintf("decodes to %d bytes, too short for a key", len(decoded))
	}
	return ""
}

func noun(t reflect.Type) string {
	switch {
	case t == durationType:
		return "a duration"
	case t == prefixType:
		return "an address or a network"
	case isSecret(t) || t.Kind() == reflect.String:
		return "text"
	case t.Kind() == reflect.Bool:
		return "a boolean"
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		return "a whole number in range"
	case t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64:
		return "a number"
	}
	return "a valid value"
}

func example(t reflect.Type) string {
	switch noun(t) {
	case "a duration":
		return "30s, 5m, 12h or 7d"
	case "an address or a network":
		return "10.0.0.1 or 10.0.0.0/8"
	case "text":
		return "one line of text"
	case "a boolean":
		return "true or false"
	case "a whole number in range":
		return "a whole number such as 16"
	case "a number":
		return "a number such as 0.5"
	}
	return "one value"
}
