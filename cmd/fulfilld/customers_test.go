package main

import (
	"strings"
	"testing"
	"time"
)

func TestADeletedCustomerIsShownByIDOnly(t *testing.T) {
	t.Parallel()
	given := strings.NewReplacer(`"customer":{"email":"ada@example.com","name":"Ada\u001b[31m\tL."}`, `"customer":null`, "c_1", someID).
		Replace(grantJSON("revoked", `"due_at":null`))
	o := newOffice(t, map[string]answer{
		"GET /v1/customers/" + someID:                                  {200, `{"id":"` + someID + `","external_id":null,"email":null,"name":null,"deleted_at":"` + ago(time.Hour) + `"}`},
		"GET /v1/benefit-grants/?customer_id=" + someID + "&limit=100": {200, `{"items":[` + given + `],"pagination":{"total_count":1,"max_page":1}}`},
	})
	out, err := o.say(t, "customers", "show", someID)
	if err != nil || strings.Contains(strings.ToLower(out), "ada") || strings.Contains(out, "E-mail") {
		t.Errorf("%v: %s", err, out)
	}
	for _, want := range []string{"Customer  " + someID + "\n", "Deleted   ", "Source code"} {
		if !strings.Contains(out, want) {
			t.Errorf("%s\ndoes not say %q", out, want)
		}
	}
}
