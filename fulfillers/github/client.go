package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"fulfilld/fulfillers"

	"github.com/google/go-github/v62/github"
)

const (
	callTime  = 20 * time.Second
	redirects = 5       // a renamed repository takes one
	longest   = 8 << 20 // no page of a hundred is near it
	page      = 100
)

var errRedirect = errors.New("a redirect to another host, or with another method, is not followed")

func newHTTPClient(t http.RoundTripper) *http.Client {
	return &http.Client{Transport: t, Timeout: callTime, CheckRedirect: sameRequest}
}

// sameRequest lets a renamed repository be found. Go would turn a write into a
// read on some redirects, and send the token along to any host.
func sameRequest(next *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) > redirects || next.Method != first.Method || next.URL.Host != first.URL.Host || next.URL.Scheme != first.URL.Scheme {
		return errRedirect
	}
	return nil
}

// guard is the last line of defence: whatever goes wrong above, no request
// leaves for a path that could mean another endpoint, and nothing is written but
// what this package writes.
type guard struct{ http.RoundTripper }

func newGuard(connections int) guard {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = max(connections, 2)
	return guard{t}
}

var writable = regexp.MustCompile(`/(collaborators/[A-Za-z0-9_-]+|invitations/[0-9]+|app/installations/[0-9]+/access_tokens)$`)

// RoundTrip implements http.RoundTripper.
func (t guard) RoundTrip(r *http.Request) (*http.Response, error) {
	path := r.URL.EscapedPath()
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if segment == "" || segment == "." || segment == ".." || strings.Contains(segment, "%") {
			return nil, fmt.Errorf("the path %q is refused", path)
		}
	}
	if r.Method != http.MethodGet && !writable.MatchString(path) {
		return nil, fmt.Errorf("%s %s is refused: nothing here writes that", r.Method, path)
	}
	return t.RoundTripper.RoundTrip(r)
}

// answer is a success. Its body has been read.
type answer struct {
	status int
	next   int // page; 0: that was the last
}

// call sends one request for a caller and reads the answer into out, which an
// empty or broken body does not satisfy. Its errors are classified. The client
// is a fresh one each time, because go-github v62 has one that was told to wait
// refuse everything, for any repository, for up to an hour.
func (g *Fulfiller) call(ctx context.Context, by *caller, method, path string, in, out any) (answer, error) {
	a, err := g.send(ctx, by, by.forget != nil, method, path, in, out)
	if errors.Is(err, errStale) {
		a, err = g.send(ctx, by, false, method, path, in, out)
	}
	return a, err
}

// errStale says that a kept token is good for nothing any more; the next is new.
var errStale = errors.New("github: the token is stale")

func (g *Fulfiller) send(ctx context.Context, by *caller, kept bool, method, path string, in, out any) (answer, error) {
	c, secret, err := g.client(ctx, by)
	if err != nil {
		return answer{}, err
	}
	request, err := c.NewRequest(method, path, in)
	if err != nil {
		return answer{}, fulfillers.Permanent("bad_request", fmt.Sprintf("github: %s %s cannot be sent: %v", method, path, err))
	}
	resp, err := c.BareDo(ctx, request)
	if kept && resp != nil && resp.StatusCode == http.StatusUnauthorized {
		by.forget()
		return answer{}, errStale
	}
	if err != nil {
		return answer{}, g.classify(ctx, by, method+" "+path, resp, secret, err)
	}
	defer func() { _ = resp.Body.Close() }()
	g.recovered(by)
	if out != nil && resp.StatusCode != http.StatusNoContent {
		if err := read(resp.Body, out); err != nil {
			return answer{}, fulfillers.Transient("malformed", fmt.Errorf("github: %s %s: the answer cannot be read: %w", method, path, err))
		}
	}
	return answer{resp.StatusCode, resp.NextPage}, nil
}

func (g *Fulfiller) client(ctx context.Context, by *caller) (c *github.Client, secret string, err error) {
	c = github.NewClient(by.http)
	if by.secret != nil {
		if secret, err = by.secret(ctx); err != nil {
			return nil, "", err
		}
		c = c.WithAuthToken(secret)
	}
	c.BaseURL, c.UserAgent = g.base, "fulfilld"
	return c, secret, nil
}

// read takes nothing less than a whole document.
func read(body io.Reader, out any) error {
	text, err := io.ReadAll(io.LimitReader(body, longest))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, out)
}

// pages reads every page of a list, until enough says that it has seen enough.
func pages[T any](ctx context.Context, g *Fulfiller, by *caller, path string, enough func([]T) bool) error {
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	for n := 1; n > 0; {
		var all []T
		a, err := g.call(ctx, by, http.MethodGet, fmt.Sprintf("%s%sper_page=%d&page=%d", path, sep, page, n), nil, &all)
		if err != nil {
			return err
		}
		if all == nil {
			return fulfillers.Transient("malformed", fmt.Errorf("github: GET %s: the answer is no list", path))
		}
		if enough(all) {
			return nil
		}
		n = a.next
	}
	return nil
}
