package handlers

import (
	"net/http"

	"github.com/rs/cors"
)

// preflightFor is how many seconds a browser need not ask again; none remembers it
// for longer than that.
const preflightFor = 24 * 60 * 60

// anyOrigin lets apps in a browser engine, and pages of any origin, ask and read the
// answers, as the platform does. No cookie opens what is behind it: a page can ask
// only for what it has a token or a key for. Preflights end here, before anything is
// counted.
func anyOrigin(next http.Handler) http.Handler {
	return cors.New(cors.Options{
		AllowedOrigins: []string{"*"},
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowedHeaders: []string{"*"}, // those asked for are named in the answer: a bare * leaves Authorization out
		ExposedHeaders: []string{licenseCode, "Retry-After", "ETag"},
		MaxAge:         preflightFor,
	}).Handler(next)
}
