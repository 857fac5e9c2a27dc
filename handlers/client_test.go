package handlers

import (
	"fmt"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"fulfilld/grant"
)

// porch is a desk's public listener on a clock that is moved by hand, behind a
// proxy at 10.0.0.1.
type porch struct {
	*desk
	at        time.Time
	unproxied []string
}

func newPorch(t *testing.T) *porch {
	d, _, _ := counter(t)
	g := &porch{desk: d, at: day(1)}
	d.Handler = Public(PublicOptions{Ledger: d.ledger, Webhook: named("webhook"), Health: named("health"), Clients: ClientLimits{
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fd00::/8")},
		Unproxied:      func(a netip.Addr) { g.unproxied = append(g.unproxied, a.String()) },
		Now:            func() time.Time { return g.at },
	}})
	return g
}

// from asks about a key by way of the proxy.
func (g *porch) from(forwarded, key string) *httptest.ResponseRecorder {
	g.t.Helper()
	body := strings.Replace(aKey, "ACME-1C285B2D-E304DA", key, 1) + `}`
	r := httptest.NewRequestWithContext(g.t.Context(), "POST", "/v1/customer-portal/license-keys/validate", strings.NewReader(body))
	r.RemoteAddr = "10.0.0.1:4711"
	r.Header.Set("X-Forwarded-For", forwarded)
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w
}

const shopsKey = "ACME-1C285B2D-E304DA"

