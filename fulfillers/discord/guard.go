package discord

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"
)

const (
	longestAnswer = 8 << 20 // bytes; a large guild's channels take about 1 MB
	longestWait   = 24 * time.Hour

	// cloudflareRest is the least the bot keeps still after a 429 that is not
	// from Discord but from its front: discord-api-docs#5385.
	cloudflareRest = 10 * time.Minute
)

// guard is the transport below discordgo. It sends what the library addresses to
// discord.com to where the config says, and takes from the answers what the
// library stumbles over: it sleeps on X-RateLimit headers whatever the context
// says, fails on those it cannot read, and takes 429 to be JSON.
type guard struct {
	base *url.URL // with a final slash
	next http.RoundTripper
}

// trip is what the guard saw of one call.
type trip struct {
	status int // 0: no answer
	limits limits
	wait   time.Duration // of a 429
	whole  bool          // the 429 is for the bot, or the address, as a whole
	shared bool          // the 429 is not held against us
}

// limits are X-RateLimit headers; without a Limit there were none.
type limits struct {
	Limit, Remaining int
	ResetAfter       time.Duration
}

type tripKey struct{}

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	out, err := g.readdress(req)
	if err != nil {
		return nil, err
	}
	res, err := g.next.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	t, ok := req.Context().Value(tripKey{}).(*trip)
	if !ok {
		t = new(trip)
	}
	return tame(res, t)
}

// readdress refuses paths that an empty or dotted segment would lead elsewhere:
// without a user's id, DELETE of a member is another route.
func (g *guard) readdress(req *http.Request) (*http.Request, error) {
	path, ok := strings.CutPrefix(req.URL.Path, "/api/v"+discordgo.APIVersion+"/")
	odd := func(s string) bool { return s == "" || s == "." || s == ".." }
	if !ok || slices.ContainsFunc(strings.Split(path, "/"), odd) {
		if req.Body != nil {
			_ = req.Body.Close() // in memory
		}
		return nil, errors.New("refused to call an address with an empty part")
	}
	out := req.Clone(req.Context())
	out.URL = g.base.JoinPath(path)
	out.URL.RawQuery = req.URL.RawQuery
	out.Host = ""
	return out, nil
}

func tame(res *http.Response, t *trip) (*http.Response, error) {
	t.status = res.StatusCode
	t.limits = limitsIn(res.Header)
	scope := res.Header.Get("X-RateLimit-Scope")
	t.shared, t.whole = scope == "shared", scope == "global" || res.Header.Get("X-RateLimit-Global") != ""
	for name := range res.Header {
		if strings.HasPrefix(name, "X-Ratelimit-") {
			delete(res.Header, name)
		}
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(res.Body, longestAnswer), res.Body}
	switch res.StatusCode {
	case http.StatusTooManyRequests:
		return tooMany(res, t)
	case http.StatusBadGateway: // the library would forget the status
		res.StatusCode, res.Status = http.StatusServiceUnavailable, "503 Service Unavailable"
	}
	return res, nil
}

// tooMany notes how long to wait and makes the body what the library expects.
func tooMany(res *http.Response, t *trip) (*http.Response, error) {
	text, err := io.ReadAll(res.Body)
	_ = res.Body.Close() // it is read
	if err != nil {
		return nil, err
	}
	var said struct {
		RetryAfter float64 `json:"retry_after"`
		Global     bool    `json:"global"`
	}
	header, _ := strconv.ParseFloat(res.Header.Get("Retry-After"), 64)
	if json.Unmarshal(text, &said) == nil {
		t.whole = t.whole || said.Global
		t.wait = max(seconds(said.RetryAfter), time.Millisecond)
		if said.RetryAfter <= 0 {
			t.wait = max(seconds(header), time.Second)
		}
	} else {
		t.whole, t.wait = true, max(seconds(header), cloudflareRest)
	}
	text, err = json.Marshal(map[string]any{"message": "too many requests", "retry_after": t.wait.Seconds(), "global": t.whole})
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return res, err
}

// seconds rounds up to the millisecond.
func seconds(s float64) time.Duration {
	if !(s > 0) {
		return 0
	}
	return time.Duration(math.Ceil(min(s, longestWait.Seconds())*1000)) * time.Millisecond
}

// limitsIn reads the headers; what is not all there, or not numbers, is none.
func limitsIn(h http.Header) limits {
	limit, err1 := strconv.Atoi(h.Get("X-RateLimit-Limit"))
	remaining, err2 := strconv.Atoi(h.Get("X-RateLimit-Remaining"))
	after, err3 := strconv.ParseFloat(h.Get("X-RateLimit-Reset-After"), 64)
	if err1 != nil || err2 != nil || err3 != nil || limit < 1 || remaining < 0 {
		return limits{}
	}
	return limits{limit, remaining, seconds(after)}
}

// watched is a context whose call the guard tells t of.
func watched(ctx context.Context, t *trip) context.Context {
	return context.WithValue(ctx, tripKey{}, t)
}
