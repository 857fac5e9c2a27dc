//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"fulfilld/polar"
)

const (
	appToken = "e2e-token-of-the-merchants-program"
	buyer    = "0b1c6a96-b1f5-4ab2-8f4a-a46764e29b77" // of the platform's examples
)

var creditSettings = []string{
	`FULFILLD_TOKENS=[{name: app, token: ` + appToken + `, scopes: ["customers:read", "events:write", "customer_meters:read"]}]`,
	`FULFILLD_FULFILLERS_METER_CREDIT_METERS=[{id: d2982d76-8d8f-4cea-ab62-070a2485598e, name: API calls, event: api_call, units: calls}]`,
	`FULFILLD_FULFILLERS_FEATURE_FLAG_CONCURRENCY=4`,
}

// theirs is one of the platform's example bodies, said now.
func theirs(t testing.TB, typ, kind string) webhook {
	t.Helper()
	body, err := polar.Template(typ, kind)
	if err == nil {
		body, err = polar.Personalise(body, polar.Personal{At: time.Now()})
	}
	if err != nil {
		t.Fatal(err)
	}
	return webhook{uuid.NewString(), body}
}

// asks sends a program's request to the public listener.
func (d *daemon) asks(method, path, tag, body string) (status int, etag, answer string) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), method, "http://"+d.public+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+appToken)
	req.Header.Set("If-None-Match", tag)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("ETag"), string(text)
}

func TestCreditsFromPurchaseToEnd(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, ledger, redis string) {
		d := started(t, ledger, redis, creditSettings...)
		p := newPlatform(d)
		balance := func(want string) {
			t.Helper()
			d.eventually("balance "+want, func() error {
				if _, _, text := d.asks(http.MethodGet, "/v1/customer-meters/?customer_id="+buyer, "", ""); !strings.Contains(text, want) {
					return fmt.Errorf("it is %s", text)
				}
				return nil
			})
		}
		uses := func(id string, calls, want int) {
			t.Helper()
			body := fmt.Sprintf(`{"events":[{"name":"api_call","customer_id":%q,"external_id":%q,"metadata":{"calls":%d}}]}`, buyer, id, calls)
			if status, _, text := d.asks(http.MethodPost, "/v1/events/ingest", "", body); status != want {
				t.Errorf("%s: %d %s, want %d", id, status, text, want)
			}
		}
		p.send(t, theirs(t, "benefit_grant.created", "meter_credit"))
		balance(`"credited_units":1000,"balance":1000.0`)
		for range 2 {
			uses("call-1", 400, http.StatusOK)
		}
		uses("call-2", 601, http.StatusPaymentRequired)
		balance(`"consumed_units":400.0,"credited_units":1000,"balance":600.0`)
		d.kill() // what was answered is on the disk
		d.start()
		balance(`"consumed_units":400.0,"credited_units":1000,"balance":600.0`)
		p.send(t, theirs(t, "benefit_grant.revoked", "meter_credit"))
		balance(`"consumed_units":400.0,"credited_units":400,"balance":0.0`)
		uses("call-1", 400, http.StatusOK)
		uses("call-3", 1, http.StatusPaymentRequired)

		d.command("credits", "show", buyer).says(0, "API calls", "grant", "+1000", "consume", "-400", "call-1", "revoke", "-600", "3 in all")
		d.command("credits", "show", uuid.NewString()).says(3, "not found")
		d.command("credits", "show", "ada").says(1, "is no id")
		var shown struct{ Entries list[json.RawMessage] }
		if r := d.command("credits", "show", buyer, "--json").says(0); json.Unmarshal([]byte(r.out), &shown) != nil || len(shown.Entries.Items) != 3 {
			t.Errorf("--json is %s", r.out)
		}
	})
}

func TestAFlagIsSwitchedOnAndOff(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, ledger, redis string) {
		d := started(t, ledger, redis, creditSettings...)
		p := newPlatform(d)
		const state, flag = "/v1/customers/external/usr_1337/state", `"flags":{"78513033-587e-4f7e-8859-194258220bac":{"enabled":true,"metadata":{"max_upload_size":10,"role":"editor"}`
		if status, _, text := d.asks(http.MethodGet, state, "", ""); status != http.StatusNotFound {
			t.Errorf("of nobody: %d %s", status, text)
		}
		tag := ""
		becomes := func(want string) {
			t.Helper()
			d.eventually(want, func() error {
				status, now, text := d.asks(http.MethodGet, state, tag, "")
				if status != http.StatusOK || !strings.Contains(text, want) {
					return fmt.Errorf("%d %s", status, text)
				}
				tag = now
				return nil
			})
			if status, now, text := d.asks(http.MethodGet, state, tag, ""); status != http.StatusNotModified || now != tag || text != "" {
				t.Errorf("asked again with %s: %d %s %s", tag, status, now, text)
			}
		}
		p.send(t, theirs(t, "benefit_grant.created", "feature_flag"))
		becomes(flag)
		d.command("customers", "state", buyer).says(0, "FLAG", "78513033-587e-4f7e-8859-194258220bac", "max_upload_size", "feature_flag", "ada@example.com")
		d.command("customers", "state", buyer, "--json").says(0, flag)
		d.command("customers", "state", uuid.NewString()).says(3, "not found")
		p.send(t, theirs(t, "benefit_grant.revoked", "feature_flag"))
		becomes(`"flags":{}`)
	})
}
