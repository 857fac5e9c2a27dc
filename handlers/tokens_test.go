package handlers

import (
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const appToken = "a-token-of-the-desktop-app-1"

// street is the public listener of a desk's shop.
func street(d *desk, tokens ...Token) *desk {
	d.Handler = Public(PublicOptions{Ledger: d.ledger, Tokens: tokens, Webhook: named("webhook"), Health: named("health"), Log: slog.New(slog.NewTextHandler(&d.log, nil))})
	return d
}

func TestATokenMayWhatItsScopesName(t *testing.T) {
	t.Parallel()
	d := street(newDesk(t), Token{"other", "a-token-of-another-program-1", []string{"benefits:read"}}, Token{"app", appToken, []string{"license_keys:read"}})
	for _, tt := range []struct {
		name, request string
		want          int
	}{
		{"ItsScope", "GET /v1/license-keys/\nAuthorization: Bearer " + appToken, 200},
		{"AnotherScope", "GET /v1/benefits/\nAuthorization: Bearer " + appToken, 403},
		{"AnotherTokensScope", "GET /v1/benefits/\nAuthorization: Bearer a-token-of-another-program-1", 200},
		{"TheOperatorsToken", "GET /v1/license-keys/\nAuthorization: Bearer " + token, 401},
		{"TheOperatorsCall", "GET /v1/alarms/\nAuthorization: Bearer " + appToken, 404},
		{"NoToken", "GET /v1/license-keys/\nAuthorization: ", 401},
		{"AsAPassword", "GET /v1/license-keys/\n" + basic("any", appToken), 401},
		{"InTheQuery", "GET /v1/license-keys/?token=" + appToken + "\nAuthorization: ", 401},
		{"OfOtherCase", "GET /v1/license-keys/\nAuthorization: Bearer " + strings.ToUpper(appToken), 401},
		{"NothingThere", "GET /v1/nothing\nAuthorization: ", 404},
		{"Metrics", "GET /metrics\nAuthorization: Bearer " + appToken, 404},
		{"Queues", "GET /queues/\nAuthorization: Bearer " + appToken, 404},
		{"WebhookByAnotherMethod", "GET /webhooks/polar\nAuthorization: ", 405},
		{"Webhook", "POST /webhooks/polar\nAuthorization: ", 200},
		{"Health", "GET /healthz\nAuthorization: ", 200},
	} {
		if got := d.ask(tt.request); got.Code != tt.want {
			t.Errorf("%s: %d, want %d: %s", tt.name, got.Code, tt.want, got.Body)
		}
	}
}

func TestATokenIsGoodOnTheAdminListenerToo(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Handler = Admin(AdminOptions{Ledger: d.ledger, Token: token, Tokens: []Token{{"app", appToken, []string{"license_keys:read"}}},
		Health: named("health"), Metrics: named("metrics"), Queues: named("queues")})
	for request, want := range map[string]int{
		"GET /v1/license-keys/": 200, "GET /v1/benefits/": 403, "GET /v1/alarms/": 403, "GET /metrics": 403, "GET /queues/": 403,
	} {
		if got := d.ask(request + "\nAuthorization: Bearer " + appToken); got.Code != want {
			t.Errorf("%s: %d, want %d", request, got.Code, want)
		}
	}
}

func TestARefusedScopeIsThePlatformsAnswer(t *testing.T) {
	t.Parallel()
	d := street(newDesk(t), Token{"app", appToken, []string{"benefits:read"}})
	w := d.ask("GET /v1/license-keys/\nAuthorization: Bearer " + appToken)
	if got, want := w.Body.String(), `{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token."}`+"\n"; got != want {
		t.Errorf("body %s, want %s", got, want)
	}
	if got := w.Header().Get("WWW-Authenticate"); !strings.HasSuffix(got, `scope="license_keys:read license_keys:write"`) {
		t.Errorf("WWW-Authenticate: %s", got)
	}
}

// unknownToken is what the platform says of a token that it does not know.
const unknownToken = "The access token provided is expired, revoked, malformed, or invalid for other reasons."

func TestAnUnknownTokenIsThePlatformsAnswer(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]*desk{"Public": street(newDesk(t)), "Admin": newDesk(t)} {
		w := d.ask("POST /v1/customer-sessions/\nAuthorization: Bearer nobody's")
		if got, want := w.Body.String(), `{"error":"invalid_token","error_description":"`+unknownToken+`"}`+"\n"; got != want || w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d %s, want %s", name, w.Code, got, want)
		}
		if got, want := w.Header().Get("WWW-Authenticate"), `Bearer error="invalid_token", error_description="`+unknownToken+`"`; got != want {
			t.Errorf("%s: WWW-Authenticate: %s", name, got)
		}
		if got := w.Header().Get(licenseCode); got != "" {
			t.Errorf("%s: %s where there is no key", name, got)
		}
	}
}

// formed reads a body as the test's endpoint would.
func formed(t *testing.T, body string, read func(f *form)) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Body = http.MaxBytesReader(httptest.NewRecorder(), r.Body, 600)
	f, err := formOf(r)
	if err == nil {
		read(f)
		err = f.err()
	}
	if err == nil {
		return ""
	}
	w := httptest.NewRecorder()
	answers{slog.New(slog.NewTextHandler(io.Discard, nil))}.fail(w, r, err)
	var public struct {
		Error  string
		Detail json.RawMessage
	}
	if err := json.Unmarshal(w.Body.Bytes(), &public); err != nil {
		t.Fatal(err)
	}
	return string(public.Detail)
}

