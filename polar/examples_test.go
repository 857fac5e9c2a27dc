package polar_test

import (
	"bytes"
	"strings"
	"testing"

	"fulfilld/polar"
)

func TestEveryTypeWithAnExampleHasATemplate(t *testing.T) {
	t.Parallel()
	has := map[string]bool{}
	for _, name := range exampleNames(t) {
		typ, _, _ := polar.EventType(example(t, name))
		has[typ] = true
	}
	for _, typ := range polar.EventTypes {
		body, err := polar.Template(typ, "")
		if has[typ] != (err == nil) {
			t.Errorf("%s: %v", typ, err)
		}
		if got, _, _ := polar.EventType(body); has[typ] && got != typ {
			t.Errorf("the template of %s is of %s", typ, got)
		}
	}
	for _, name := range []string{"", "benefit_grant", "benefit_grant.", "customer", "../examples/order", "*"} {
		if body, err := polar.Template(name, "custom"); err == nil {
			t.Errorf("%q: %.60s", name, body)
		}
	}
}

func TestNothingAskedChangesNothing(t *testing.T) {
	t.Parallel()
	for _, name := range exampleNames(t) {
		if strings.HasPrefix(name, "benefit_grant.") {
			continue // a grant's times are made exact
		}
		body := example(t, name)
		same, err := polar.Personalise(body, polar.Personal{})
		if err != nil {
			t.Fatal(err)
		}
		_, was, _ := polar.EventType(body)
		if _, at, ok := polar.EventType(same); !ok || !at.Equal(was) {
			t.Errorf("%s: happened at %v, was %v", name, at, was)
		}
		if bytes.Contains(same, []byte(`"0001-`)) {
			t.Errorf("%s: %s", name, same)
		}
	}
}