func TestAClientIsLimitedForEachKey(t *testing.T) {
	t.Parallel()
	g := newPorch(t)
	for range 3 {
		if w := g.from("198.51.100.7", shopsKey); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	w := g.from("198.51.100.7", shopsKey)
	if w.Code != 429 || w.Header().Get("Retry-After") != "60" || w.Header().Get(licenseCode) != "RATE_LIMITED" || !strings.HasPrefix(w.Body.String(), `{"error":"TooManyRequests","detail":"`) {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := g.from("198.51.100.7", "another"); w.Code != 404 {
		t.Errorf("another key: %d", w.Code)
	}
	if w := g.from("198.51.100.8", shopsKey); w.Code != 200 {
		t.Errorf("another client: %d", w.Code)
	}
	g.at = g.at.Add(59500 * time.Millisecond)
	if w := g.from("198.51.100.7", shopsKey); w.Code != 429 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("before the end: %d %v", w.Code, w.Header())
	}
	g.at = g.at.Add(time.Second)
	if w := g.from("198.51.100.7", shopsKey); w.Code != 200 {
		t.Errorf("after it: %d", w.Code)
	}
}

func TestWhatNamesNoKeyIsAGuess(t *testing.T) {
	t.Parallel()
	g := newPorch(t)
	empty := func() int {
		r := httptest.NewRequestWithContext(g.t.Context(), "POST", "/v1/customer-portal/license-keys/validate", strings.NewReader(`{"key":"any"}`))
		r.RemoteAddr = "198.51.100.7:4711"
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		return w.Code
	}
	for n := range 50 {
		if code := empty(); code != 422 {
			t.Fatalf("number %d: %d", n, code)
		}
	}
	if code := empty(); code != 422 && code != 429 {
		t.Errorf("%d", code)
	}
	if code := empty(); code != 429 {
		t.Errorf("after fifty: %d, want 429", code)
	}
}

func TestFiftyClientsBehindOneProxyAreNotBlocked(t *testing.T) {
	t.Parallel()
	g := newPorch(t)
	for n := range 50 {
		for range 3 {
			if w := g.from(fmt.Sprintf("203.0.113.%d", n), shopsKey); w.Code != 200 {
				t.Fatalf("client %d: %d", n, w.Code)
			}
		}
	}
}

func TestWhoGuessesKeysIsShutOut(t *testing.T) {
	t.Parallel()
	g := newPorch(t)
	for n := range 51 {
		if w := g.from("198.51.100.7", fmt.Sprint("guess-", n)); w.Code != 404 {
			t.Fatalf("guess %d: %d", n, w.Code)
		}
	}
	if w := g.from("198.51.100.7", shopsKey); w.Code != 429 {
		t.Errorf("after 51 guesses: %d", w.Code)
	}
	if w := g.from("198.51.100.8", shopsKey); w.Code != 200 {
		t.Errorf("a neighbour: %d", w.Code)
	}
}

func TestTokensAreNotLimited(t *testing.T) {
	t.Parallel()
	d, _, _ := counter(t)
	for range 10 {
		if w := d.ask("POST /v1/license-keys/validate\n\n" + aKey + `}`); w.Code != 200 {
			t.Fatalf("%d", w.Code)
		}
	}
}

func TestOnlyTrustedProxiesSayWhoAsks(t *testing.T) {
	t.Parallel()
	g := newPorch(t)
	c := newClients(ClientLimits{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fd00::/8")},
		Unproxied: func(a netip.Addr) { g.unproxied = append(g.unproxied, a.String()) }})
	for _, tt := range []struct{ name, peer, forwarded, want string }{
		{"NoProxy", "198.51.100.7:1", "", "198.51.100.7"},
		{"ForgedByAClient", "198.51.100.7:1", "203.0.113.9", "198.51.100.7"},
		{"Proxied", "10.0.0.1:1", "203.0.113.9", "203.0.113.9"},
		{"ForgedThroughAProxy", "10.0.0.1:1", "1.1.1.1, 203.0.113.9", "203.0.113.9"},
		{"TwoProxies", "10.0.0.1:1", "1.1.1.1, 203.0.113.9,10.0.0.2", "203.0.113.9"},
		{"OnlyProxies", "10.0.0.1:1", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
		{"Nonsense", "10.0.0.1:1", "203.0.113.9, unknown", "10.0.0.1"},
		{"WithAPort", "10.0.0.1:1", "203.0.113.9:4711", "203.0.113.9"},
		{"IPv6ByItsNetwork", "10.0.0.1:1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
		{"IPv6WithAPort", "[fd00::1]:1", "[2001:db8:1:2::9]:80", "2001:db8:1:2::"},
		{"IPv4InIPv6", "[::ffff:10.0.0.1]:1", "::ffff:203.0.113.9", "203.0.113.9"},
		{"SilentProxy", "10.0.0.1:1", "", "10.0.0.1"},
		{"UntrustedNeighbour", "127.0.0.1:1", "203.0.113.9", "127.0.0.1"},
		{"UntrustedNeighbourAgain", "127.0.0.1:1", "203.0.113.9", "127.0.0.1"},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.RemoteAddr = tt.peer
		if tt.forwarded != "" {
			for _, part := range strings.SplitAfterN(tt.forwarded, ",", 2) { // proxies may write several headers
				r.Header.Add("X-Forwarded-For", strings.TrimSuffix(part, ","))
			}
		}
		if got := c.address(r); got.String() != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	if len(g.unproxied) != 1 || g.unproxied[0] != "127.0.0.1" {
		t.Errorf("told of %v", g.unproxied)
	}
}

func TestObjectsThatAreEqualHaveOneSpelling(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{}`:                                "",
		`{"c":{}}`:                          "",
		`{"c":{"b":1,"a":"<é>"}}`:           `{"a":"<é>","b":1}`,
		`{"c":{"a":1.0,"b":1e0,"c":10e-1}}`: `{"a":1,"b":1,"c":1}`,
		`{"c":{"a":-0,"b":-0.0,"c":true}}`:  `{"a":0,"b":0,"c":true}`,
		`{"c":{"a":1e21,"b":1.50}}`:         `{"a":1e+21,"b":1.5}`,
		`{"c":{"a":9007199254740993}}`:      `{"a":9007199254740993}`,
		`{"c":{"a":1,"a":2}}`:               `{"a":2}`,
		`{"c":[]}`:                          "!dict_type",
		`{"c":{"a":null}}`:                  "!value_error",
		`{"c":{"a":{}}}`:                    "!value_error",
		`{"c":{"a":""}}`:                    "!value_error",
		`{"c":{"":1}}`:                      "!value_error",
		`{"c":{"a":1e999}}`:                 "!value_error",
		`{"c":{"a":1` + strings.Repeat("0", 400) + `}}`: "!value_error",
		`{"c":{"` + long(41) + `":1}}`:                  "!value_error",
		`{"c":{"` + long(40) + `":1}}`:                  `{"` + long(40) + `":1}`,
		`{"c":{"a":"` + long(501) + `"}}`:               "!value_error",
		`{"c":{"a":"\u0000"}}`:                          "!value_error",
		`{"c":{` + many(51) + `}}`:                      "!too_long",
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		f, err := formOf(r)
		if err != nil {
			t.Fatal(body, err)
		}
		got := f.pairs("c")
		if len(f.wrong) > 0 {
			got = "!" + f.wrong[0].Type
		}
		if got != want {
			t.Errorf("%.80s: %q, want %q", body, got, want)
		}
	}
}

func long(n int) string { return strings.Repeat("é", n) }

func many(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`"k%d":1`, i))
	}
	return strings.Join(all, ",")
}

func TestARefusalThatARouteDoesNotKnowIsAFault(t *testing.T) {
	t.Parallel()
	if err := lookups.tell(&grant.KeyRefusal{Code: grant.KeyExpired}); publicError(err).status != 500 {
		t.Error(err)
	}
}
