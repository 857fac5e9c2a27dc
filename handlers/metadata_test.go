package handlers

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"fulfilld/grant"
)

func TestBenefitsAreChosenByTheirMetadata(t *testing.T) {
	d := newDesk(t)
	for i, metadata := range []map[string]any{{"plan": "pro"}, {"plan": "team", "seats": 5}, {"plan": "pro", "a]b": true}} {
		b := grant.Benefit{ID: id("benefit", i), Type: "custom", Metadata: metadata, Version: version(1)}
		d.hear(fmt.Sprint("msg_", i), "benefit.created", grant.News{Benefits: []grant.Benefit{b}}, nil)
	}
	for query, want := range map[string]string{
		"":                                      "0 1 2",
		"metadata[plan]=pro":                    "0 2",
		"metadata%5Bplan%5D=pro":                "0 2",
		"metadata[plan]=pro&metadata[plan]=x":   "0 2",
		"metadata[plan]=team&metadata[seats]=5": "1",
		"metadata[plan]=pro&metadata[seats]=5":  "",
		"metadata[a]b]=true":                    "2",
		"metadata[plan]=":                       "",
		"metadata[]=pro":                        "0 1 2",
		"metadata=pro":                          "0 1 2",
	} {
		w := d.ask("GET /v1/benefits/?" + query)
		var got []string
		for i := range 3 {
			if strings.Contains(w.Body.String(), id("benefit", i)) {
				got = append(got, fmt.Sprint(i))
			}
		}
		if names := strings.Join(got, " "); w.Code != 200 || names != want {
			t.Errorf("%s: %d, got %q, want %q", query, w.Code, names, want)
		}
	}
	many := url.Values{}
	for i := range maxValues + 1 {
		many.Set(fmt.Sprintf("metadata[%d]", i), "x")
	}
	for query, want := range map[string]string{"metadata[%FF]=x": "string_unicode", "metadata[plan]=%00": "string_unicode", many.Encode(): "too_long"} {
		if w := d.ask("GET /v1/benefits/?" + query); w.Code != 422 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%.40s: %d %s", query, w.Code, w.Body)
		}
	}
}
