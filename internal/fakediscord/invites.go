package fakediscord

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	defaultMaxAge = 24 * time.Hour
	longestMaxAge = 7 * 24 * time.Hour
	mostUses      = 100
)

// Invite is a code that makes whoever uses it a member.
type Invite struct {
	Code, GuildID, ChannelID, InviterID string
	MaxAge                              time.Duration // 0: for ever
	MaxUses, Uses                       int           // a MaxUses of 0 is any number
	Temporary                           bool
	Unique                              bool     // a new code was asked for
	Roles                               []string // which it gives, also to those who are members already
	CreatedAt, ExpiresAt                time.Time
}

// Invites are the guild's invites that can still be used, oldest first.
func (s *Server) Invites(guild string) []Invite {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Invite
	for _, in := range s.invitesOf(guild) {
		out = append(out, *in)
	}
	return out
}

func (s *Server) invitesOf(guild string) []*Invite {
	var out []*Invite
	for _, in := range s.invites {
		if in.GuildID == guild && !in.expired(s.now()) {
			out = append(out, in)
		}
	}
	slices.SortFunc(out, func(a, b *Invite) int {
		if older := a.CreatedAt.Compare(b.CreatedAt); older != 0 {
			return older
		}
		return strings.Compare(a.Code, b.Code)
	})
	return out
}

func (i *Invite) expired(now time.Time) bool {
	return !i.ExpiresAt.IsZero() && !now.Before(i.ExpiresAt)
}

// invite finds one that can be used; what has expired is as if it never was.
func (s *Server) invite(code string) (*Invite, error) {
	if in := s.invites[code]; in != nil && !in.expired(s.now()) {
		return in, nil
	}
	delete(s.invites, code)
	return nil, unknownInvite
}

// wish is the body of a request for an invite.
type wish struct {
	MaxAge    *int     `json:"max_age"`
	MaxUses   int      `json:"max_uses"`
	Temporary bool     `json:"temporary"`
	Unique    bool     `json:"unique"`
	Roles     []string `json:"role_ids"`
}

func (w *wish) check() error {
	if age := w.age(); age < 0 || age > longestMaxAge {
		return outOfRange("max_age", int(longestMaxAge.Seconds()))
	}
	if w.MaxUses < 0 || w.MaxUses > mostUses {
		return outOfRange("max_uses", mostUses)
	}
	return nil
}

func outOfRange(field string, most int) error {
	return invalidForm(field, "NUMBER_TYPE_MAX", fmt.Sprintf("int value should be less than or equal to %d.", most))
}

func (w *wish) age() time.Duration {
	if w.MaxAge == nil {
		return defaultMaxAge
	}
	return time.Duration(*w.MaxAge) * time.Second
}

func (s *Server) postInvite(c *call) (answer, error) {
	ch := s.channels[c.param["channel_id"]]
	if ch == nil {
		return answer{}, unknownChannel
	}
	if err := s.enter(c, ch.guild.ID, CreateInstantInvite); err != nil {
		return answer{}, err
	}
	w, err := c.wish(ch)
	if err != nil {
		return answer{}, err
	}
	in := s.similar(ch, c.bot.ID, w)
	if in == nil && len(s.invitesOf(c.guild.ID)) >= c.guild.MaxInvites {
		return answer{}, tooManyInvites
	}
	if in == nil {
		in = s.newInvite(ch, c.bot.ID, w)
		s.log(c.guild, AuditEntry{Action: InviteCreate, ActorID: c.bot.ID, TargetID: in.Code, Reason: c.reason})
	}
	return ok(s.inviteBody(in, true)), nil
}

// wish is what a call wants of a channel's invite, if that can be.
func (c *call) wish(ch *channel) (wish, error) {
	if ch.kind == categoryChannel {
		return wish{}, wrongChannelType
	}
	var w wish
	if err := c.decode(&w); err != nil {
		return wish{}, err
	}
	if err := w.check(); err != nil {
		return wish{}, err
	}
	return w, c.guild.mayAddWith(c.bot, "", w.Roles)
}

// similar is the invite that serves again unless a unique one is asked for.
func (s *Server) similar(ch *channel, inviter string, w wish) *Invite {
	if w.Unique {
		return nil
	}
	for _, in := range s.invitesOf(ch.guild.ID) {
		same := in.ChannelID == ch.id && in.InviterID == inviter && in.MaxAge == w.age() && in.MaxUses == w.MaxUses
		if same && in.Temporary == w.Temporary && slices.Equal(in.Roles, w.Roles) {
			return in
		}
	}
	return nil
}

func (s *Server) newInvite(ch *channel, inviter string, w wish) *Invite {
	in := &Invite{
		Code: rand.Text()[:10], GuildID: ch.guild.ID, ChannelID: ch.id, InviterID: inviter,
		MaxAge: w.age(), MaxUses: w.MaxUses, Temporary: w.Temporary, Unique: w.Unique, Roles: w.Roles,
		CreatedAt: s.now(),
	}
	if in.MaxAge > 0 {
		in.ExpiresAt = in.CreatedAt.Add(in.MaxAge)
	}
	s.invites[in.Code] = in
	return in
}

func (s *Server) getInvite(c *call) (answer, error) {
	in, err := s.invite(c.param["code"])
	if err != nil {
		return answer{}, err
	}
	body := s.inviteBody(in, false)
	if yes(c.query.Get("with_counts")) {
		members := len(s.guilds[in.GuildID].members)
		body["approximate_member_count"] = members
		body["approximate_presence_count"] = members
	}
	return ok(body), nil
}

func (s *Server) deleteInvite(c *call) (answer, error) {
	in, err := s.invite(c.param["code"])
	if err != nil {
		return answer{}, err
	}
	if s.enter(c, in.GuildID, ManageChannels) != nil && s.enter(c, in.GuildID, ManageGuild) != nil {
		return answer{}, unknownInvite // Discord does not own up to it: discord-api-docs#1903
	}
	delete(s.invites, in.Code)
	s.log(c.guild, AuditEntry{Action: InviteDelete, ActorID: c.bot.ID, TargetID: in.Code, Reason: c.reason})
	return ok(s.inviteBody(in, false)), nil
}

// getGuildInvites tells those less who may only see the audit log.
func (s *Server) getGuildInvites(c *call) (answer, error) {
	metadata := c.guild.allows(c.bot, ManageGuild) == nil
	if err := c.guild.allows(c.bot, ViewAuditLog); err != nil && !metadata {
		return answer{}, err
	}
	list := []object{}
	for _, in := range s.invitesOf(c.guild.ID) {
		list = append(list, s.inviteBody(in, metadata))
	}
	return ok(list), nil
}
