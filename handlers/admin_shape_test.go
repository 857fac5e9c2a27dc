package handlers

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fulfilld/grant"
)

// member is a field of an object, in the order it was written.
type member struct {
	name  string
	value string
}

// members reads an object without losing the order of its fields.
func members(t *testing.T, object []byte) (all []member) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(object))
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			t.Fatal(err)
		}
		all = append(all, member{name.(string), string(value)})
	}
	return all
}

// without leaves out the platform's deprecated fields, which no schema names.
func without(all []member, names ...string) (rest []member) {
	for _, m := range all {
		if !strings.Contains(" "+strings.Join(names, " ")+" ", " "+m.name+" ") {
			rest = append(rest, m)
		}
	}
	return rest
}

func decode[T any](t *testing.T, text []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// platformGrant is what a grant in the platform's list says.
type platformGrant struct {
	ID         string          `json:"id"`
	CreatedAt  time.Time       `json:"created_at"`
	GrantedAt  time.Time       `json:"granted_at"`
	Scope      string          `json:"subscription_id"`
	CustomerID string          `json:"customer_id"`
	MemberID   string          `json:"member_id"`
	BenefitID  string          `json:"benefit_id"`
	Customer   json.RawMessage `json:"customer"`
	Member     json.RawMessage `json:"member"`
	Benefit    json.RawMessage `json:"benefit"`
	Properties json.RawMessage `json:"properties"`
}

func (g platformGrant) news() grant.News {
	v := version(1)
	return grant.News{
		Customers: []grant.Customer{{ID: g.CustomerID, Body: g.Customer, Version: v}},
		Members:   []grant.Member{{ID: g.MemberID, CustomerID: g.CustomerID, Body: g.Member, Version: v}},
		Benefits:  []grant.Benefit{{ID: g.BenefitID, Type: "custom", Body: g.Benefit, Version: v}},
		Grants: []grant.Grant{{ID: g.ID, BenefitID: g.BenefitID, CustomerID: g.CustomerID, MemberID: g.MemberID, SubscriptionID: g.Scope,
			Source: grant.Platform, CreatedAt: g.CreatedAt, GrantedAt: g.GrantedAt, Properties: g.Properties, Word: grant.SaysGranted, Version: v}},
	}
}

func TestGrantsAreThePlatformsByteForByte(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	type answer struct{ Items []json.RawMessage }
	want := decode[answer](t, read(t, "benefit_grants.list.json")).Items
	for _, item := range want {
		g := decode[platformGrant](t, item)
		d.hear(g.ID, "benefit_grant.created", g.news(), nil)
	}
	got := decode[answer](t, d.ask("GET /v1/benefit-grants/").Body.Bytes()).Items
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%d grants, want %d", len(got), len(want))
	}
	byID := map[string][]member{}
	for _, item := range got {
		byID[decode[platformGrant](t, item).ID] = members(t, item)
	}
	for _, item := range want {
		theirs := without(members(t, item), "user_id")
		ours := byID[decode[platformGrant](t, item).ID]
		if diff := cmp.Diff(theirs, ours[:min(len(theirs), len(ours))], cmp.AllowUnexported(member{})); diff != "" {
			t.Error(diff)
		}
	}
}

func TestALedgerThatFailsIsLoggedAndNotExplained(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if err := d.ledger.Close(); err != nil {
		t.Fatal(err)
	}
	for _, request := range []string{"GET /v1/benefit-grants/", "GET /v1/license-keys/", "GET /v1/events/msg_1", "GET /v1/customers/", "POST /v1/events/replay"} {
		w := d.ask(request)
		if w.Code != 500 || w.Body.String() != `{"error":"InternalServerError","detail":"Internal Server Error"}`+"\n" {
			t.Errorf("%s: %d %s", request, w.Code, w.Body)
		}
	}
	if log := d.log.String(); strings.Count(log, "request failed") != 5 || !strings.Contains(log, `route="GET /v1/benefit-grants/{$}"`) {
		t.Errorf("log: %s", log)
	}
}
