package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"fulfilld/grant"
	"fulfilld/ledger"
)

// directory is a provider that knows octocat, in front of a real ledger.
type directory struct{ ledger *ledger.Ledger }

func (directory) Identify(_ context.Context, provider, words string) (grant.Account, *Refusal) {
	switch {
	case provider != "github":
		return grant.Account{}, &Refusal{Status: http.StatusConflict, Text: "No kind that deals with " + provider + " accounts is switched on."}
	case words == "octocat" || words == "583231":
		return grant.Account{Provider: provider, ID: "583231", Name: "octocat", How: "linked"}, nil
	}
	return grant.Account{}, &Refusal{Status: http.StatusUnprocessableEntity, Text: "GitHub has no account " + words + "."}
}

func (d directory) Link(ctx context.Context, customer, member string, a grant.Account) (int, error) {
	due, err := d.ledger.Link(ctx, customer, member, a)
	return len(due), err
}

func (d directory) Unlink(ctx context.Context, customer, member, provider string) (int, error) {
	due, err := d.ledger.Unlink(ctx, customer, member, provider)
	return len(due), err
}

// A deleted customer is told before a provider is asked.
func TestNothingIsLinkedToADeletedCustomer(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fill()
	gone := grant.Customer{ID: id("customer", 2), DeletedAt: day(9), Version: version(9)}
	d.hear("msg_9", "customer.deleted", grant.News{Customers: []grant.Customer{gone}}, nil)
	w := d.ask("POST /v1/customers/" + id("customer", 2) + "/accounts\n\n" + `{"provider":"github","account":"nobody"}`)
	if w.Code != http.StatusNotFound {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAFieldIsWrittenBehindThoseOfAnObject(t *testing.T) {
	t.Parallel()
	for object, want := range map[string]string{
		`{}`:               `{"n":[1]}`,
		" { } \n":          `{"n":[1]}`,
		`{"a":{"b":"}"}}`:  `{"a":{"b":"}"},"n":[1]}`,
		"{\n\"a\": 1\n}\n": "{\n\"a\": 1,\"n\":[1]}",
		`null`:             `null`,
	} {
		given := json.RawMessage(object)
		got, err := behind(given, "n", []int{1})
		if string(got) != want || err != nil || string(given) != object {
			t.Errorf("%q: %s, %v, want %s", object, got, err, want)
		}
	}
}

func TestAGrantIsShownWithWhatItHolds(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fill()
	d.ask("POST /v1/benefit-grants/" + id("grant", 2) + "/retry")
	h, err := d.ledger.Look(t.Context(), id("grant", 2)+".github_repository", 1e9)
	if err != nil {
		t.Fatal(err)
	}
	wanted := []grant.Resource{{Provider: "github", Name: "acme/pro", Account: "583231", Level: 3}}
	if h.Holds, err = d.ledger.Take(t.Context(), h, wanted, 1e9); err != nil {
		t.Fatal(err)
	}
	h.Holds[0].Origin, h.Holds[0].Before = grant.FromBefore, 1
	if err := d.ledger.Hold(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	want := `"holds":[{"provider":"github","resource":"acme/pro","account_id":"583231","level":3,"others":0,"origin":"preexisting","before":1}]`
	for _, request := range []string{"GET /v1/benefit-grants/" + id("grant", 2), "POST /v1/benefit-grants/" + id("grant", 2) + "/retry"} {
		if got := d.ask(request).Body.String(); !strings.Contains(got, want) {
			t.Errorf("%s: %s", request, got)
		}
	}
}
