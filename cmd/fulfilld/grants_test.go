package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fulfilld/grant"
)

// ago is a time of the tests' answers.
func ago(d time.Duration) string { return time.Now().Add(-d).UTC().Format(time.RFC3339Nano) }

func grantJSON(state, rest string) string {
	return fmt.Sprintf(`{"id":%q,"created_at":%q,"granted_at":%q,"is_granted":true,"revoked_at":null,"is_revoked":false,"subscription_id":"sub_1","order_id":null,
		"customer_id":"c_1","member_id":null,"benefit_id":"b_1","error":null,"customer":{"email":"ada@example.com","name":"Ada\u001b[31m\tL."},
		"benefit":{"type":"github_repository","description":"Source code"},"state":%q,%s}`, someID, ago(73*time.Hour), ago(72*time.Hour), state, rest)
}

func TestGrantsAreListedInColumns(t *testing.T) {
	t.Parallel()
	first := grantJSON("failed", `"last_error":{"class":"permanent","code":"no_such_repository","text":"gone"},"due_at":null,"fulfilments":[]`)
	second := strings.Replace(grantJSON("waiting", `"last_error":null,"due_at":"`+ago(-5*time.Minute-time.Second)+`"`), `"customer":{"email":"ada@example.com",`, `"customer":{"email":null,`, 1)
	o := newOffice(t, map[string]answer{
		"GET /v1/benefit-grants/?external_customer_id=usr_1&is_granted=true&limit=2&page=3&state=failed&state=waiting": {
			200, `{"items":[` + first + `,` + second + `],"pagination":{"total_count":6,"max_page":3}}`,
		},
	})
	out, err := o.say(t, "grants", "list", "--customer", "usr_1", "--granted", "--state", "failed,waiting", "--page", "3", "--limit", "2")
	if err != nil {
		t.Fatal(err, o.asked)
	}
	want := `GRANT                                 STATE    SHOP     BENEFIT      CUSTOMER         NEXT STEP  LAST ERROR
` + someID + `  failed   granted  Source code  ada@example.com  -          no_such_repository
` + someID + `  waiting  granted  Source code  Ada [31m L.      in 5m      -
Page 3 of 3, 6 in all.
`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
}

func TestAPlatformIDChoosesByIt(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	_, _ = o.say(t, "grants", "list", "--customer", strings.ToUpper(someID), "--benefit", someID, "--revoked")
	want := "GET /v1/benefit-grants/?benefit_id=" + someID + "&customer_id=" + someID + "&is_granted=false&limit=20&page=1"
	if len(o.asked) != 1 || o.asked[0] != want {
		t.Errorf("asked %q", o.asked)
	}
}

func TestShowExplainsAGrant(t *testing.T) {
	t.Parallel()
	body := grantJSON("failed", `"last_error":null,"due_at":null,"source":"platform","override":{"desired":"granted","until":null},"fulfilments":[
		{"kind":"github_repository","state":"failed","because":"override","attempts":2,"since":"`+ago(2*time.Hour+time.Minute)+`","due_at":null,"done_at":null,
		 "last_error":{"class":"permanent","code":"no_such_repository","text":"acme/gone does not exist"},
		 "holds":[{"provider":"github","resource":"acme/pro","account_id":"583231","level":3,"others":0,"origin":"ours","before":0},
		  {"provider":"github","resource":"acme/docs","account_id":"583231","level":1,"others":2,"origin":"preexisting","before":1},
		  {"provider":"github","resource":"acme/old","account_id":"583231","level":1,"others":0,"origin":"platform","before":0}],
		 "journal":[{"action":"grant","error":{"class":"permanent","code":"no_such_repository","text":"acme/gone does not exist"},"count":2,"last_at":"`+ago(time.Hour+time.Minute)+`","took_ms":1234}]},
		{"kind":"license_keys","state":"granted","because":"subscription_active","attempts":0,"since":null,"due_at":null,"done_at":"`+ago(72*time.Hour)+`","last_error":null,
		 "journal":[{"action":"grant","error":null,"remark":"it had one","count":1,"last_at":"`+ago(72*time.Hour)+`","took_ms":7}]}]`)
	o := newOffice(t, map[string]answer{"GET /v1/benefit-grants/" + someID: {200, body}, "POST /v1/benefit-grants/" + someID + "/retry": {200, body}})
	out, err := o.say(t, "grants", "show", someID)
	if err != nil {
		t.Fatal(err)
	}
	want := `Grant     ` + someID + `
State     failed
Customer  Ada [31m L. <ada@example.com>, c_1
Benefit   Source code (github_repository), b_1
Through   subscription sub_1
The shop  granted it 3d ago
Operator  granted until lifted

github_repository
  State       failed, because the operator said so
  Last error  permanent no_such_repository: acme/gone does not exist
  Failed      2 times in a row, first 2h ago
  Holds       acme/pro for github:583231, level 3
  Holds       acme/docs for github:583231, level 1; level 1 was there before; others hold level 2
  Holds       acme/old for github:583231, level 1; the platform gave it
  Next step   mend what the error says, then ` + "`fulfilld grants retry " + someID + "`" + `

license_keys
  State      granted, because the subscription is active
  Done       3d ago
  Next step  none: done

JOURNAL  KIND               ACTION  TIMES  TOOK    OUTCOME
1h ago   github_repository  grant   2      1.234s  permanent no_such_repository: acme/gone does not exist
3d ago   license_keys       grant   1      7ms     done: it had one
`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	if again, err := o.say(t, "grants", "retry", someID); err != nil || again != out {
		t.Errorf("retry: %v\n%s", err, again)
	}
}

func TestNextStepSaysWhoMustDoWhat(t *testing.T) {
	t.Parallel()
	soon, past := time.Now().Add(10*time.Minute+time.Second), time.Now().Add(-time.Second)
	refused := &trouble{Class: "permanent"}
	for _, tt := range []struct {
		f    shownFulfilment
		want string
	}{
		{shownFulfilment{State: grant.Unmanaged}, "none: no fulfiller of this kind is switched on here"},
		{shownFulfilment{State: grant.Failed}, "mend what the error says, then `fulfilld grants retry G`"},
		{shownFulfilment{State: grant.Waiting, DueAt: &soon}, "the customer must act; looked at again in 10m"},
		{shownFulfilment{State: grant.Waiting}, "the customer must act; looked at again when a fact changes"},
		{shownFulfilment{State: grant.Waiting, DueAt: &soon, LastError: &trouble{Code: grant.FileMissingCode}}, "the merchant must put the file; then it goes on by itself"},
		{shownFulfilment{State: grant.Revoking, DueAt: &soon, LastError: refused}, "the provider refuses, access may still stand: mend what the error says; tried again in 10m, until it is gone"},
		{shownFulfilment{State: grant.Revoking, DueAt: &soon, LastError: &trouble{Class: "transient"}}, "tried again in 10m"},
		{shownFulfilment{State: grant.Pending, DueAt: &past}, "due now: the next free worker takes it"},
		{shownFulfilment{State: grant.Pending}, "none until the shop grants or revokes it"},
		{shownFulfilment{State: grant.Granted, DueAt: &soon}, "looked at again in 10m"},
		{shownFulfilment{State: grant.Revoked}, "none: done"},
	} {
		if got := nextStep("G", tt.f); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.f.State, got, tt.want)
		}
	}
}
