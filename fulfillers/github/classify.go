package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"fulfilld/fulfillers"

	"github.com/google/go-github/v62/github"
)

const (
	bareWait    = time.Minute // GitHub's advice for a limit that names no wait; then twice as long
	longestBare = time.Hour
	longestWait = 24 * time.Hour
)

// refused is an answer that is no success, in GitHub's own words.
type refused struct {
	request string
	status  int
	header  http.Header
	message string // empty: the answer is none of GitHub's
	details string // of a 422
	docs    string
}

// Error implements error.
func (r *refused) Error() string {
	text := fmt.Sprintf("github: %s: %d %s", r.request, r.status, http.StatusText(r.status))
	for _, more := range []string{r.message, r.details} {
		if more != "" && !strings.HasSuffix(text, more) {
			text += ": " + more
		}
	}
	return text
}

// says looks for signs in GitHub's words.
func (r *refused) says(signs ...string) bool {
	words := strings.ToLower(r.message + " " + r.details)
	for _, sign := range signs {
		if strings.Contains(words, sign) {
			return true
		}
	}
	return false
}

// refusalOf reads the body itself: v62 loses the words of some errors.
func refusalOf(request string, resp *http.Response, secret string) *refused {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, longest))
	var body struct {
		Message string          `json:"message"`
		Errors  json.RawMessage `json:"errors"`
		Docs    string          `json:"documentation_url"`
	}
	_ = json.Unmarshal(text, &body) // a page for people says nothing
	return &refused{
		request: request, status: resp.StatusCode, header: resp.Header, docs: body.Docs,
		message: scrub(body.Message, secret), details: scrub(details(body.Errors), secret),
	}
}

// details flattens what is a list of objects, of texts, or one text.
func details(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var list []json.RawMessage
	_ = json.Unmarshal(raw, &list) // anything else says nothing
	var all []string
	for _, one := range list {
		var e github.Error
		if json.Unmarshal(one, &e) == nil {
			all = append(all, strings.TrimSpace(e.Code+" "+e.Message))
		}
	}
	return strings.Join(all, ", ")
}

var address = regexp.MustCompile(`[^\s"'<>(),;]+@[^\s"'<>(),;]+`)

// scrub keeps an answer that quotes us from spilling what it quotes.
func scrub(text, secret string) string {
	if secret != "" {
		text = strings.ReplaceAll(text, secret, "[redacted]")
	}
	text = address.ReplaceAllString(text, "[redacted]")
	return strings.ToValidUTF8(text[:min(len(text), 300)], "")
}

// classify makes an error of a request that was not answered, or not well.
func (g *Fulfiller) classify(ctx context.Context, by *caller, request string, resp *github.Response, secret string, err error) error {
	switch {
	case resp != nil && resp.Response != nil:
		return g.judge(ctx, by, refusalOf(request, resp.Response, secret))
	case ctx.Err() != nil:
		return fulfillers.Transient("cancelled", fmt.Errorf("github: %s: %w", request, ctx.Err()))
	case errors.Is(err, errRedirect):
		return fulfillers.Permanent("redirected", fmt.Sprintf("github: %s: %v; correct api_url, or what stands between", request, errRedirect))
	}
	return fulfillers.Transient("network", fmt.Errorf("github: %s: %w", request, err))
}

