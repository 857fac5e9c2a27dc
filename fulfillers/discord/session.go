package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/internal/secret"

	"github.com/bwmarrin/discordgo"
)

const (
	// callTimeout is for one call, beside the caller's own deadline.
	callTimeout = 20 * time.Second

	// waitHere is how long a call waits for its turn while its worker holds on
	// to the task.
	waitHere = 2 * time.Second

	// longestReason is Discord's limit for a line in its audit log.
	longestReason = 512
)

// session makes REST calls as the bot. It never opens a gateway.
type session struct {
	api     *discordgo.Session
	token   secret.Text
	limiter *limiter
	rests   *rests
	invalid *budget
	now     func() time.Time
}

// errand is on whose behalf calls are made.
type errand struct {
	guild, user string // either may be empty
	reason      string // for the guild's audit log
	urgent      bool   // a revoke
	anyway      bool   // somebody wants to know now: it does not ask whether the guild rests
}

// call is one request.
type call struct {
	method, url string
	limit       string // names what shares a rate limit within the guild
	body        any    // sent as JSON; nil: none
	into        any    // read from JSON; nil: the answer is not read
	status      int    // of an answer that says it is done; 0: any that is no refusal
}

// newSession keeps discordgo from retrying, and calls it only with the context.
func newSession(c Config, lanes fulfillers.Lanes) *session {
	base, err := url.Parse(strings.TrimSuffix(c.APIURL, "/") + "/")
	if err != nil {
		base = &url.URL{} // check has refused it
	}
	api, err := discordgo.New("Bot " + c.BotToken.Reveal())
	if err != nil {
		panic(err) // it has no error to return
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = max(c.Concurrency, 2)
	api.Client = &http.Client{
		Transport:     &guard{base, transport},
		Timeout:       callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	api.UserAgent = "DiscordBot (https://github.com/bwmarrin/discordgo, v" + discordgo.VERSION + ") fulfilld"
	api.ShouldRetryOnRateLimit, api.MaxRestRetries, api.StateEnabled = false, 0, false
	return &session{
		api: api, token: c.BotToken, limiter: newLimiter(), invalid: newBudget(), now: time.Now,
		rests: &rests{lanes: lanes, seen: map[string]rest{}},
	}
}

// call waits for its turn and makes one request. Its error is classified, or a
// *refusal for the caller to make sense of.
func (s *session) call(ctx context.Context, e errand, c call) error {
	p := &place{key: bucketOf(c.limit, e), user: e.user, urgent: e.urgent}
	if err := s.enter(ctx, e, p); err != nil {
		return err
	}
	t := new(trip)
	answer, err := s.send(watched(ctx, t), e, c)
	s.limiter.back(p, t, s.now())
	if err := s.judge(ctx, e, t, err); err != nil {
		return err
	}
	if c.status != 0 && t.status != c.status {
		return malformed("its status is not that of a change")
	}
	if c.into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, c.into); err != nil {
		return malformed("it is not the JSON that it should be")
	}
	return nil
}

func bucketOf(limit string, e errand) string { return limit + " " + e.guild }

// send never panics and never waits for the library's own limiter, which would
// not look at ctx: each call brings a bucket of its own.
func (s *session) send(ctx context.Context, e errand, c call) (answer []byte, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the library panicked")
		}
	}()
	var body []byte
	if c.body != nil {
		if body, err = json.Marshal(c.body); err != nil {
			return nil, err
		}
	}
	options := []discordgo.RequestOption{discordgo.WithContext(ctx)}
	if e.reason != "" && c.method != http.MethodGet {
		options = append(options, discordgo.WithAuditLogReason(e.reason))
	}
	var own discordgo.Bucket
	own.Lock()
	return s.api.RequestWithLockedBucket(c.method, c.url, "application/json", body, &own, 0, options...)
}

// expect keeps a place for a call of the errand that will follow.
func (s *session) expect(e errand, limit string) {
	s.limiter.expect(place{key: bucketOf(limit, e), user: e.user}, s.now())
}

// enter waits for a place, a little while, and else says when to come back.
func (s *session) enter(ctx context.Context, e errand, p *place) error {
	for began := time.Now(); ; {
		if ctx.Err() != nil {
			return cancelled(ctx)
		}
		t, err := s.turn(ctx, e, p)
		switch {
		case err != nil:
			return fulfillers.Transient("lane", fmt.Errorf("discord: ask which lanes rest: %w", err))
		case t.wait == 0:
			return nil
		case !t.whole && time.Since(began)+t.wait > waitHere:
			return fulfillers.Throttled(t.lane, s.limiter.putOff(p, t.wait), errors.New(t.why))
		}
		pause(ctx, t.wait, t.changed)
	}
}

// turn is when a call's turn comes, and what it waits for. A wait of 0 has taken
// the place.
type turn struct {
	wait    time.Duration
	lane    string
	why     string
	whole   bool // for the whole bot, which is never long
	changed <-chan struct{}
}

func (s *session) turn(ctx context.Context, e errand, p *place) (turn, error) {
	t, err := s.resting(ctx, e)
	if err != nil || t.wait > 0 {
		return t, err
	}
	t.lane, t.why = laneOf(e.guild), full
	t.wait, t.whole, t.changed = s.limiter.take(p, s.now())
	return t, nil
}

// resting returns the lane of the two that rests longest. What the whole bot must
// not do, nobody may ask for: it is Discord's word, or a ban of the address.
func (s *session) resting(ctx context.Context, e errand) (longest turn, err error) {
	lanes := []string{botLane}
	if !e.anyway && e.guild != "" {
		lanes = append(lanes, laneOf(e.guild))
	}
	for _, lane := range lanes {
		wait, why, err := s.rests.ask(ctx, lane, e.urgent, s.now())
		if err != nil {
			return turn{}, err
		}
		if wait > longest.wait {
			longest = turn{wait: wait, lane: lane, why: why}
		}
	}
	return longest, nil
}

// pause waits for d, for changed or for ctx, whichever is first.
func pause(ctx context.Context, d time.Duration, changed <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-changed:
	case <-ctx.Done():
	}
}

// reason is a line in the audit log, as its header takes it.
func reason(grantID string) string {
	text := url.PathEscape("fulfilld grant " + grantID)
	if len(text) <= longestReason {
		return text
	}
	cut := strings.LastIndexByte(text[:longestReason], '%')
	if cut < longestReason-2 {
		cut = longestReason
	}
	return text[:cut]
}
