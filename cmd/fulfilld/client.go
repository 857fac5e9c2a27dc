package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
)

// exitError is an error with the exit code that scripts can tell it by; any
// other error is 1.
type exitError struct {
	Code int
	Err  error
}

// What an exit code above 1 means.
const (
	exitNotFound    = 3
	exitUnreachable = 4 // the daemon does not answer, or does not let us in
)

// Error implements error.
func (e *exitError) Error() string { return e.Err.Error() }

// Unwrap returns the error itself.
func (e *exitError) Unwrap() error { return e.Err }

const (
	answerTime = 30 * time.Second
	maxAnswer  = 64 << 20 // a page of a hundred grants is some hundred kilobytes
)

// adminClient speaks to a daemon's admin API.
type adminClient struct {
	base  *url.URL
	token string
	http  *http.Client
}

// newAdminClient makes a client of the daemon at address, such as
// http://127.0.0.1:9090. The token does not leave the machine unencrypted, save
// when insecure, nor by way of a proxy that the environment names.
func newAdminClient(address, token string, insecure bool) (*adminClient, error) {
	base, err := url.Parse(strings.TrimRight(address, "/"))
	if err != nil || base.Host == "" || base.User != nil || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, errors.New("--admin-url: write a URL such as http://127.0.0.1:9090")
	}
	if base.Scheme == "http" && !loopback(base.Hostname()) && !insecure {
		return nil, fmt.Errorf("%s would get the admin token unencrypted; use an SSH tunnel (ssh -L 9090:127.0.0.1:9090 HOST, then --admin-url http://127.0.0.1:9090) or the https:// address of a proxy with TLS, or pass --insecure-http", base)
	}
	direct := http.DefaultTransport.(*http.Transport).Clone()
	direct.Proxy = nil
	return &adminClient{base, token, &http.Client{
		Transport:     direct,
		Timeout:       answerTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the token is for this address
	}}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// request is what is asked of a daemon. The path is escaped already.
type request struct {
	method, path string
	query        url.Values
	body         any // sent as JSON; nil for none
}

// compose writes a request out.
func (c *adminClient) compose(ctx context.Context, r request) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.base.String()+r.path+question(r.query), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// do sends a request and returns the answer's body.
func (c *adminClient) do(ctx context.Context, r request) ([]byte, error) {
	req, err := c.compose(ctx, r)
	if err != nil {
		return nil, err
	}
	_, body, err := c.send(c.http, req)
	return body, err
}

