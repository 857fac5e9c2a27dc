package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	stateToken    = "a-token-of-the-shop-1234567890"
	exampleMeter  = "d2982d76-8d8f-4cea-ab62-070a2485598e"
	exampleFlag   = "78513033-587e-4f7e-8859-194258220bac"
	exampleBuyer  = "0b1c6a96-b1f5-4ab2-8f4a-a46764e29b77"
	exampleRepo   = "ae77ca3c-6295-477c-88e8-765adb0bf2a2"
	exampleCredit = "fba5913d-d741-42ad-849c-812d81852b2a"
	exampleKeys   = "2017d130-6fbe-4bc3-8b4e-54d58be046b0"
)

// stateSettings switch on what the example's customer has, but for the repository.
var stateSettings = []string{
	`FULFILLD_TOKENS=[{name: shop, token: ` + stateToken + `, scopes: ["customers:read", "events:write", "customer_meters:read"]}]`,
	`FULFILLD_FULFILLERS_METER_CREDIT_METERS=[{id: ` + exampleMeter + `, name: API calls, event: api_call, units: calls}]`,
	`FULFILLD_FULFILLERS_FEATURE_FLAG_CONCURRENCY=4`,
}

// asks sends a program's request to the public listener.
func (c *counter) asks(method, path, body string) *httptest.ResponseRecorder {
	c.t.Helper()
	r := httptest.NewRequestWithContext(c.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+stateToken)
	w := httptest.NewRecorder()
	c.receiver.ServeHTTP(w, r)
	return w
}

// object is the fields of a JSON object, as they were written but for spaces.
func object(t *testing.T, text []byte) map[string]json.RawMessage {
	t.Helper()
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return all
}

// state is the parts of what is shown: what it says of the customer, and the rest.
func (c *counter) state() (customer, parts map[string]json.RawMessage) {
	c.t.Helper()
	w := c.asks(http.MethodGet, "/v1/customers/external/usr_1337/state", "")
	if w.Code != http.StatusOK {
		c.t.Fatalf("%d %s", w.Code, w.Body)
	}
	text, err := io.ReadAll(w.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return split(object(c.t, text))
}

func split(all map[string]json.RawMessage) (customer, parts map[string]json.RawMessage) {
	parts = map[string]json.RawMessage{}
	for _, part := range []string{"active_subscriptions", "granted_benefits", "active_meters", "flags"} {
		parts[part] = all[part]
		delete(all, part)
	}
	return all, parts
}

// each reads a list of objects, by a field of them.
func each(t *testing.T, text json.RawMessage, by string) map[string]map[string]json.RawMessage {
	t.Helper()
	var all []json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]json.RawMessage{}
	for _, one := range all {
		o := object(t, one)
		out[string(o[by])] = o
	}
	return out
}

var sameJSON = cmp.Comparer(func(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && cmp.Equal(x, y)
})

// The state is the platform's, from its own events: field by field, but for what
// is not switched on here, and what the grants of credits and of a key, which is
// another than the platform's, say of themselves.
func TestCustomerStateIsThePlatforms(t *testing.T) {
	text, err := os.ReadFile("testdata/customer_state.json")
	if err != nil {
		t.Fatal(err)
	}
	wantCustomer, want := split(object(t, bytes.TrimSpace(text)))
	onEachLedger(t, func(t *testing.T, c *counter) {
		for _, name := range []string{"customer.updated", "subscription.active", "benefit_grant.created.github_repository", "benefit_grant.created.license_keys",
			"benefit_grant.created.meter_credit", "benefit_grant.created.feature_flag", "customer.state_changed"} {
			c.send(payload(t, name))
		}
		c.apply()
		c.work()
		customer, got := c.state()
		if diff := cmp.Diff(wantCustomer, customer, sameJSON); diff != "" {
			t.Errorf("customer: %s", diff)
		}
		theirs := each(t, want["active_subscriptions"], "id")
		for _, s := range theirs {
			delete(s, "price_id") // deprecated
		}
		if diff := cmp.Diff(theirs, each(t, got["active_subscriptions"], "id"), sameJSON); diff != "" {
			t.Errorf("subscriptions: %s", diff)
		}
		grants, ours := each(t, want["granted_benefits"], "id"), each(t, got["granted_benefits"], "id")
		delete(grants, `"`+exampleRepo+`"`)
		if p := string(ours[`"`+exampleCredit+`"`]["properties"]); !strings.Contains(p, `"last_credited_units":1000`) {
			t.Errorf("properties of the credits: %s", p)
		}
		ours[`"`+exampleCredit+`"`]["properties"] = json.RawMessage("{}")
		key := ours[`"`+exampleKeys+`"`]
		if p := string(key["properties"]); !strings.Contains(p, `"display_key":"****-`) || cmp.Equal(key["properties"], grants[`"`+exampleKeys+`"`]["properties"], sameJSON) {
			t.Errorf("properties of the key: %s", p)
		}
		key["properties"] = grants[`"`+exampleKeys+`"`]["properties"]
		if diff := cmp.Diff(grants, ours, sameJSON); diff != "" {
			t.Errorf("grants: %s", diff)
		}
		c.sameMeters(want["active_meters"], got["active_meters"])
		flags := `{"` + exampleFlag + `":{"enabled":true,"metadata":{"role":"editor","max_upload_size":10},"benefit_id":"` + exampleFlag + `"}}`
		if diff := cmp.Diff(json.RawMessage(flags), got["flags"], sameJSON); diff != "" {
			t.Errorf("flags: %s", diff)
		}
	}, stateSettings...)
}

