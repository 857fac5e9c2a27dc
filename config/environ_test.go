package config

import (
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// leaf is a field with a variable of its own.
type leaf struct {
	path  string
	index []int
	typ   reflect.Type
}

func leaves(t reflect.Type, path string, index []int) []leaf {
	var out []leaf
	for _, f := range fieldsOf(t) {
		at := leaf{path: join(path, f.key), index: append(index[:len(index):len(index)], f.index...), typ: f.typ}
		switch {
		case f.typ == reflect.TypeFor[Fulfillers]():
		case isSection(f.typ):
			out = append(out, leaves(f.typ, at.path, at.index)...)
		default:
			out = append(out, at)
		}
	}
	return out
}

// sample is text for a type that is no field's default.
func sample(t *testing.T, typ reflect.Type) string {
	switch typ {
	case reflect.TypeFor[string](), reflect.TypeFor[[]string]():
		return "something"
	case reflect.TypeFor[time.Duration]():
		return "77d"
	case reflect.TypeFor[int]():
		return "77"
	case reflect.TypeFor[Secret](), reflect.TypeFor[[]Secret]():
		return strings.Repeat("s", 32)
	case reflect.TypeFor[[]netip.Prefix]():
		return "10.0.0.0/8,192.168.1.1"
	case reflect.TypeFor[[]Token](), reflect.TypeFor[[]Endpoint]():
		return `[{"name": "something"}]`
	case reflect.TypeFor[[]Benefit](), reflect.TypeFor[[]Product]():
		return `[{"id": "something"}]`
	}
	t.Fatalf("no sample for %v: add one", typ)
	return ""
}

func TestEveryFieldHasAVariable(t *testing.T) {
	t.Parallel()
	for _, f := range leaves(reflect.TypeFor[Config](), "", nil) {
		t.Run(f.path, func(t *testing.T) {
			t.Parallel()
			c := Load("", true, []string{variableOf(f.path) + "=" + sample(t, f.typ)})
			got := reflect.ValueOf(c).Elem().FieldByIndex(f.index).Interface()
			old := reflect.ValueOf(Default()).Elem().FieldByIndex(f.index).Interface()
			if reflect.DeepEqual(got, old) {
				t.Errorf("%s changes nothing", variableOf(f.path))
			}
			if len(c.loader.problems) > 0 || len(c.loader.env.unknown()) > 0 {
				t.Errorf("problems: %v, unknown: %v", c.loader.problems, c.loader.env.unknown())
			}
		})
	}
}

func TestVariablesOfOneFieldAreDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, f := range leaves(reflect.TypeFor[Config](), "", nil) {
		if other, ok := seen[variableOf(f.path)]; ok {
			t.Errorf("%s and %s share a variable", f.path, other)
		}
		seen[variableOf(f.path)] = f.path
	}
}

func TestExampleMentionsEveryField(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../deploy/fulfilld.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := leaves(reflect.TypeFor[Config](), "", nil)
	all = append(all, leaves(reflect.TypeFor[Benefit](), "benefits", nil)...)
	all = append(all, leaves(reflect.TypeFor[Product](), "products", nil)...)
	all = append(all, leaves(reflect.TypeFor[Endpoint](), "endpoints", nil)...)
	for _, f := range all {
		key := f.path[strings.LastIndexByte(f.path, '.')+1:]
		if !regexp.MustCompile(`(?m)^[# -]*` + key + `:`).Match(text) {
			t.Errorf("%s is not in the example", f.path)
		}
	}
}

func TestVariablesOfOthersAreIgnored(t *testing.T) {
	t.Parallel()
	c := Load("", true, []string{
		"FULFILLD_TEST_POSTGRES=x",
		"FULFILLD_SERVICE_HOST=10.0.0.1", "FULFILLD_SERVICE_PORT=8080", "FULFILLD_SERVICE_PORT_HTTP=8080",
		"FULFILLD_PORT=tcp://10.0.0.1:8080", "FULFILLD_PORT_8080_TCP=tcp://10.0.0.1:8080", "FULFILLD_PORT_8080_TCP_ADDR=10.0.0.1",
		"FULFILLD_ADMIN_PORT_9090_TCP_PROTO=tcp", "FULFILLD_ADMIN_SERVICE_HOST=10.0.0.1",
		"PATH=/bin", "novalue",
	})
	if err := c.Validate(Other); err != nil {
		t.Error(err)
	}
	if err := Load("", true, []string{"FULFILLD_PORT=8080"}).Validate(Other); err == nil {
		t.Error("FULFILLD_PORT=8080 is no problem, but means nothing")
	}
}

func TestVariablesTheFileRefersToAreKnown(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/fulfilld.yaml"
	if err := os.WriteFile(path, []byte("redis: {url: 'redis://:${FULFILLD_REDIS_PASSWORD}@host'}"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Load(path, true, []string{"FULFILLD_REDIS_PASSWORD=pw"})
	if err := c.Validate(Other); err != nil || c.Redis.URL != "redis://:pw@host" {
		t.Errorf("%q, %v", c.Redis.URL, err)
	}
}

func TestEmptyVariableIsNoVariable(t *testing.T) {
	t.Parallel()
	c := Load("", true, []string{"FULFILLD_LISTEN=", "FULFILLD_SETTLE=", "FULFILLD_FULFILLERS_CUSTOM_CONCURRENCY="})
	if c.Section("custom").Present() || c.Listen != Default().Listen {
		t.Error("an empty variable had an effect")
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0d": 0, "0": 0, "30s": 30 * time.Second, "1h30m": 90 * time.Minute, "7d": 7 * day, "1d12h": 36 * time.Hour, "106751d": 106751 * day,
		"-1s": -1, "-1d": -1, "d": -1, "1d2d": -1, "7": -1, "": -1, "106752d": -1, "106751d24h": -1, "1d-1h": -1,
	} {
		got, err := parseDuration(text)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
		if want > 0 {
			if again, err := parseDuration(formatDuration(want)); err != nil || again != want {
				t.Errorf("%q is written %q", text, formatDuration(want))
			}
		}
	}
}
