package discord

import (
	"context"
	"net/http"
	"slices"

	"github.com/bwmarrin/discordgo"
)

// The names of limits: giving and taking a role share one, and each other
// route has its own.
const (
	rolesLimit   = "member roles"
	membersLimit = "get member"
	kickLimit    = "kick"
)

// member reads one; who is none is a refusal, unknownMember or unknownUser.
func (s *session) member(ctx context.Context, e errand) (*discordgo.Member, error) {
	var m discordgo.Member
	err := s.call(ctx, e, call{
		method: http.MethodGet, url: discordgo.EndpointGuildMember(e.guild, e.user), limit: membersLimit, into: &m,
	})
	if err != nil {
		return nil, err
	}
	if m.User == nil || m.User.ID != e.user {
		return nil, malformed("it is about another member")
	}
	return &m, nil
}

// role gives a role, by PUT, or takes it, by DELETE. Either may be repeated. That
// it is given, Discord's answer says; that it is gone, is read back.
func (s *session) role(ctx context.Context, e errand, method, role string) error {
	c := call{method: method, url: discordgo.EndpointGuildMemberRole(e.guild, e.user, role), limit: rolesLimit}
	if method == http.MethodPut {
		c.status = http.StatusNoContent
	}
	return s.call(ctx, e, c)
}

func (s *session) kick(ctx context.Context, e errand) error {
	return s.call(ctx, e, call{
		method: http.MethodDelete, url: discordgo.EndpointGuildMember(e.guild, e.user), limit: kickLimit,
	})
}

// user reads an account; "@me" is the bot's.
func (s *session) user(ctx context.Context, e errand, id string) (*discordgo.User, error) {
	var u discordgo.User
	err := s.call(ctx, e, call{method: http.MethodGet, url: discordgo.EndpointUser(id), limit: "get user", into: &u})
	if err == nil && !isID(u.ID) {
		err = malformed("it is about no user")
	}
	return &u, err
}

func (s *session) guild(ctx context.Context, e errand) (*discordgo.Guild, error) {
	var g discordgo.Guild
	err := s.call(ctx, e, call{method: http.MethodGet, url: discordgo.EndpointGuild(e.guild), limit: "get guild", into: &g})
	if err == nil && g.ID != e.guild {
		err = malformed("it is about another guild")
	}
	return &g, err
}

// without are the roles of a list that a member does not have.
func without(m *discordgo.Member, roles []string) []string {
	return slices.DeleteFunc(slices.Clone(roles), func(r string) bool { return slices.Contains(m.Roles, r) })
}
