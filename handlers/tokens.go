package handlers

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
)

// Token lets a program into the API, on both listeners, for as much as its
// scopes name.
type Token struct {
	Name   string
	Text   string
	Scopes []string // the platform's names, such as license_keys:write
}

// principal is who asks.
type principal struct {
	name   string
	all    bool // the operator, who may everything
	scopes []string
}

func (p principal) may(scopes []string) bool {
	return p.all || slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(p.scopes, s) })
}

// keyring knows tokens by their hashes, so that looking one up takes equally long
// whatever is asked for.
type keyring []keyed

type keyed struct {
	sum [sha256.Size]byte
	principal
}

func keyringOf(tokens []Token, operator string) keyring {
	var k keyring
	for _, t := range tokens {
		k = append(k, keyed{sha256.Sum256([]byte(t.Text)), principal{name: t.Name, scopes: t.Scopes}})
	}
	if operator != "" {
		k = append(k, keyed{sha256.Sum256([]byte(operator)), principal{name: "operator", all: true}})
	}
	return k
}

func (k keyring) who(token string) (p principal, known bool) {
	sum := sha256.Sum256([]byte(token))
	for i := range k {
		if subtle.ConstantTimeCompare(sum[:], k[i].sum[:]) == 1 {
			p, known = k[i].principal, true
		}
	}
	return p, known
}

type principalKey struct{}

func withPrincipal(r *http.Request, p principal) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), principalKey{}, p))
}

func principalOf(r *http.Request) (principal, bool) {
	p, ok := r.Context().Value(principalKey{}).(principal)
	return p, ok
}

// route is one way into the API.
type route struct {
	scopes []string // of which a token needs one; none: the operator's alone
	do     endpoint
}

// open answers anybody.
func (a answers) open(e endpoint) http.Handler { return http.MaxBytesHandler(a.by(e), maxBody) }

// allowed answers who may.
func (a answers) allowed(to route) http.Handler {
	next := a.open(to.do)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, known := principalOf(r)
		switch {
		case !known:
			a.fail(w, r, stranger(r))
		case !p.may(to.scopes):
			a.fail(w, r, lacking(to.scopes))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// operator lets only the operator through.
func (a answers) operator(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p, _ := principalOf(r); !p.all {
			a.fail(w, r, lacking(nil))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// stranger is the platform's answer to a request without a token, and to one with a
// token that nobody knows.
func stranger(r *http.Request) *apiError {
	if bearer(r) == "" {
		return &apiError{status: http.StatusUnauthorized, Name: "Unauthorized", Detail: "Unauthorized", header: map[string]string{challenge: "Bearer"}}
	}
	return oauthError(http.StatusUnauthorized, "invalid_token", "The access token provided is expired, revoked, malformed, or invalid for other reasons.", "")
}

// lacking is the platform's answer to a token without the scope.
func lacking(scopes []string) *apiError {
	return oauthError(http.StatusForbidden, "insufficient_scope", "The request requires higher privileges than provided by the access token.", `, scope="`+strings.Join(scopes, " ")+`"`)
}

const challenge = "WWW-Authenticate"

// oauthError is one of RFC 6750, section 3.1.
func oauthError(status int, name, description, more string) *apiError {
	return &apiError{status: status, Name: name, Description: description,
		header: map[string]string{challenge: `Bearer error="` + name + `", error_description="` + description + `"` + more}}
}

// bearer is the token that a program sends.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
