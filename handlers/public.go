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
	Clients ClientLimits // of those without a token
	Webhook http.Handler // the platform's events
	Health  http.Handler
	Meters  []grant.Meter // what events may consume
	Log     *slog.Logger  // nil for the default
}

// Public is what may be reached from everywhere: webhooks, the API for tokens with
// scopes, and what apps ask about license keys without one. The operator's token
// is not one of them.
func Public(o PublicOptions) http.Handler {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	a := answers{o.Log}
	tokens := keyringOf(o.Tokens, "")
	mux := http.NewServeMux()
	a.mount(mux, platformRoutes(o.Ledger))
	a.mount(mux, stateRoutes(o.Ledger))
	a.mount(mux, creditRoutes(o.Ledger, o.Meters))
	for pattern, e := range publicKeyRoutes(o.Ledger, newClients(o.Clients)) {
		mux.Handle(pattern, a.open(e))
	}
	mux.Handle("POST /webhooks/polar", o.Webhook)
	mux.Handle("GET /healthz", o.Health)
	mux.Handle("GET /readyz", o.Health)
	next := orJSON(a, mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		if p, ok := tokens.who(bearer(r)); ok {
			r = withPrincipal(r, p)
		}
		next.ServeHTTP(w, r)
	})
}
