package discord

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/internal/secret"

	"github.com/bwmarrin/discordgo"
)

// Discord's codes:
// https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
const (
	unknownChannel     = 10003
	unknownGuild       = 10004
	unknownInvite      = 10006
	unknownMember      = 10007
	unknownRole        = 10011
	unknownUser        = 10013
	underAge           = 20024
	tooManyGuilds      = 30001
	tooManyInvites     = 30016
	guildFull          = 30019
	accountUnverified  = 40002
	banned             = 40007
	missingAccess      = 50001
	missingPermissions = 50013
	invalidForm        = 50035
	twoFactorRequired  = 60003
	joinsLimited       = 340015
)

// tokenRest is how long the bot keeps still when its token is refused: each
// refusal counts towards a ban of the address.
const tokenRest = 5 * time.Minute

// full is why a call is put off for its limit alone.
const full = "too many calls: Discord takes no more for now"

// refusal is an answer that says no, for a reason that depends on what was
// asked for.
type refusal struct {
	status, code int
	message      string
}

// Error implements error.
func (r *refusal) Error() string {
	return fmt.Sprintf("%d %s (code %d)", r.status, r.message, r.code)
}

// codeOf is Discord's code; 0 for any other error.
func codeOf(err error) int {
	var r *refusal
	if errors.As(err, &r) {
		return r.code
	}
	return 0
}

// isGone reports that the account is no member, so that nothing is left to take.
func isGone(err error) bool {
	switch codeOf(err) {
	case unknownMember, unknownUser, banned:
		return true
	}
	return false
}

// answers are what codes mean to a grant, wherever they turn up.
var answers = map[int]fulfillers.Error{
	unknownUser:       {Class: fulfillers.ClassActionRequired, Code: "account_gone", Text: "this Discord account does not exist any more; link another one"},
	banned:            {Class: fulfillers.ClassActionRequired, Code: "banned", Text: "this Discord account is banned from the server; ask the seller"},
	tooManyGuilds:     {Class: fulfillers.ClassActionRequired, Code: "too_many_guilds", Text: "this Discord account is in as many servers as Discord allows; leave one of them"},
	guildFull:         {Class: fulfillers.ClassActionRequired, Code: "guild_full", Text: "the Discord server is full; ask the seller"},
	underAge:          {Class: fulfillers.ClassActionRequired, Code: "under_age", Text: "Discord does not let accounts of this age into the server"},
	accountUnverified: {Class: fulfillers.ClassActionRequired, Code: "unverified", Text: "Discord wants this account to be verified first; open Discord and follow its steps"},
	joinsLimited:      {Class: fulfillers.ClassActionRequired, Code: "joins_limited", Text: "Discord does not let this account join servers for now; try again later"},
	unknownRole:       {Class: fulfillers.ClassPermanent, Code: "unknown_role", Text: "a role of the benefit does not exist in the guild; correct its role_ids"},
	invalidForm:       {Class: fulfillers.ClassPermanent, Code: "bad_request", Text: "Discord does not accept the request; check the ids of the benefit"},
}

// judge makes an error of what a call came back with: one that is the same
// whatever was asked for, or a *refusal.
func (s *session) judge(ctx context.Context, e errand, t *trip, err error) error {
	if s.invalid.spent(t, s.now()) {
		why := fmt.Sprintf("Discord refused more than %d calls in 10 minutes and bans an address at 10000; see the alarms for what it refuses", s.invalid.limit)
		return s.rest(ctx, botLane, invalidRest, why)
	}
	var refused *discordgo.RESTError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return cancelled(ctx)
	case t.status == http.StatusTooManyRequests && t.whole:
		return s.rest(ctx, botLane, t.wait, "Discord wants the whole bot to wait")
	case t.status == http.StatusTooManyRequests:
		return fulfillers.Throttled(laneOf(e.guild), t.wait, errors.New(full))
	case t.status == http.StatusUnauthorized:
		return s.rest(ctx, botLane, tokenRest, "Discord refuses the bot token; put the current one into fulfillers.discord.bot_token and restart")
	case errors.As(err, &refused):
		return s.refusal(refused)
	}
	return fulfillers.Transient("network", fmt.Errorf("discord: %w", bare(err)))
}

// rest pauses a lane and says so.
func (s *session) rest(ctx context.Context, lane string, d time.Duration, why string) error {
	err := s.rests.pause(ctx, lane, d, why, s.now())
	if err != nil {
		err = fmt.Errorf("%s: and %s could not be paused: %w", why, lane, err)
	} else {
		err = errors.New(why)
	}
	return fulfillers.Throttled(lane, d, err)
}

// refusal keeps Discord's own words, which are short and in one line.
func (s *session) refusal(err *discordgo.RESTError) *refusal {
	r := &refusal{status: err.Response.StatusCode, message: http.StatusText(err.Response.StatusCode)}
	if m := err.Message; m != nil {
		r.code = m.Code
		if text := secret.Scrub(m.Message, s.token); text != "" {
			r.message = fmt.Sprintf("%.200q", text)
		}
	}
	return r
}

// need is what a fulfilment needs of a guild.
type need struct {
	roles        []string
	kick, invite bool
}

// settle makes a classified error of any. A guild that does not let the bot do
// its work rests, with a text that names the mend: neither a grant nor a revoke
// is done before it is there. A kick that is refused holds up nobody else.
func (d *Fulfiller) settle(ctx context.Context, e errand, n need, doing string, err error) error {
	var r *refusal
	if !errors.As(err, &r) {
		return err
	}
	if known, ok := answers[r.code]; ok {
		known.Cause = fmt.Errorf("discord: %s: %w", doing, r)
		return &known
	}
	if e.guild != "" && (r.status == http.StatusForbidden || r.code == unknownGuild) {
		why, whole := d.diagnose(ctx, e, n, r)
		if !whole {
			return fulfillers.Throttled(laneOf(e.guild), kickWait, errors.New(why))
		}
		return d.session.rest(ctx, laneOf(e.guild), guildRest, why)
	}
	return fulfillers.Transient("refused", fmt.Errorf("discord: %s: %w", doing, r))
}

func cancelled(ctx context.Context) error {
	return fulfillers.Transient("cancelled", fmt.Errorf("discord: %w", context.Cause(ctx)))
}

func malformed(what string) error {
	return fulfillers.Transient("malformed", errors.New("discord: an answer cannot be read: "+what))
}

// bare drops the address, which says nothing here.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