// send sends what was composed, and returns the answer's header and body.
func (c *adminClient) send(by *http.Client, req *http.Request) (http.Header, []byte, error) {
	resp, err := by.Do(req)
	if err != nil {
		return nil, nil, c.unreachable(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, nil, c.unreachable(err)
	}
	if resp.StatusCode/100 != 2 {
		return nil, nil, c.refusal(resp, body)
	}
	return resp.Header, body, nil
}

func question(q url.Values) string {
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

func (c *adminClient) unreachable(err error) error {
	return &exitError{exitUnreachable, fmt.Errorf("no answer from %s; is `fulfilld serve` running? %w", c.base, err)}
}

// refusal says what an answer other than 2xx means to the operator.
func (c *adminClient) refusal(resp *http.Response, body []byte) error {
	var e struct {
		Error  string
		Detail json.RawMessage
	}
	ours := json.Unmarshal(body, &e) == nil && e.Error != ""
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		return &exitError{exitUnreachable, fmt.Errorf("%s refuses the token; admin.token must be the daemon's, or the file it keeps its own in must be readable", c.base)}
	case resp.StatusCode == http.StatusForbidden:
		return &exitError{exitUnreachable, fmt.Errorf("%s: %s", c.base, plain(string(body)))}
	case resp.StatusCode == http.StatusNotFound && ours:
		return &exitError{exitNotFound, errors.New("not found")}
	case !ours:
		return &exitError{exitUnreachable, fmt.Errorf("%s is not a daemon's admin.listen: it answers %s", c.base, plain(resp.Status))}
	}
	return fmt.Errorf("%s: %s", plain(e.Error), explain(e.Detail))
}

// explain spells out an error's detail: a sentence, or what is wrong with each field.
func explain(detail json.RawMessage) string {
	var sentence string
	if json.Unmarshal(detail, &sentence) == nil {
		return plain(sentence)
	}
	var fields []struct {
		Loc   []string
		Msg   string
		Input any
	}
	_ = json.Unmarshal(detail, &fields) // else there is nothing to say
	var parts []string
	for _, f := range fields {
		parts = append(parts, fmt.Sprintf("%s %q: %s", strings.Join(f.Loc, " "), fmt.Sprint(f.Input), f.Msg))
	}
	return plain(strings.Join(parts, "; "))
}

// connector finds the daemon, from flags, environment and config.
type connector func(cmd *cobra.Command) (*adminClient, error)

// addAdminFlags gives a command and those below it what connects to a daemon.
func addAdminFlags(cmd *cobra.Command) {
	cmd.PersistentFlags().String("admin-url", "", "the daemon's admin address (default: FULFILLD_ADMIN_URL, else the config's admin.listen)")
	cmd.PersistentFlags().Bool("insecure-http", false, "send the admin token unencrypted to an http:// address on another machine")
	cmd.PersistentFlags().Bool("json", false, "print the answer as JSON")
}

// ask sends a request without a body and shows its answer.
func ask[T any](cmd *cobra.Command, connect connector, method, path string, q url.Values, show func(w io.Writer, v T) error) error {
	return exchange(cmd, connect, request{method: method, path: path, query: q}, show)
}

// exchange sends a request and shows its answer.
func exchange[T any](cmd *cobra.Command, connect connector, r request, show func(w io.Writer, v T) error) error {
	c, err := connect(cmd)
	if err != nil {
		return err
	}
	body, err := c.do(cmd.Context(), r)
	if err != nil {
		return err
	}
	return present(cmd, body, show)
}

// present shows an answer: as it came with --json, else by show.
func present[T any](cmd *cobra.Command, body []byte, show func(w io.Writer, v T) error) error {
	if raw, _ := cmd.Flags().GetBool("json"); raw {
		return showJSON(cmd.OutOrStdout(), body)
	}
	var v T
	if err := json.Unmarshal(body, &v); err != nil {
		return fmt.Errorf("the daemon's answer makes no sense; is it of another version? %w", err)
	}
	return show(cmd.OutOrStdout(), v)
}

// showJSON writes an answer as it came. For a terminal, what it would not show
// as text is spelled out, which changes nothing of what the JSON says.
func showJSON(w io.Writer, body []byte) error {
	if _, tty := terminal(w); tty {
		body = spelled(body)
	}
	_, err := w.Write(body)
	return err
}

// spelled writes as \uXXXX what is neither printable nor layout.
func spelled(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for _, r := range string(text) {
		if unicode.IsPrint(r) || r == '\n' || r == '\t' {
			out = utf8.AppendRune(out, r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			out = fmt.Appendf(out, `\u%04x`, unit)
		}
	}
	return out
}

// objectID checks an id that the platform or the daemon made.
func objectID(text string) (string, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return "", fmt.Errorf("%q is no id; it looks like 2017d130-6fbe-4bc3-8b4e-54d58be046b0", text)
	}
	return id.String(), nil
}

// paging is the flags of every list.
type paging struct{ page, limit int }

func (p *paging) add(cmd *cobra.Command) {
	cmd.Flags().IntVar(&p.page, "page", 1, "which page")
	cmd.Flags().IntVar(&p.limit, "limit", 20, "how many on a page, at most 100")
}

func (p *paging) query() url.Values {
	return url.Values{"page": {fmt.Sprint(p.page)}, "limit": {fmt.Sprint(p.limit)}}
}
