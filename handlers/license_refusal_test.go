package handlers

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"fulfilld/grant"
)

// counter is a desk's public listener with the key of the little shop, which never
// expires, has one place and three usages.
func counter(t *testing.T) (d *desk, keyID, activationID string) {
	t.Helper()
	d = newDesk(t)
	d.fill()
	all, _, err := d.ledger.LicenseKeys(t.Context(), grant.LicenseKeyFilter{}, grant.Page{Number: 1, Limit: 1})
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	keyID = all[0].ID
	one, three := int64(1), int64(3)
	if _, err := d.ledger.ReviseLicenseKey(t.Context(), keyID, grant.LicenseKeyEdit{LimitActivations: &one, LimitUsage: &three, ExpiresAt: &time.Time{}}); err != nil {
		t.Fatal(err)
	}
	d = street(d, Token{"app", token, []string{"license_keys:write"}})
	w := d.ask("POST /v1/license-keys/activate\n\n" + aKey + `,"label":"laptop","conditions":{"major":1,"os":"linux"},"meta":{"ip":"84.19.145.194","n":1.50}}`)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"meta":{"ip":"84.19.145.194","n":1.5}`) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return d, keyID, decode[struct{ ID string }](t, w.Body.Bytes()).ID
}

// refusedAs is an answer: its status, its code and its body.
type refusedAs struct {
	status     int
	code, body string
}

func plainly(name, detail string) string {
	text, _ := json.Marshal(map[string]string{"detail": detail})
	return `{"error":"` + name + `",` + string(text[1:])
}

func TestEveryRefusalIsThePlatformsWithACode(t *testing.T) {
	t.Parallel()
	d, keyID, at := counter(t)
	golden := func(name string) string {
		return strings.TrimSpace(string(read(t, "license_keys/error."+name+".json")))
	}
	gone := func(detail string) string { return plainly("ResourceNotFound", detail) }
	no := func(detail string) string { return plainly("NotPermitted", detail) }
	const inactive, other = "License key is no longer active.", `{"key":"ACME-1C285B2D-E304DA","organization_id":"00000000-0000-4000-8000-000000000009"`
	for _, tt := range []struct {
		name, patch string // what the merchant says first
		call, body  string
		want        refusedAs
	}{
		{"Good", `{}`, "validate", aKey + `,"activation_id":"` + at + `","conditions":{"os":"linux","major":1.0},"benefit_id":"` + id("benefit", 1) + `","customer_id":"` + id("customer", 1) + `"}`, refusedAs{200, "", ""}},
		{"UnknownKey", `{}`, "validate", strings.Replace(aKey, "ACME", "ACMF", 1) + `}`, refusedAs{404, "NOT_FOUND", golden("404")}},
		{"AnotherOrganization", `{}`, "validate", other + `}`, refusedAs{404, "NOT_FOUND", golden("404")}},
		{"AnotherOrganizationActivates", `{}`, "activate", other + `,"label":"x"}`, refusedAs{404, "NOT_FOUND", golden("404")}},
		{"AnotherOrganizationDeactivates", `{}`, "deactivate", other + `,"activation_id":"` + at + `"}`, refusedAs{404, "NOT_FOUND", golden("404")}},
		{"Disabled", `{"status":"disabled"}`, "validate", aKey + `}`, refusedAs{404, "DISABLED", gone(inactive)}},
		{"Revoked", `{"status":"revoked"}`, "validate", aKey + `}`, refusedAs{404, "REVOKED", gone(inactive)}},
		{"RevokedActivates", `{}`, "activate", aKey + `,"label":"x"}`, refusedAs{403, "REVOKED", no(inactive + " This license key can not be activated.")}},
		{"RevokedRotates", `{}`, "rotate", ``, refusedAs{400, "REVOKED", plainly("RotateNotPermitted", "License key cannot be rotated in its current status. Allowed statuses: disabled, granted.")}},
		{"DisabledActivates", `{"status":"disabled"}`, "activate", aKey + `,"label":"x"}`, refusedAs{403, "DISABLED", no(inactive + " This license key can not be activated.")}},
		{"Expired", `{"status":"granted","expires_at":"2026-01-01T00:00:00Z"}`, "validate", aKey + `}`, refusedAs{404, "EXPIRED", golden("404.expired")}},
		{"ExpiredLongAgo", `{"expires_at":"0001-01-01T00:00:00Z"}`, "validate", aKey + `}`, refusedAs{404, "EXPIRED", golden("404.expired")}},
		{"ExpiredActivates", `{}`, "activate", aKey + `,"label":"x"}`, refusedAs{403, "EXPIRED", no("License key has expired.")}},
		{"NoSuchActivation", `{"expires_at":null}`, "validate", aKey + `,"activation_id":"` + id("a", 9) + `"}`, refusedAs{404, "ACTIVATION_NOT_FOUND", golden("404")}},
		{"NoSuchActivationDeactivates", `{}`, "deactivate", aKey + `,"activation_id":"` + id("a", 9) + `"}`, refusedAs{404, "ACTIVATION_NOT_FOUND", golden("404")}},
		{"NoConditions", `{}`, "validate", aKey + `,"activation_id":"` + at + `"}`, refusedAs{404, "CONDITIONS_MISMATCH", gone("License key does not match required conditions")}},
		{"OtherConditions", `{}`, "validate", aKey + `,"activation_id":"` + at + `","conditions":{"os":"linux","major":true}}`, refusedAs{404, "CONDITIONS_MISMATCH", gone("License key does not match required conditions")}},
		{"AnotherBenefit", `{}`, "validate", aKey + `,"benefit_id":"` + id("benefit", 9) + `"}`, refusedAs{404, "BENEFIT_MISMATCH", gone("License key does not match given benefit.")}},
		{"AnotherCustomer", `{}`, "validate", aKey + `,"customer_id":"` + id("customer", 9) + `"}`, refusedAs{404, "CUSTOMER_MISMATCH", gone("License key does not match given user.")}},
		{"TooMuchUsage", `{}`, "validate", aKey + `,"increment_usage":4}`, refusedAs{400, "LIMIT_REACHED", golden("400.usage")}},
		{"AllOfTheUsage", `{}`, "validate", aKey + `,"increment_usage":3}`, refusedAs{200, "", ""}},
		{"NoPlaceLeft", `{"usage":0}`, "activate", aKey + `,"label":"x"}`, refusedAs{403, "LIMIT_REACHED", golden("403.activation_limit")}},
		{"NoActivations", `{"limit_activations":null}`, "activate", aKey + `,"label":"x"}`, refusedAs{403, "ACTIVATIONS_NOT_SUPPORTED", no("This license key does not support activations. Use the /validate endpoint instead to check license validity.")}},
	} {
		if w := d.ask("PATCH /v1/license-keys/" + keyID + "\n\n" + tt.patch); w.Code != http.StatusOK {
			t.Fatalf("%s: PATCH %d %s", tt.name, w.Code, w.Body)
		}
		request := "POST /v1/license-keys/" + tt.call + "\n\n" + tt.body
		if tt.call == "rotate" {
			request = "POST /v1/license-keys/" + keyID + "/rotate"
		}
		d.wants(tt.name, request, tt.want)
	}
}

// wants asks, and checks how it is refused; of an answer that is good the body is
// not looked at.
func (d *desk) wants(name, request string, want refusedAs) {
	d.t.Helper()
	w := d.ask(request)
	got := refusedAs{w.Code, w.Header().Get(licenseCode), strings.TrimSpace(w.Body.String())}
	if w.Code < 300 {
		got.body = ""
	}
	if got != want {
		d.t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
	}
}

func TestWhatIsWrittenWronglyIsRefusedWithACode(t *testing.T) {
	t.Parallel()
	d, keyID, _ := counter(t)
	for request, part := range map[string]string{
		"POST /v1/license-keys/validate\n\n{}":                                                              `"loc":["body","organization_id"],"msg":"Field required"`,
		"POST /v1/license-keys/validate\n\n" + aKey + `,"increment_usage":-1}`:                              `"type":"greater_than_equal"`,
		"POST /v1/license-keys/validate\n\n" + aKey + `,"increment_usage":2147483648}`:                      `"type":"less_than_equal"`,
		"POST /v1/license-keys/validate\n\n" + aKey + `,"conditions":null}`:                                 `"type":"dict_type"`,
		"POST /v1/license-keys/activate\n\n" + aKey + `}`:                                                   `"loc":["body","label"],"msg":"Field required"`,
		"POST /v1/license-keys/activate\n\n" + aKey + `,"label":"` + strings.Repeat("é", maxLabel+1) + `"}`: `"type":"string_too_long"`,
		"POST /v1/license-keys/deactivate\n\n" + aKey + `}`:                                                 `"loc":["body","activation_id"],"msg":"Field required"`,
		"GET /v1/license-keys/abc":                                                                          strings.TrimSpace(string(read(t, "license_keys/error.422.json"))),
		"GET /v1/license-keys/" + keyID + "/activations/abc":                                                `"loc":["path","activation_id"]`,
		"PATCH /v1/license-keys/" + keyID + "\n\n" + `{"status":"gone"}`:                                    `"expected":"'granted', 'revoked' or 'disabled'"`,
		"PATCH /v1/license-keys/" + keyID + "\n\n" + `{"limit_usage":0}`:                                    `"type":"greater_than","loc":["body","limit_usage"],"msg":"Input should be greater than 0","input":0,"ctx":{"gt":0}`,
		"PATCH /v1/license-keys/" + keyID + "\n\n" + `{"limit_activations":2147483648}`:                     `"type":"less_than_equal"`,
		"PATCH /v1/license-keys/" + keyID + "\n\n" + `{"expires_at":"tomorrow"}`:                            `"type":"datetime_from_date_parsing"`,
		"PATCH /v1/license-keys/" + keyID + "\n\n" + `{"usage":null}`:                                       `"type":"int_type","loc":["body","usage"]`,
	} {
		w := d.ask(request)
		if w.Code != 422 || w.Header().Get(licenseCode) != invalidRequest || !strings.Contains(w.Body.String(), part) {
			t.Errorf("%.120s: %d %s %.300s", request, w.Code, w.Header().Get(licenseCode), w.Body)
		}
	}
	w := d.ask("POST /v1/license-keys/validate\n\n" + aKey + `,"conditions":{"x":"` + strings.Repeat("x", maxLicenseBody) + `"}}`)
	if w.Code != 413 || w.Header().Get(licenseCode) != invalidRequest {
		t.Errorf("too large: %d", w.Code)
	}
	if strings.Contains(d.log.String(), "1C285B2D") {
		t.Error("the log has a key")
	}
}

func TestAKeyGoesItsWay(t *testing.T) {
	t.Parallel()
	d, keyID, at := counter(t)
	about := "/v1/license-keys/" + keyID
	none := refusedAs{404, "NOT_FOUND", plainly("ResourceNotFound", "Not found")}
	d.wants("no key", "GET /v1/license-keys/"+id("key", 9), none)
	d.wants("no key to revise", "PATCH /v1/license-keys/"+id("key", 9)+"\n\n{}", none)
	d.wants("no key to rotate", "POST /v1/license-keys/"+id("key", 9)+"/rotate", none)
	none.code = "ACTIVATION_NOT_FOUND"
	d.wants("no activation", "GET "+about+"/activations/"+id("a", 9), none)
	d.wants("the activation", "GET "+about+"/activations/"+at, refusedAs{200, "", ""})
	for _, end := range []string{`"2099-01-01"`, `"2099-01-01T00:00:00"`, `4070908800`, `4070908800000`} {
		if w := d.ask("PATCH " + about + "\n\n" + `{"expires_at":` + end + `}`); w.Code != 200 || !strings.Contains(w.Body.String(), `"expires_at":"2099-01-01T00:00:00Z"`) {
			t.Errorf("%s: %d %s", end, w.Code, w.Body)
		}
	}
	w := d.ask("POST /v1/license-keys/validate\n\n" + aKey + `,"increment_usage":"2"}`)
	if v := decode[struct{ Usage, Validations int }](t, w.Body.Bytes()); v.Usage != 2 || v.Validations != 1 {
		t.Errorf("what is new is shown: %s", w.Body)
	}
	w = d.ask("POST " + about + "/rotate")
	rotated := decode[struct{ ID, Key string }](t, w.Body.Bytes())
	if w.Code != 200 || rotated.ID != keyID || rotated.Key == "ACME-1C285B2D-E304DA" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	d.wants("the old text", "POST /v1/license-keys/validate\n\n"+aKey+`}`, refusedAs{404, "NOT_FOUND", plainly("ResourceNotFound", "Not found")})
	now := strings.Replace(aKey, "ACME-1C285B2D-E304DA", rotated.Key, 1)
	d.wants("the new one", "POST /v1/license-keys/validate\n\n"+now+`}`, refusedAs{200, "", ""})
	if err := d.ledger.RevokeLicenseKey(t.Context(), id("grant", 1)+".license_keys", 1); err != nil {
		t.Fatal(err)
	}
	w = d.ask("PATCH " + about + "\n\n" + `{"status":"granted"}`)
	if w.Code != 400 || w.Header().Get(licenseCode) != "REVOKED" {
		t.Errorf("what is not owed: %d %s", w.Code, w.Body)
	}
	w = d.ask("POST /v1/license-keys/deactivate\n\n" + now + `,"activation_id":"` + at + `"}`)
	if w.Code != 204 || w.Body.Len() > 0 {
		t.Errorf("deactivate: %d %s", w.Code, w.Body)
	}
}

func TestOnlyTheScopeToWriteUsesAKey(t *testing.T) {
	t.Parallel()
	d, keyID, _ := counter(t)
	d = street(d, Token{"reader", token, []string{"license_keys:read"}})
	for request, want := range map[string]refusedAs{
		"GET /v1/license-keys/":                                                {status: 200},
		"GET /v1/license-keys/" + keyID:                                        {status: 200},
		"PATCH /v1/license-keys/" + keyID + "\n\n{}":                           {status: 403, code: "FORBIDDEN"},
		"POST /v1/license-keys/" + keyID + "/rotate":                           {status: 403, code: "FORBIDDEN"},
		"POST /v1/license-keys/validate\n\n" + aKey + `}`:                      {status: 403, code: "FORBIDDEN"},
		"POST /v1/license-keys/validate\nAuthorization: \n\n{}":                {status: 401, code: "UNAUTHORIZED"},
		"POST /v1/license-keys/validate\nAuthorization: Bearer nobody's\n\n{}": {status: 401, code: "UNAUTHORIZED"},
		"POST /v1/license-keys/nothing/there":                                  {status: 404, code: "INVALID_REQUEST"},
		"DELETE /v1/license-keys/" + keyID:                                     {status: 405, code: "INVALID_REQUEST"},
	} {
		w := d.ask(request)
		if got := (refusedAs{status: w.Code, code: w.Header().Get(licenseCode)}); got != want {
			t.Errorf("%s: %+v, want %+v", request, got, want)
		}
	}
	if w := d.ask("POST /v1/license-keys/validate\nAuthorization: \n\n{}"); strings.TrimSpace(w.Body.String()) != string(read(t, "license_keys/error.401.no_token.json")) {
		t.Errorf("%s", w.Body)
	}
}
