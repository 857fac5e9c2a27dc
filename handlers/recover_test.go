package handlers

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// panicking serves a route that panics with v.
func panicking(v any, log io.Writer) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /webhooks/{source}", func(http.ResponseWriter, *http.Request) { panic(v) })
	return Recovered(slog.New(slog.NewTextHandler(log, nil)), mux)
}

func TestAPanicIsAnsweredAndLoggedWithoutWhatWasSent(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]any{"Text": "hunter2", "Error": errors.New("hunter2"), "List": []string{"hunter2"}, "Nil": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			r := httptest.NewRequest(http.MethodPost, "/webhooks/hunter2?q=hunter2", strings.NewReader("hunter2"))
			r.Header.Set("Authorization", "Bearer hunter2")
			w := httptest.NewRecorder()
			panicking(v, &log).ServeHTTP(w, r)
			if w.Code != 500 || !strings.Contains(w.Body.String(), "Internal Server Error") || strings.Contains(w.Body.String(), "hunter2") {
				t.Errorf("answered %d %s", w.Code, w.Body)
			}
			for _, want := range []string{"level=ERROR", "method=POST", `route="POST /webhooks/{source}"`, "recover_test.go"} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("the log lacks %s: %s", want, &log)
				}
			}
			if strings.Contains(log.String(), "hunter2") {
				t.Errorf("the log tells too much: %s", &log)
			}
		})
	}
	defer func() {
		if got := panicText(recover()); !strings.Contains(got, "index out of range") {
			t.Errorf("what the runtime says is logged as %q", got)
		}
	}()
	_ = strings.Fields("")[len(t.Name())]
}

func TestAnAbortedResponseIsCutOff(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := httptest.NewServer(panicking(http.ErrAbortHandler, &log))
	defer s.Close()
	resp, err := http.Post(s.URL+"/webhooks/polar", "application/json", nil)
	if err == nil {
		resp.Body.Close()
		t.Errorf("answered %s", resp.Status)
	}
	if log.Len() > 0 {
		t.Errorf("logged %s", &log)
	}
}

func TestAPanicOfTheAdminAPIIsLoggedWithItsRoute(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := Admin(AdminOptions{Token: token, Health: named("health"), Metrics: named("metrics"), Log: slog.New(slog.NewTextHandler(&log, nil))})
	r := httptest.NewRequest(http.MethodGet, "/v1/benefits/"+id("benefit", 1), nil) // there is no ledger to ask
	r.Host = "localhost"
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 500 || !strings.Contains(w.Body.String(), `"error":"InternalServerError"`) {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), `route="GET /v1/benefits/{id}"`) || !strings.Contains(log.String(), "nil pointer") {
		t.Errorf("logged %s", &log)
	}
}
