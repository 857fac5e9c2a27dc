package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"fulfilld/internal/secret"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func pool(s *httptest.Server) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(s.Certificate())
	return p
}

// talking is a client and a server that answers as told.
func talking(t *testing.T, answer http.HandlerFunc) (*Client, *httptest.Server) {
	t.Helper()
	s := httptest.NewTLSServer(answer)
	t.Cleanup(s.Close)
	c := New(Options{AllowPrivate: loopback, Roots: pool(s)})
	t.Cleanup(c.Close)
	return c, s
}

func TestPostSendsTheBodyAndReadsTheAnswer(t *testing.T) {
	t.Parallel()
	c, s := talking(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, body, r.Header.Get("X-One"), r.URL)
	})
	a, err := c.Post(t.Context(), s.URL+"/p?q=1", http.Header{"X-One": {"1"}}, []byte("hello"))
	if err != nil || a.Status != http.StatusTeapot || a.Wait != 7*time.Second || string(a.Body) != "POST hello 1 /p?q=1" {
		t.Errorf("%+v %s, %v", a, a.Body, err)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("followed") }))
	t.Cleanup(inner.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		c, s := talking(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inner.URL, status) })
		if _, err := c.Post(t.Context(), s.URL, nil, nil); err == nil || !strings.Contains(err.Error(), "write the address that it leads to") {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestNoMoreThanTheFirstPartOfAnAnswerIsRead(t *testing.T) {
	t.Parallel()
	c, s := talking(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 100 {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	if a, err := c.Post(t.Context(), s.URL, nil, nil); err != nil || len(a.Body) != maxAnswer {
		t.Errorf("%d bytes, %v", len(a.Body), err)
	}
}

func TestHalfAnAnswerIsAnErrorUnlessItIsAYes(t *testing.T) {
	t.Parallel()
	for status, good := range map[int]bool{200: true, 202: true, 400: false, 500: false} {
		c, s := talking(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "half")
		})
		a, err := c.Post(t.Context(), s.URL, nil, nil)
		if good && (err != nil || string(a.Body) != "half") || !good && !errors.Is(err, io.ErrUnexpectedEOF) || a.Status != status {
			t.Errorf("%d: %+v, %v", status, a, err)
		}
	}
}

func TestAYesWhoseBodyDoesNotEndIsAYes(t *testing.T) {
	t.Parallel()
	c, s := talking(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "so far")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	c.http.Timeout = 2 * time.Second
	if a, err := c.Post(t.Context(), s.URL, nil, nil); err != nil || a.Status != 200 || string(a.Body) != "so far" {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAnAnswerThatDoesNotComeEndsWithTheContext(t *testing.T) {
	t.Parallel()
	c, s := talking(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Post(ctx, s.URL+"/secret-path", nil, nil); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "secret-path") {
		t.Error(err)
	}
	if c.http.Timeout != 15*time.Second {
		t.Errorf("by itself it waits %s", c.http.Timeout)
	}
}

func TestAnAnswerTellsWhetherAnythingWasSent(t *testing.T) {
	t.Parallel()
	c, s := talking(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	nobody := httptest.NewServer(http.NotFoundHandler())
	nobody.Close()
	for address, sent := range map[string]bool{s.URL: true, nobody.URL: false, "https://192.168.1.1/": false, "https://nowhere.invalid/": false} {
		if a, err := c.Post(t.Context(), address, nil, nil); err == nil || a.Sent != sent {
			t.Errorf("%s: %+v, %v", address, a, err)
		}
	}
}

func TestOldTLSAndUnknownCertificatesAreRefused(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.TLS = &tls.Config{MaxVersion: tls.VersionTLS11} //nolint:gosec // what is to be refused
	s.StartTLS()
	t.Cleanup(s.Close)
	c := New(Options{AllowPrivate: loopback, Roots: pool(s)})
	t.Cleanup(c.Close)
	if _, err := c.Post(t.Context(), s.URL, nil, nil); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1: %v", err)
	}
	good := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(good.Close)
	stranger := New(Options{AllowPrivate: loopback})
	t.Cleanup(stranger.Close)
	var unknown *tls.CertificateVerificationError
	if a, err := stranger.Post(t.Context(), good.URL, nil, nil); !errors.As(err, &unknown) || a.Sent {
		t.Errorf("unknown certificate: %+v, %v", a, err)
	}
}

// TestNoProxyIsAsked sets the environment, so it runs by itself.
func TestNoProxyIsAsked(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") }))
	t.Cleanup(proxy.Close)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	t.Setenv("HTTP_PROXY", proxy.URL)
	c := New(Options{})
	if c.tls.Proxy != nil || c.plain.Proxy != nil {
		t.Error("a transport has a proxy")
	}
	if _, err := c.Post(t.Context(), "https://127.0.0.1:9/", nil, nil); !errors.Is(err, ErrAddress) {
		t.Error(err)
	}
}

func TestCheckSaysHowToWriteAURL(t *testing.T) {
	t.Parallel()
	public, private := New(Options{}), New(Options{AllowPrivate: loopback})
	for address, wrong := range map[string]string{
		"https://example.com/hook":           "",
		"https://example.com:8443/?k=v":      "",
		"http://example.com":                 "must be https",
		"ftp://example.com":                  "whole URL",
		"example.com/hook":                   "whole URL",
		"https://":                           "whole URL",
		"https://user:hunter2@example.com/x": "neither a user",
		"https://example.com/#x":             "fragment",
		"https://exa mple.com/":              "whole URL",
	} {
		_, err := public.Check(address)
		if (err == nil) != (wrong == "") || err != nil && (!strings.Contains(err.Error(), wrong) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := private.Check("http://127.0.0.1:80/"); err != nil {
		t.Error(err)
	}
}

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "30": 30 * time.Second, "-5": 0, "soon": 0, "99999999999999": 0,
		"Mon, 04 May 2026 03:03:01 GMT": time.Minute, "Mon, 04 May 2026 03:00:00 GMT": 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestEachSecretSignsAndTheReferenceVerifies(t *testing.T) {
	t.Parallel()
	older, newer := secret.New("whsec_"+strings.Repeat("QUJD", 8)), secret.New("whsec_"+strings.Repeat("REVG", 10)+"AA==")
	body := []byte(`{"type":"benefit.granted"}`)
	h, err := Sign([]secret.Text{newer, older}, "msg_1", time.Now(), body)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(strings.Fields(h.Get("webhook-signature"))); n != 2 {
		t.Errorf("%d signatures", n)
	}
	for _, s := range []secret.Text{older, newer} {
		w, err := standardwebhooks.NewWebhook(s.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Verify(body, h); err != nil {
			t.Error(err)
		}
		if w.Verify(append(body, ' '), h) == nil {
			t.Error("another body verifies")
		}
	}
	if _, err := Sign(nil, "msg_1", time.Now(), body); err == nil {
		t.Error("signed with nothing")
	}
}

func TestASecretThatIsNoneIsRefusedWithoutBeingShown(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "hunter2", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64 at all, not at all", "polar_whs_" + strings.Repeat("A", 43), "whsec_" + strings.Repeat("QUJD", 30)} {
		if err := CheckSecret(secret.New(text)); err == nil || text != "" && text != "whsec_" && strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := CheckSecret(secret.New("whsec_" + strings.Repeat("QUJD", 8))); err != nil {
		t.Error(err)
	}
}
