package fakediscord_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"fulfilld/internal/fakediscord"
)

var aRole = fakediscord.Match{Method: "PUT", Path: "/guilds/*/members/*/roles/*"}

func TestFaultsAnswerInDiscordsPlace(t *testing.T) {
	t.Parallel()
	second := time.Second
	for name, c := range map[string]struct {
		fault  fakediscord.Fault
		status int
		header [2]string
		text   string // "": look at the status and header only
	}{
		"limited": {fakediscord.RateLimited(1500 * time.Millisecond), 429, [2]string{"Retry-After", "2"},
			`{"global":false,"message":"You are being rate limited.","retry_after":1.5}`},
		"globally": {fakediscord.RateLimitedGlobally(second), 429, [2]string{"X-RateLimit-Global", "true"},
			`{"global":true,"message":"You are being rate limited.","retry_after":1}`},
		"shared": {fakediscord.RateLimitedShared(second), 429, [2]string{"X-RateLimit-Scope", "shared"},
			`{"global":false,"message":"The resource is being rate limited.","retry_after":1}`},
		"cloudflare":         {fakediscord.Cloudflare(second), 429, [2]string{"Retry-After", "1"}, "error code: 1015"},
		"cloudflare, silent": {fakediscord.Cloudflare(0), 429, [2]string{"Retry-After", ""}, "error code: 1015"},
		"unauthorized":       {fakediscord.Unauthorized(), 401, [2]string{}, `{"code":0,"message":"401: Unauthorized"}`},
		"503":                {fakediscord.Status(503), 503, [2]string{}, `{"code":0,"message":"503: Service Unavailable"}`},
		"502 page":           {fakediscord.HTML(502), 502, [2]string{"Content-Type", "text/html"}, ""},
		"not json":           {fakediscord.NotJSON(), 200, [2]string{"Content-Type", "text/html"}, "<html>Hello</html>"},
		"overloaded":         {fakediscord.Refuse(503, 130000, "Busy"), 503, [2]string{}, `{"code":130000,"message":"Busy"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Fail(aRole, c.fault, 1)
			path := w.rolePath(w.ada, w.role)
			r := w.do("PUT", path, "")
			if r.status != c.status || c.text != "" && r.text != c.text || r.header.Get(c.header[0]) != c.header[1] {
				t.Errorf("%d %s %v", r.status, r.text, r.header)
			}
			if got := w.Roles(w.guild.ID, w.ada); len(got) != 0 {
				t.Error("and yet it was done")
			}
			w.expect("PUT", path, "", 204, 0)
		})
	}
}

func TestOnlySharedLimitsAreNotHeldAgainstTheCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Fail(aRole, fakediscord.RateLimitedShared(time.Second), 2)
	w.Fail(aRole, fakediscord.RateLimited(time.Second), 1)
	for range 3 {
		w.expect("PUT", w.rolePath(w.ada, w.role), "", 429, 0)
	}
	if w.InvalidRequests() != 1 || w.Violations() != 0 {
		t.Errorf("%d invalid, %d violations", w.InvalidRequests(), w.Violations())
	}
}

func TestFaultsHitWhatMatchesAsOftenAsAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mend := w.Fail(fakediscord.Match{Path: "/guilds/*/members/*"}, fakediscord.Status(500), fakediscord.Always)
	w.Fail(aRole, fakediscord.Status(503), 2)
	for _, want := range []int{503, 503, 204} {
		w.expect("PUT", w.rolePath(w.ada, w.role), "", want, 0)
		w.expect("GET", w.memberPath(w.ada), "", 500, 0)
		w.expect("DELETE", w.rolePath(w.ada, w.role), "", 204, 0)
	}
	mend()
	w.expect("GET", w.memberPath(w.ada), "", 200, 0)
	w.Fail(fakediscord.Match{}, fakediscord.Status(500), 0)
	w.expect("GET", "/users/@me", "", 500, 0)
	w.Mend()
	w.expect("GET", "/users/@me", "", 200, 0)
}

func TestBadHeadersComeWithTheTruth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Fail(fakediscord.Match{}, fakediscord.BadHeaders(), 1)
	r := w.do("PUT", w.rolePath(w.ada, w.role), "")
	if r.status != 204 || r.header.Get("X-RateLimit-Reset-After") != "soon" || len(w.Roles(w.guild.ID, w.ada)) != 1 {
		t.Errorf("%d %v", r.status, r.header)
	}
}

func TestALostAnswerHasChangedThings(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]fakediscord.Fault{"lost": fakediscord.Lost(), "half": fakediscord.HalfBody()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Fail(aRole, fault, 1)
			if r, err := w.try("PUT", w.rolePath(w.ada, w.role), ""); err == nil {
				t.Errorf("%d %s", r.status, r.text)
			}
			if got := w.Roles(w.guild.ID, w.ada); len(got) != 1 {
				t.Error("nothing was done")
			}
			if got := w.Requests(); len(got) != 1 || got[0].Status != 204 || got[0].Fault == "" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestHalfABodyIsCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Fail(fakediscord.Match{Method: "GET"}, fakediscord.HalfBody(), 1)
	r, err := w.try("GET", w.memberPath(w.ada), "")
	if !errors.Is(err, io.ErrUnexpectedEOF) || r.status != 200 || r.text == "" || r.body != nil {
		t.Errorf("%d %q, %v", r.status, r.text, err)
	}
}

func TestAHangEndsWithTheCallersPatience(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Fail(aRole, fakediscord.Hang(), 1)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "PUT", w.url+"/api/v9"+w.rolePath(w.ada, w.role), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", w.token)
	if _, err := send(req); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if got := w.Requests(); len(got) != 1 || got[0].Status != 0 || len(w.Roles(w.guild.ID, w.ada)) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestADelayOnlyTakesTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Fail(aRole, fakediscord.Delay(30*time.Millisecond), 1)
	begun := time.Now()
	w.expect("PUT", w.rolePath(w.ada, w.role), "", 204, 0)
	if took := time.Since(begun); took < 30*time.Millisecond {
		t.Errorf("answered after %v", took)
	}
}

func TestWhoGivesUpDuringADelayGetsNothingDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Fail(aRole, fakediscord.Delay(time.Hour), 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req := httptest.NewRequestWithContext(ctx, "PUT", "/api/v9"+w.rolePath(w.ada, w.role), nil)
	req.Header.Set("Authorization", w.token)
	defer func() {
		err, _ := recover().(error)
		if !errors.Is(err, http.ErrAbortHandler) || len(w.Roles(w.guild.ID, w.ada)) != 0 {
			t.Error("carried on")
		}
	}()
	w.ServeHTTP(httptest.NewRecorder(), req)
}
