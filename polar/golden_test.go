package polar_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fulfilld/grant"
	"fulfilld/polar"
)

var update = flag.Bool("update", false, "rewrite testdata/golden")

// exampleNames are all of them: one a type, or several.
func exampleNames(t testing.TB) (names []string) {
	t.Helper()
	files, err := filepath.Glob("examples/*.json")
	if err != nil || len(files) < 59 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".json"))
	}
	return names
}

func example(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile("examples/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// event is a body as it comes back from the ledger.
func event(body []byte) grant.Event {
	typ, at, _ := polar.EventType(body)
	return grant.Event{Type: typ, OccurredAt: at, ReceivedAt: at.Add(time.Second), Body: body}
}

func decode(t testing.TB, body string) grant.News {
	t.Helper()
	news, err := polar.Decode(event([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	return news
}

func TestEveryExampleIsReadAsBefore(t *testing.T) {
	t.Parallel()
	for _, name := range exampleNames(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			news := decode(t, string(example(t, name)))
			if news.Ignored != "" {
				t.Errorf("ignored: %s", news.Ignored)
			}
			sameAsGolden(t, "testdata/golden/"+name+".json", news)
		})
	}
}

func sameAsGolden(t *testing.T, file string, news grant.News) {
	t.Helper()
	var got bytes.Buffer
	e := json.NewEncoder(&got)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(lean(reflect.ValueOf(news))); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Error(diff)
	}
}

// lean leaves out what is zero, and of a body all but its being there.
func lean(v reflect.Value) any {
	switch value := v.Interface().(type) {
	case time.Time, json.RawMessage, map[string]any:
		return value
	}
	switch v.Kind() {
	case reflect.Slice:
		var all []any
		for i := range v.Len() {
			all = append(all, lean(v.Index(i)))
		}
		return all
	case reflect.Struct:
		fields := map[string]any{}
		for i := range v.NumField() {
			switch name := v.Type().Field(i).Name; {
			case v.Field(i).IsZero():
			case name == "Body":
				fields[name] = "kept"
			default:
				fields[name] = lean(v.Field(i))
			}
		}
		return fields
	}
	return v.Interface()
}
