package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func ask(t *testing.T, h http.Handler, path string) (int, map[string]string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	var body map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%s: %q, %v", path, w.Body, err)
	}
	return w.Code, body
}

func TestHealth(t *testing.T) {
	disk := errors.New("disk full on /var/lib")
	for _, c := range []struct {
		name                string
		ledger              error
		redisDown, draining bool
		status              int
		word                string
	}{
		{"Ready", nil, false, false, 200, "ready"},
		{"Degraded", nil, true, false, 200, "degraded"},
		{"Down", disk, false, false, 503, "down"},
		{"DownWithoutRedis", disk, true, false, 503, "down"},
		{"Draining", nil, false, true, 503, "draining"},
		{"DrainingAndDown", disk, true, true, 503, "draining"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &Health{Probe: func(context.Context) error { return c.ledger }, RedisDown: func() bool { return c.redisDown }}
			if c.draining {
				h.Drain()
			}
			status, body := ask(t, h, "/readyz")
			if status != c.status || body["status"] != c.word {
				t.Errorf("%d %v, want %d %s", status, body, c.status, c.word)
			}
			for _, text := range body {
				if strings.Contains(text, "disk") {
					t.Errorf("the public is told %q", text)
				}
			}
			if status, body := ask(t, h, "/healthz"); status != 200 || body["status"] != "ok" {
				t.Errorf("alive, and answers %d %v", status, body)
			}
		})
	}
}

func TestProbeIsSharedForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		probes := 0
		h := &Health{RedisDown: func() bool { return false }, Probe: func(context.Context) error { probes++; return nil }}
		for range 10 {
			ask(t, h, "/readyz")
		}
		if probes != 1 {
			t.Errorf("%d commits for ten questions", probes)
		}
		time.Sleep(probeLasts + 1)
		if ask(t, h, "/readyz"); probes != 2 {
			t.Errorf("%d commits after a second", probes)
		}
	})
}

func TestProbeThatHangsMeansDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &Health{RedisDown: func() bool { return false }, Probe: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		if status, body := ask(t, h, "/readyz"); status != 503 || body["status"] != "down" {
			t.Errorf("%d %v", status, body)
		}
	})
}
