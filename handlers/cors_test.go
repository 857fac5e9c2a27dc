package handlers

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const appOrigin = "app://obsidian.md" // an app's own scheme is an origin, too

// preflight asks as a browser does before it asks.
func (d *desk) preflight(path, method, headers string) *httptest.ResponseRecorder {
	return d.ask("OPTIONS " + path + "\nAuthorization: \nOrigin: " + appOrigin + "\nAccess-Control-Request-Method: " + method + "\nAccess-Control-Request-Headers: " + headers)
}

// corsOf are the headers that a browser judges by.
func corsOf(w *httptest.ResponseRecorder) map[string]string {
	all := map[string]string{}
	for name, values := range w.Header() {
		if len(name) > 15 && name[:15] == "Access-Control-" {
			all[name[15:]] = values[0]
		}
	}
	return all
}

func TestABrowserMayAskFromAnyOrigin(t *testing.T) {
	t.Parallel()
	d, _, _ := counter(t)
	for path, method := range map[string]string{
		"/v1/customer-portal/license-keys/validate": "POST", "/v1/license-keys/" + id("key", 1): "PATCH", "/v1/files/" + id("file", 1): "DELETE", "/v1/files/uploads/x": "PUT",
	} {
		w := d.preflight(path, method, "authorization,content-type")
		want := map[string]string{"Allow-Origin": "*", "Allow-Methods": method, "Allow-Headers": "authorization,content-type", "Max-Age": "86400"}
		if diff := cmp.Diff(want, corsOf(w)); w.Code != http.StatusNoContent || w.Body.Len() > 0 || diff != "" {
			t.Errorf("%s: %d %s", path, w.Code, diff)
		}
	}
	read := map[string]string{"Allow-Origin": "*", "Expose-Headers": "X-License-Code, Retry-After, Etag"}
	for request, status := range map[string]int{
		"POST /v1/customer-portal/license-keys/validate\nOrigin: " + appOrigin + "\n\n" + aKey + `}`: 200,
		"POST /v1/customer-portal/license-keys/validate\nOrigin: " + appOrigin + "\n\n{}":            422,
		"GET /v1/license-keys/\nOrigin: null\nAuthorization: ":                                       401,
		"GET /v1/nothing\nOrigin: " + appOrigin:                                                      404,
	} {
		w := d.ask(request)
		if diff := cmp.Diff(read, corsOf(w)); w.Code != status || diff != "" {
			t.Errorf("%s: %d %s", request, w.Code, diff)
		}
	}
}

func TestOnlyTheAPIIsForEveryOrigin(t *testing.T) {
	t.Parallel()
	d, _, _ := counter(t)
	for _, path := range []string{"/webhooks/polar", "/customer/", "/downloads/x", "/healthz"} {
		if got := corsOf(d.preflight(path, "POST", "content-type")); len(got) > 0 {
			t.Errorf("preflight of %s: %v", path, got)
		}
		if got := corsOf(d.ask("POST " + path + "\nOrigin: " + appOrigin)); len(got) > 0 {
			t.Errorf("%s: %v", path, got)
		}
	}
	admin := newDesk(t)
	if got := corsOf(admin.preflight("/v1/license-keys/", "GET", "authorization")); len(got) > 0 {
		t.Errorf("admin listener: %v", got)
	}
	if got := corsOf(admin.ask("GET /v1/license-keys/\nOrigin: " + appOrigin)); len(got) > 0 {
		t.Errorf("admin listener: %v", got)
	}
}

func TestAPreflightIsNoGuess(t *testing.T) {
	t.Parallel()
	g := newPorch(t)
	for range 200 { // of one client, within one second
		if w := g.preflight("/v1/customer-portal/license-keys/validate", "POST", "content-type"); w.Code != http.StatusNoContent {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if w := g.ask("POST /v1/customer-portal/license-keys/validate\n\n" + aKey + `}`); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
