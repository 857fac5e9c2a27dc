package handlers

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fulfilld/grant"
)

func TestADeletedCustomerIsAnsweredByIDOnly(t *testing.T) {
	d := newDesk(t)
	d.fill()
	if _, err := d.ledger.Link(t.Context(), id("customer", 1), "", grant.Account{Provider: "github", ID: "583231", Name: "ada-lovelace"}); err != nil {
		t.Fatal(err)
	}
	gone := grant.Customer{ID: id("customer", 1), OrganizationID: id("org", 1), Email: "ada@example.com", Name: "Ada", ExternalID: "usr_1",
		Body: []byte(`{"email":"ada@example.com"}`), DeletedAt: day(9), Version: version(9)}
	d.hear("msg_9", "customer.deleted", grant.News{Customers: []grant.Customer{gone}}, nil)
	got := d.ask("GET /v1/customers/" + id("customer", 1)).Body.String()
	want := `{"id":"` + id("customer", 1) + `","external_id":null,"email":null,"name":null,"organization_id":"` + id("org", 1) + `","deleted_at":"2025-03-09T12:00:00Z","accounts":[]}`
	if diff := cmp.Diff(want, strings.TrimSpace(got)); diff != "" {
		t.Error(diff)
	}
	for _, path := range []string{"/v1/benefit-grants/", "/v1/benefit-grants/" + id("grant", 1), "/v1/license-keys/", "/v1/customers/"} {
		w := d.ask("GET " + path)
		if body := strings.ReplaceAll(w.Body.String(), `"metadata"`, ""); w.Code != 200 || strings.Contains(strings.ToLower(body), "ada") || strings.Contains(body, "usr_1") {
			t.Errorf("%s: %d %s", path, w.Code, body)
		}
	}
}
