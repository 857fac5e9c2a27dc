package handlers

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestTheTokenOpensTheDoor(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, tt := range []struct {
		name, request string
		want          int
	}{
		{"Bearer", "GET /v1/benefits/\nAuthorization: Bearer " + token, 200},
		{"BearerInLowerCase", "GET /v1/benefits/\nAuthorization: bearer " + token, 200},
		{"NoToken", "GET /v1/benefits/\nAuthorization: ", 401},
		{"EmptyBearer", "GET /v1/benefits/\nAuthorization: Bearer ", 401},
		{"WrongToken", "GET /v1/benefits/\nAuthorization: Bearer " + token + "5", 401},
		{"PasswordReads", "GET /v1/benefits/\n" + basic("anyone", token), 200},
		{"PasswordReadsMetrics", "GET /metrics\n" + basic("", token), 200},
		{"WrongPassword", "GET /v1/benefits/\n" + basic(token, "x"), 401},
		{"PasswordDoesNotChange", "POST /v1/events/replay\n" + basic("anyone", token), 401},
		{"PasswordChangesQueues", "POST /queues/api/queues/discord:pause\n" + basic("anyone", token), 200},
		{"QueuesAreNotAPrefix", "POST /queuesx\n" + basic("anyone", token), 401},
		{"WhatIsThereIsNotTold", "GET /v1/nothing/\nAuthorization: ", 401},
		{"QueuesWithout", "GET /queues/\nAuthorization: ", 401},
		{"MetricsWithout", "GET /metrics\nAuthorization: ", 401},
		{"HealthWithout", "GET /healthz\nAuthorization: ", 200},
		{"ReadinessWithout", "GET /readyz\nAuthorization: ", 200},
		{"HealthOfAnyHost", "GET /readyz\nHost: 172.17.0.3:9090", 200},
		{"HealthIsOnlyRead", "POST /healthz\nAuthorization: ", 401},
	} {
		if got := d.ask(tt.request); got.Code != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got.Code, tt.want)
		}
	}
}

func TestWithoutATokenNobodyIsLetIn(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Handler = Admin(AdminOptions{Ledger: d.ledger, Health: named("health"), Metrics: named("metrics")})
	for _, auth := range []string{"Authorization: ", "Authorization: Bearer ", basic("", ""), "Authorization: Bearer " + token} {
		if got := d.ask("GET /metrics\n" + auth); got.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d", auth, got.Code)
		}
	}
}

func TestARefusalIsThePlatformsAndAsksForThePassword(t *testing.T) {
	t.Parallel()
	w := newDesk(t).ask("GET /v1/benefits/\nAuthorization: ")
	if got := w.Body.String(); got != `{"error":"Unauthorized","detail":"Unauthorized"}`+"\n" {
		t.Errorf("body %s", got)
	}
	if got := strings.Join(w.Header().Values("WWW-Authenticate"), "; "); got != `Basic realm="fulfilld", charset="UTF-8"; Bearer` {
		t.Errorf("WWW-Authenticate: %s", got)
	}
}

func TestOnlyKnownHostsAreServed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST.:1": 200, "127.0.0.1:9090": 200, "127.8.8.8": 200, "[::1]:9090": 200, "[::1]": 200,
		"admin.example.com": 200, "Admin.Example.com:443": 200, "10.0.0.7:9090": 200, "10.0.0.7": 200,
		"evil.example": 403, "localhost.evil.example": 403, "10.0.0.8:9090": 403, "0.0.0.0:9090": 403, "[::]:9090": 403, "": 403,
	} {
		w := d.ask("GET /v1/benefits/\nHost: " + host)
		if w.Code != want {
			t.Errorf("%q: %d, want %d", host, w.Code, want)
		}
		if want == 403 && !strings.Contains(w.Body.String(), "admin.hosts") {
			t.Errorf("%q: %s", host, w.Body)
		}
	}
}

func TestOtherSitesChangeNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, tt := range []struct {
		headers string
		want    int
	}{
		{"", 200},
		{"Sec-Fetch-Site: same-origin", 200},
		{"Origin: http://localhost:9090", 200},
		{"Sec-Fetch-Site: cross-site", 403},
		{"Sec-Fetch-Site: same-site", 403},
		{"Origin: https://evil.example", 403},
	} {
		for _, path := range []string{"/queues/api/x", "/v1/events/replay"} {
			if got := d.ask("POST " + path + "\n" + tt.headers); got.Code != tt.want {
				t.Errorf("%s from %q: %d, want %d", path, tt.headers, got.Code, tt.want)
			}
		}
	}
}

func TestNothingIsFramedSniffedOrKept(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, request := range []string{"GET /queues/", "GET /v1/benefits/", "GET /nothing", "GET /healthz", "GET /v1/benefits/\nAuthorization: ", "GET /metrics\nHost: evil.example"} {
		h := d.ask(request).Header()
		for name, want := range map[string]string{
			"X-Frame-Options": "DENY", "Content-Security-Policy": "frame-ancestors 'none'", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%q: %s: %q, want %q", request, name, got, want)
			}
		}
	}
}
