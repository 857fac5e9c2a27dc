package handlers

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"

	"fulfilld/grant"
	"fulfilld/handlers/portal"
)

// PublicOptions is what the public listener is made of.
type PublicOptions struct {
	Ledger   AdminLedger
	Tokens   []Token
	Clients  ClientLimits // of those without a token
	Webhook  http.Handler // the platform's events
	Health   http.Handler
	Sessions Sessions        // make links to the customers' page
	Portal   http.Handler    // that page; nil: there is none
	Visits   portal.Sessions // what its links open
	Files    *Files          // nil: downloads are switched off

	// KeyAdmin reports whether customers may see and end the activations of a key, by
	// the parameters that it was issued with. It comes with the page.
	KeyAdmin func(applied json.RawMessage) bool

	Meters []grant.Meter // what events may consume
	Log    *slog.Logger  // nil for the default
}

// Public is what may be reached from everywhere: webhooks, downloads, the API for tokens
// with scopes, and what apps ask about license keys without one. The operator's token
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
	a.mount(mux, fileRoutes(o.Ledger, o.Files))
	a.mount(mux, sessionRoutes(o.Ledger, o.Sessions))
	if o.Portal != nil {
		mux.Handle(portal.Prefix+"/", o.Portal)
		for pattern, v := range visits(o.Ledger, o.Files, o.KeyAdmin) {
			mux.Handle(pattern, a.visited(o.Visits, o.Ledger, v))
		}
	}
	for pattern, e := range publicKeyRoutes(o.Ledger, newClients(o.Clients)) {
		mux.Handle(pattern, a.open(e))
	}
	mux.Handle("POST /webhooks/polar", o.Webhook)
	mux.Handle("GET /healthz", o.Health)
	mux.Handle("GET /readyz", o.Health)
	o.Files.takeIn(mux, a)
	o.Files.giveOut(mux)
	own := orJSON(a, mux) // of this origin alone
	api := anyOrigin(own)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		if p, ok := tokens.who(bearer(r)); ok {
			r = withPrincipal(r, p)
		}
		next := own
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			next = api
		}
		next.ServeHTTP(w, r)
	})
}
