// Package outbound posts to addresses that others have chosen, and refuses to
// be led into the operator's own network: what a name resolves to is judged when
// the connection is made.
//
// It knows neither what is posted nor what an answer means.
package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	timeout   = 15 * time.Second // for all of it: name, connection, answer
	maxAnswer = 64 << 10         // of an answer, more is not read
	kept      = 4                // idle connections to a host
)

// Options adjusts a client. The zero value reaches the public internet by https.
type Options struct {
	// AllowPrivate are networks that may be reached although they are not public,
	// and the only ones that may be reached by plain http.
	AllowPrivate []netip.Prefix
	Resolver     *net.Resolver  // nil: the system's
	Roots        *x509.CertPool // nil: the system's
}

// Client posts. It is safe for concurrent use.
type Client struct {
	http        http.Client
	tls, plain  *http.Transport
	allowsPlain bool
}

// New makes a client.
func New(o Options) *Client {
	c := &Client{allowsPlain: len(o.AllowPrivate) > 0}
	c.tls, c.plain = transport(o, guard(o.AllowPrivate)), transport(o, only(o.AllowPrivate))
	c.http = http.Client{
		Transport:     byScheme{c},
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// transport asks no proxy: that would resolve the name by itself.
func transport(o Options, control control) *http.Transport {
	dialer := &net.Dialer{Timeout: timeout, ControlContext: control, Resolver: o.Resolver}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots},
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    kept,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: maxAnswer,
	}
}

// byScheme picks the transport, since plain http is for fewer addresses.
type byScheme struct{ *Client }

// RoundTrip implements http.RoundTripper.
func (b byScheme) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "http" {
		return b.plain.RoundTrip(r)
	}
	return b.tls.RoundTrip(r)
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Answer is what a server said.
type Answer struct {
	Status int
	Wait   time.Duration // what Retry-After asks for; 0: nothing
	Body   []byte        // its first 64 KiB, or what came of them
	Sent   bool          // there was a connection: some of what was posted may have come through
}

// Good reports whether it is a yes.
func (a Answer) Good() bool { return a.Status >= 200 && a.Status < 300 }

// Post sends a body and reads the answer, whatever its status. Its errors name
// the host and no other part of the address, which is often a secret. A redirect
// is an error, as is an answer that breaks off; but a 2xx has been said by then.
func (c *Client) Post(ctx context.Context, address string, header http.Header, body []byte) (Answer, error) {
	u, err := c.Check(address)
	if err != nil {
		return Answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return Answer{}, errors.New("outbound: the URL cannot be asked")
	}
	maps.Copy(req.Header, header)
	req.Header.Set("User-Agent", "fulfilld")
	a, err := c.exchange(req)
	if err != nil {
		return a, fmt.Errorf("outbound: post to %s: %w", u.Host, bare(err))
	}
	return a, nil
}

func (c *Client) exchange(req *http.Request) (a Answer, err error) {
	var sent atomic.Bool
	trace := httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }}
	resp, err := c.http.Do(req.WithContext(httptrace.WithClientTrace(req.Context(), &trace)))
	a.Sent = sent.Load()
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	a.Status, a.Wait = resp.StatusCode, retryAfter(resp.Header.Get("Retry-After"), time.Now())
	if a.Status >= 300 && a.Status < 400 {
		return a, fmt.Errorf("it answered %d, and redirects are not followed; write the address that it leads to", a.Status)
	}
	if a.Body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil && !a.Good() {
		return a, fmt.Errorf("its answer %d broke off: %w", a.Status, err)
	}
	return a, nil
}

// Check takes a URL apart that may be posted to: https, or plain http where
// private networks are allowed. Its error says how to write it.
func (c *Client) Check(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("must be a whole URL, such as https://example.com/hook")
	case u.User != nil || u.Fragment != "":
		return nil, errors.New("must have neither a user nor a fragment; write it like https://example.com/hook")
	case u.Scheme == "http" && !c.allowsPlain:
		return nil, errors.New("must be https; plain http is for the networks of allow_private")
	}
	return u, nil
}

// bare drops the address, which says too much.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// retryAfter reads seconds or a date: RFC 9110, section 10.2.3.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return max(0, at.Sub(now))
}
