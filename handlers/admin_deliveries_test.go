package handlers

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fulfilld/grant"
	"fulfilld/ledger"
)

func TestDeliveriesAreListedAndRetried(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(o *ledger.Options) { o.Listeners = map[string][]string{grant.TellsCreated: {"mailer", "audit"}} })
	d.fill()
	failed, err := d.ledger.Claim(t.Context(), "mailer", 1, time.Minute)
	if err != nil || len(failed) != 1 {
		t.Fatal(failed, err)
	}
	if _, err := d.ledger.Postpone(t.Context(), failed[0], time.Hour, time.Hour, "answered 500"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path string
		status       int
		says         []string
	}{
		{"GET", "/v1/deliveries/", 200, []string{`"total_count":2`, `"subject":"` + id("grant", 1) + `"`, `"delivered_at":null`}},
		{"GET", "/v1/deliveries/?endpoint=mailer&state=waiting&type=benefit_grant.created", 200, []string{`"total_count":1`, `"last_error":"answered 500"`, `"attempts":1`, failed[0].ID}},
		{"GET", "/v1/deliveries/?state=lost", 422, []string{"'waiting', 'delivered' or 'failed'"}},
		{"POST", "/v1/deliveries/" + failed[0].ID + "/retry", 200, []string{`"due":1`}},
		{"POST", "/v1/deliveries/" + id("grant", 1) + "/retry", 404, []string{"Not found"}},
		{"POST", "/v1/deliveries/x/retry", 422, []string{"valid UUID"}},
		{"POST", "/v1/deliveries/retry", 200, []string{`"due":2`}},
	} {
		r := httptest.NewRequest(c.method, "http://admin.example.com"+c.path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		for _, want := range c.says {
			if text := w.Body.String(); w.Code != c.status || !strings.Contains(text, want) || strings.Contains(text, "ada@example.com") {
				t.Errorf("%s %s: %d %s, want %d and %s", c.method, c.path, w.Code, text, c.status, want)
			}
		}
	}
}
