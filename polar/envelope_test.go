package polar_test

import (
	"strings"
	"testing"
	"time"

	"fulfilld/polar"
)

func TestEventTypeIsReadFromObjectsOnly(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"type":"order.paid"}`:                      "order.paid",
		`{"data":{"type":"x"},"type":"a_1"}`:         "a_1",
		`{"type":"order.paid","timestamp":7}`:        "order.paid",
		`{"type":"` + strings.Repeat("x", 64) + `"}`: strings.Repeat("x", 64),
		`{"type":"` + strings.Repeat("x", 65) + `"}`: "",
		`{"type":""}`:           "",
		`{"type":"Order.paid"}`: "",
		`{"type":"order paid"}`: "",
		`{"type":7}`:            "",
		`{"type":null}`:         "",
		`{}`:                    "",
		`null`:                  "",
		`["type"]`:              "",
		`{"type":"order.paid"`:  "",
		"{\"type\":\"order.paid\",\"x\":\"\xff\"}": "",
		``: "",
	} {
		if typ, _, ok := polar.EventType([]byte(body)); typ != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", body, typ, ok)
		}
	}
}

func TestEventTypeTellsWhen(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 9, 14, 9, 12, 44, 280120000, time.UTC)
	for _, at := range []string{"2026-09-14T09:12:44.280120Z", "2026-09-14T11:12:44.28012+02:00"} {
		if _, got, ok := polar.EventType([]byte(`{"type":"x","timestamp":"` + at + `"}`)); !ok || got != want {
			t.Errorf("%s: %v", at, got)
		}
	}
}

func TestChatFormatsAreRecognised(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		`{"content":"New order","embeds":[]}`: true,
		`{"embeds":[{}]}`:                     true,
		`{"text":"New order","blocks":[]}`:    true,
		`{"type":"order.paid","content":"x"}`: false,
		`{"id":1}`:                            false,
		`"content"`:                           false,
		`{"content":`:                         false,
	} {
		if got := polar.ChatFormat([]byte(body)); got != want {
			t.Errorf("%s: %v", body, got)
		}
	}
}

func TestEveryExampleIsOfAListedType(t *testing.T) {
	t.Parallel()
	listed := map[string]bool{}
	for _, typ := range polar.EventTypes {
		listed[typ] = true
	}
	for _, name := range exampleNames(t) {
		if typ, _, _ := polar.EventType(example(t, name)); !listed[typ] || !strings.HasPrefix(name, typ) {
			t.Errorf("%s is of type %q", name, typ)
		}
	}
}
