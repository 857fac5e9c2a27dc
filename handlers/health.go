package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// Health answers /healthz (the process is alive) and /readyz (it can commit
// and is not draining). A Redis that is away makes it degraded, not unready:
// webhooks are still accepted.
type Health struct {
	Probe     func(context.Context) error // commits
	RedisDown func() bool

	mu       sync.Mutex
	draining bool
	probed   time.Time
	err      error
}

const probeLasts = time.Second

// Drain makes /readyz answer 503 from now on.
func (h *Health) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
}

// ServeHTTP implements http.Handler.
func (h *Health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, body := http.StatusOK, map[string]string{"status": "ok"}
	if r.URL.Path == "/readyz" {
		status, body = h.ready(r.Context())
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client hung up: nothing to do
}

func (h *Health) ready(ctx context.Context) (int, map[string]string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.draining {
		return http.StatusServiceUnavailable, map[string]string{"status": "draining"}
	}
	if time.Since(h.probed) > probeLasts {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		h.err, h.probed = h.Probe(ctx), time.Now()
		cancel()
	}
	if h.err != nil {
		return http.StatusServiceUnavailable, map[string]string{"status": "down", "ledger": "cannot commit"}
	}
	if h.RedisDown() {
		return http.StatusOK, map[string]string{"status": "degraded", "redis": "does not answer; webhooks are accepted, work waits"}
	}
	return http.StatusOK, map[string]string{"status": "ready"}
}