// judge is the one table of what GitHub's refusals mean for any request. What it
// does not know is transient, and carries the refusal for who knows more.
func (g *Fulfiller) judge(ctx context.Context, by *caller, r *refused) error {
	wait, limited := g.limited(by, r)
	forbidden := r.status == http.StatusForbidden
	switch {
	case limited:
		return g.rest(ctx, by, fulfillers.CodeThrottled, wait, "GitHub asks to wait", r)
	case r.status == http.StatusUnauthorized:
		return g.rest(ctx, by, "credentials", operatorWait, "GitHub does not accept the credentials; check app_id, private_key, token, and this machine's clock", r)
	case forbidden && r.says("suspended"):
		return g.rest(ctx, by, "suspended", operatorWait, "the App's installation, or the token's owner, is suspended; unsuspend it", r)
	case forbidden && r.says("not accessible by", "must have admin rights", "must have push access"):
		by.renew()
		return hold("missing_rights", r.lane(by), operatorWait, "the App needs the permission Administration: write on the repository, or the token's owner must administer it", r)
	case forbidden && r.says("archived"):
		return permanent("archived", "the repository is archived and takes no changes; unarchive it", r)
	case forbidden && r.says("outside collaborator", "saml", "single sign-on", "ip allow list", "policy"):
		return hold("policy", r.lane(by), operatorWait, "a policy of the organisation forbids it; change the policy, or allow it for the App", r)
	case r.status == http.StatusUnavailableForLegalReasons:
		return permanent("blocked", "the repository is blocked for legal reasons", r)
	}
	return fulfillers.Transient("refused", r)
}

func permanent(code, text string, cause error) error {
	return &fulfillers.Error{Class: fulfillers.ClassPermanent, Code: code, Text: "github: " + text, Cause: cause}
}

// lane is what a refusal is about that says nothing of other repositories.
func (r *refused) lane(by *caller) string {
	_, path, _ := strings.Cut(r.request, " ")
	if parts := strings.Split(path, "/"); parts[0] == "repos" && len(parts) > 2 {
		return inviteLane(strings.ToLower(parts[1] + "/" + parts[2]))
	}
	return by.lane
}

// rest pauses a lane, for all daemons, for what concerns everything in it. If
// that fails the next call learns it from GitHub again. A token that was made
// for other rights is of no more use.
func (g *Fulfiller) rest(ctx context.Context, by *caller, code string, wait time.Duration, why string, r *refused) error {
	if code != fulfillers.CodeThrottled {
		by.renew()
	}
	_ = g.lanes.Pause(ctx, by.lane, wait, why)
	return &fulfillers.Error{Class: fulfillers.ClassThrottled, Code: code, Text: "github: " + why, Lane: by.lane, Wait: wait, Cause: r}
}

// limited says whether a limit was reached, and how long to wait, in the order
// of GitHub's advice: https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
func (g *Fulfiller) limited(by *caller, r *refused) (time.Duration, bool) {
	if r.status != http.StatusForbidden && r.status != http.StatusTooManyRequests {
		return 0, false
	}
	if after, err := strconv.Atoi(r.header.Get("Retry-After")); err == nil && after >= 0 {
		return within(time.Duration(after) * time.Second), true
	}
	reset, err := strconv.ParseInt(r.header.Get("X-RateLimit-Reset"), 10, 64)
	if r.header.Get("X-RateLimit-Remaining") == "0" && err == nil {
		if wait := time.Unix(reset, 0).Sub(g.now()); wait > 0 {
			return within(wait), true
		}
	}
	secondary := r.says("secondary rate", "abuse", "rate limit exceeded") ||
		strings.HasSuffix(r.docs, "secondary-rate-limits") || strings.HasSuffix(r.docs, "abuse-rate-limits")
	if !secondary && r.status != http.StatusTooManyRequests {
		return 0, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	wait := min(bareWait<<min(g.bare[by.lane], 10), longestBare)
	g.bare[by.lane]++
	return wait, true
}

// within adds a little for clocks that differ.
func within(wait time.Duration) time.Duration {
	return min(wait+2*time.Second, longestWait)
}

func (g *Fulfiller) recovered(by *caller) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.bare, by.lane)
}

// refusalIn finds GitHub's words in an error that nobody has judged yet.
func refusalIn(err error) *refused {
	var r *refused
	if e := fulfillers.Classify(err); e != nil && e.Code == "refused" && errors.As(err, &r) {
		return r
	}
	return nil
}

// saysNo reports that GitHub answered, and did nothing.
func saysNo(err error) bool {
	var r *refused
	return errors.As(err, &r) && r.status >= 400 && r.status < 500
}

// isMissing says that GitHub itself, and not some server on the way, answered
// that there is no such thing.
func isMissing(err error) bool {
	r := refusalIn(err)
	return r != nil && r.status == http.StatusNotFound && r.message != ""
}
