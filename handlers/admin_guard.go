package handlers

import (
	"net"
	"net/http"
	"strings"
)

// guard lets in who has the token, from a page that is ours or from no page at
// all. Health is for anybody: probes come by address and have no token.
func guard(o AdminOptions, a answers, next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", o.Health)
	mux.Handle("GET /readyz", o.Health)
	mux.Handle("/", onlyHosts(o.Hosts, o.Listen, onlyToken(keyringOf(o.Tokens, o.Token), a, http.NewCrossOriginProtection().Handler(next))))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		mux.ServeHTTP(w, r)
	})
}

// onlyHosts refuses requests addressed to another name, so that no page can
// reach the listener by letting its own name point here (DNS rebinding).
func onlyHosts(hosts []string, listen string, next http.Handler) http.Handler {
	ours := map[string]bool{"localhost": true}
	for _, h := range append([]string{listen}, hosts...) {
		if name := hostname(h); name != "" {
			ours[name] = true
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := hostname(r.Host)
		ip := net.ParseIP(name)
		if !ours[name] && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "This host name is not served here. Add it to admin.hosts.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostname is the name in host or host:port, in one spelling; empty for the
// address that means every interface, which nobody can be addressed to.
func hostname(hostport string) string {
	name, _, err := net.SplitHostPort(hostport)
	if err != nil {
		name = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if ip := net.ParseIP(name); ip != nil {
		if ip.IsUnspecified() {
			return ""
		}
		return ip.String()
	}
	return name
}

// onlyToken asks for a token: as a bearer token, or, where a browser asks, as
// the password of basic authentication.
func onlyToken(known keyring, a answers, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p, ok := known.who(presented(r)); ok {
			next.ServeHTTP(w, withPrincipal(r, p))
			return
		}
		if browsable(r) {
			w.Header().Add(challenge, `Basic realm="fulfilld", charset="UTF-8"`)
		}
		a.fail(w, r, stranger(r))
	})
}

func presented(r *http.Request) string {
	if token := bearer(r); token != "" {
		return token
	}
	if _, password, ok := r.BasicAuth(); ok && browsable(r) {
		return password
	}
	return ""
}

// browsable reports whether a person may look at this in a browser, which
// keeps sending the password by itself: what reads, and the dashboard, whose
// pages post to themselves.
func browsable(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead ||
		r.URL.Path == "/queues" || strings.HasPrefix(r.URL.Path, "/queues/")
}
