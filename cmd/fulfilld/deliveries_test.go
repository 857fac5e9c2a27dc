package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fulfilld/config"
	"fulfilld/grant"
)

func TestDeliveriesAreListedAndRetried(t *testing.T) {
	t.Parallel()
	item := `"id":"` + someID + `","endpoint":"mailer","type":"benefit_grant.created","subject":"g1","state":"failed","created_at":"` + ago(time.Hour) + `","due_at":null,"last_error":"answered 500"`
	o := newOffice(t, map[string]answer{
		"GET /v1/deliveries/?endpoint=mailer&limit=20&page=1&state=failed": {200, `{"items":[{` + item + `}],"pagination":{"total_count":1,"max_page":1}}`},
		"POST /v1/deliveries/" + someID + "/retry":                         {200, `{"due":1}`},
		"POST /v1/deliveries/retry":                                        {200, `{"due":7}`},
	})
	for want, args := range map[string][]string{
		someID + "  mailer    benefit_grant.created  g1     failed  1h ago   -     answered 500\n": {"deliveries", "list", "--state", "failed", "--endpoint", "mailer"},
		"1 will be tried now": {"deliveries", "retry", someID},
		"7 will be tried now": {"deliveries", "retry"},
	} {
		if out, err := o.say(t, args...); err != nil || !strings.Contains(out, want) {
			t.Errorf("%q: %v\n%s\ndoes not say %q", args, err, out, want)
		}
	}
	if _, err := o.say(t, "deliveries", "retry", "../grants"); err == nil {
		t.Error("a path as an id")
	}
}

func TestTheConfigKnowsEverythingThatIsTold(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(grant.Tells[:], config.Told); diff != "" {
		t.Error(diff)
	}
	by := listeners([]config.Endpoint{{Name: "all"}, {Name: "mailer", Events: []string{grant.TellsCreated}}})
	if len(by) != len(grant.Tells) || !slices.Equal(by[grant.TellsCreated], []string{"all", "mailer"}) || !slices.Equal(by[grant.TellsRevoked], []string{"all"}) {
		t.Error(by)
	}
	if len(listeners(nil)) != 0 {
		t.Error("somebody listens")
	}
}

// TestTheDocumentedBodiesAreJSON also finds every type in the documentation.
func TestTheDocumentedBodiesAreJSON(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, block := range strings.Split(string(text), "```") {
		if body, ok := strings.CutPrefix(block, "json\n"); ok && i%2 == 1 && !json.Valid([]byte(body)) {
			t.Errorf("no JSON: %s", body)
		}
	}
	for _, typ := range grant.Tells {
		if !strings.Contains(string(text), "| `"+typ+"` |") {
			t.Errorf("%s is not in docs/webhooks.md", typ)
		}
	}
}

func TestWhatNoEndpointTookRaisesAnAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, alarms := newHouse(ailing{undelivered: 3, failing: []string{"audit", "mailer"}})
		h.look(t.Context())
		if !alarms.stands("deliveries_failed") || !strings.Contains(alarms.says("deliveries_failed"), "3 things") {
			t.Error(alarms.says("deliveries_failed"))
		}
		if !alarms.stands("endpoint_failing") || !strings.Contains(alarms.says("endpoint_failing"), "audit, mailer") {
			t.Error(alarms.says("endpoint_failing"))
		}
	})
}