// sameMeters compares meters but for what is told of the row, which is ours.
func (c *counter) sameMeters(want, got json.RawMessage) {
	c.t.Helper()
	theirs, ours := each(c.t, want, "meter_id"), each(c.t, got, "meter_id")
	for _, all := range []map[string]map[string]json.RawMessage{theirs, ours} {
		for _, m := range all {
			if len(m["id"]) != 38 || len(m["created_at"]) < 22 {
				c.t.Errorf("meter %s", m)
			}
			delete(m, "id")
			delete(m, "created_at")
			delete(m, "modified_at")
		}
	}
	text := func(all map[string]map[string]json.RawMessage) map[string]map[string]string {
		out := map[string]map[string]string{}
		for id, m := range all {
			out[id] = map[string]string{}
			for k, v := range m {
				out[id][k] = string(v) // 1000.0 is not 1000
			}
		}
		return out
	}
	if diff := cmp.Diff(text(theirs), text(ours)); diff != "" {
		c.t.Errorf("meters: %s", diff)
	}
}

func TestCreditsGoTheWayOfTheirGrant(t *testing.T) {
	onEachLedger(t, func(t *testing.T, c *counter) {
		balance := func(when, want string) {
			t.Helper()
			c.apply()
			c.work()
			w := c.asks(http.MethodGet, "/v1/customer-meters/?customer_id="+exampleBuyer, "")
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: %d %s\nwant %s", when, w.Code, w.Body, want)
			}
		}
		uses := func(id string, calls, code int, want string) {
			t.Helper()
			body, err := json.Marshal(map[string]any{"events": []any{map[string]any{"name": "api_call", "external_customer_id": "usr_1337", "external_id": id, "metadata": map[string]any{"calls": calls}}}})
			if err != nil {
				t.Fatal(err)
			}
			if w := c.asks(http.MethodPost, "/v1/events/ingest", string(body)); w.Code != code || !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: %d %s\nwant %s", id, w.Code, w.Body, want)
			}
		}
		c.send(payload(t, "benefit_grant.created.meter_credit"))
		balance("granted", `"consumed_units":0.0,"credited_units":1000,"balance":1000.0`)
		c.send(payload(t, "benefit_grant.created.meter_credit"))
		balance("told twice", `"credited_units":1000,`)
		uses("one", 250, http.StatusOK, `"inserted":1,"duplicates":0`)
		uses("one", 250, http.StatusOK, `"inserted":0,"duplicates":1`)
		uses("two", 751, http.StatusPaymentRequired, `has a balance of 750`)
		balance("used", `"consumed_units":250.0,"credited_units":1000,"balance":750.0`)
		for range 2 { // two endpoints tell one renewal
			c.send(payload(t, "benefit_grant.cycled.meter_credit"))
		}
		balance("renewed", `"consumed_units":250.0,"credited_units":1250,"balance":1000.0`)
		c.send(payload(t, "benefit_grant.revoked.meter_credit"))
		balance("revoked", `"consumed_units":250.0,"credited_units":250,"balance":0.0`)
	}, stateSettings...)
}
