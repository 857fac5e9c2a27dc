package handlers

import (
	"log/slog"
	"net/http"

	"fulfilld/grant"
)

// PublicOptions is what the public listener is made of.
type PublicOptions struct {
	Ledger  AdminLedger
	Tokens  []Token
	Webhook http.Handler // the platform's events
	Health  http.Handler
	Meters  []grant.Meter // what events may consume
	Log     *slog.Logger  // nil for the default
}

// Public is what may be reached from everywhere: webhooks, and the API for tokens
// with scopes. The operator's token is not one of them.
func Public(o PublicOptions) http.Handler {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	a := answers{o.Log}
	api := http.NewServeMux()
	a.mount(api, platformRoutes(o.Ledger))
	a.mount(api, stateRoutes(o.Ledger))
	a.mount(api, creditRoutes(o.Ledger, o.Meters))
	tokens := keyringOf(o.Tokens, "")
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/polar", o.Webhook)
	mux.Handle("GET /healthz", o.Health)
	mux.Handle("GET /readyz", o.Health)
	mux.Handle("/", http.MaxBytesHandler(orJSON(a, api), maxBody))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		if p, ok := tokens.who(bearer(r)); ok {
			r = withPrincipal(r, p)
		}
		mux.ServeHTTP(w, r)
	})
}