func TestARefusalThatCannotBeSpelledIsNoYes(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	answers{slog.New(slog.DiscardHandler)}.fail(w, httptest.NewRequest(http.MethodPost, "/", nil), invalid(fieldError{Input: math.Inf(1)}))
	if w.Code != http.StatusUnprocessableEntity {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
}

func TestAFormNamesEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	read := func(f *form) {
		f.require("key")
		f.text("key")
		f.id("organization_id", false)
		f.id("activation_id", true)
		f.number("increment_usage", 0)
		f.moment("expires_at")
		f.truth("sure")
	}
	for body, want := range map[string]string{
		`{"key":"k","organization_id":"00000000-0000-4000-8000-000000000001","activation_id":null,"increment_usage":0,"expires_at":"2026-01-01T00:00:00Z","sure":true,"more":1}`: ``,
		`{}`:                `[{"type":"missing","loc":["body","key"],"msg":"Field required","input":{}}]`,
		`{"key":null}`:      `[{"type":"string_type","loc":["body","key"],"msg":"Input should be a valid string","input":null}]`,
		`{"key":"a\u0000"}`: `[{"type":"string_unicode","loc":["body","key"],"msg":"Input should be a valid string, unable to parse raw data as a unicode string","input":"a\u0000"}]`,
		`{"key":"k","organization_id":"abc","increment_usage":-1}`: `[{"type":"uuid_parsing","loc":["body","organization_id"],"msg":"Input should be a valid UUID, invalid length: expected length 32 for simple format, found 3","input":"abc","ctx":{"error":"invalid length: expected length 32 for simple format, found 3"}},` +
			`{"type":"greater_than_equal","loc":["body","increment_usage"],"msg":"Input should be greater than or equal to 0","input":-1,"ctx":{"ge":0}}]`,
		`{"key":"k","increment_usage":1.5}`:   `[{"type":"int_from_float","loc":["body","increment_usage"],"msg":"Input should be a valid integer, got a number with a fractional part","input":1.5}]`,
		`{"key":"k","increment_usage":1e20}`:  `[{"type":"int_parsing_size","loc":["body","increment_usage"],"msg":"Unable to parse input string as an integer, exceeded maximum size","input":100000000000000000000}]`,
		`{"key":"k","increment_usage":1e999}`: `[{"type":"int_type","loc":["body","increment_usage"],"msg":"Input should be a valid integer","input":null}]`,
		`{"organization_id":1e999}`:           `[{"type":"missing","loc":["body","key"],"msg":"Field required","input":{"organization_id":null}},{"type":"uuid_type","loc":["body","organization_id"],"msg":"UUID input should be a string, bytes or UUID object","input":null}]`,
		`null`:                                `[{"type":"model_attributes_type","loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from","input":null}]`,
		`{"key":"k","increment_usage":"` + strings.Repeat("9", 100) + `"}`:  `[{"type":"int_parsing_size","loc":["body","increment_usage"],"msg":"Unable to parse input string as an integer, exceeded maximum size","input":1e+100}]`,
		`{"key":"k","increment_usage":"1` + strings.Repeat("0", 400) + `"}`: `[{"type":"int_parsing_size","loc":["body","increment_usage"],"msg":"Unable to parse input string as an integer, exceeded maximum size","input":"1` + strings.Repeat("0", 400) + `"}]`,
		`{"key":"k","increment_usage":"1.5"}`:                               `[{"type":"int_parsing","loc":["body","increment_usage"],"msg":"Input should be a valid integer, unable to parse string as an integer","input":"1.5"}]`,
		`{"key":"k","increment_usage":true}`:                                `[{"type":"int_type","loc":["body","increment_usage"],"msg":"Input should be a valid integer","input":true}]`,
		`{"key":"k","expires_at":"tomorrow"}`:                               `[{"type":"datetime_from_date_parsing","loc":["body","expires_at"],"msg":"Input should be a valid datetime or date, input is too short","input":"tomorrow","ctx":{"error":"input is too short"}}]`,
		`{"key":"k","expires_at":1e20}`:                                     `[{"type":"datetime_parsing","loc":["body","expires_at"],"msg":"Input should be a valid datetime, dates after 9999 are not supported as unix timestamps","input":1e20,"ctx":{"error":"dates after 9999 are not supported as unix timestamps"}}]`,
		`{"key":"k","expires_at":true}`:                                     `[{"type":"datetime_type","loc":["body","expires_at"],"msg":"Input should be a valid datetime","input":true}]`,
		`{"key":"k","sure":"x"}`:                                            `[{"type":"bool_type","loc":["body","sure"],"msg":"Input should be a valid boolean","input":"x"}]`,
		`[1]`:                                                               `[{"type":"model_attributes_type","loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from","input":[1]}]`,
		`{"key":`:                                                           `[{"type":"json_invalid","loc":["body"],"msg":"JSON decode error","input":{},"ctx":{"error":"not a JSON document"}}]`,
		strings.Repeat(" ", 601):                                            `"The body has more than 600 bytes."`,
	} {
		if got := formed(t, body, read); got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
}
