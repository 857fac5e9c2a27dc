package fakediscord

import (
	"math"
	"slices"
)

// Permissions, as bits. The names and values are those of
// https://discord.com/developers/docs/topics/permissions.
const (
	CreateInstantInvite int64 = 1 << 0
	KickMembers         int64 = 1 << 1
	BanMembers          int64 = 1 << 2
	Administrator       int64 = 1 << 3
	ManageChannels      int64 = 1 << 4
	ManageGuild         int64 = 1 << 5
	ViewAuditLog        int64 = 1 << 7
	ViewChannel         int64 = 1 << 10
	ManageNicknames     int64 = 1 << 27
	ManageRoles         int64 = 1 << 28
)

// moderation needs two-factor authentication in guilds that require it.
const moderation = KickMembers | BanMembers | Administrator | ManageChannels | ManageGuild | ManageRoles

// enter takes a call into a guild, if its bot is in there and may do what it came
// for.
func (s *Server) enter(c *call, id string, need int64) error {
	g := s.guilds[id]
	if g == nil {
		return unknownGuild
	}
	if g.members[c.bot.ID] == nil {
		return missingAccess
	}
	c.guild = g
	return g.allows(c.bot, need)
}

func (g *guild) allows(b *Bot, need int64) error {
	if g.permissions(b.ID)&need != need {
		return missingPermissions
	}
	if g.Requires2FA && b.OwnerLacks2FA && need&moderation != 0 {
		return twoFactorRequired
	}
	return nil
}

// permissions are those of @everyone and of each role; an owner and an
// administrator have all.
func (g *guild) permissions(user string) int64 {
	sum := g.roles[g.ID].Permissions
	if m := g.members[user]; m != nil {
		for _, id := range m.Roles {
			sum |= g.roles[id].Permissions
		}
	}
	if user == g.OwnerID || sum&Administrator != 0 {
		return math.MaxInt64
	}
	return sum
}

// rank is the position of a member's highest role; an owner is above all.
func (g *guild) rank(user string) int {
	if user == g.OwnerID {
		return math.MaxInt
	}
	top := 0
	if m := g.members[user]; m != nil {
		for _, id := range m.Roles {
			top = max(top, g.roles[id].Position)
		}
	}
	return top
}

// outranks: whoever is not strictly above may not kick, ban or rename.
func (g *guild) outranks(user, other string) bool { return g.rank(user) > g.rank(other) }

// mayGive checks that a bot may give and take a role. @everyone is nobody's to
// give, and Discord says it does not know it.
func (g *guild) mayGive(bot, role string) error {
	r := g.roles[role]
	switch {
	case r == nil || r.ID == g.ID:
		return unknownRole
	case r.Managed || r.Position >= g.rank(bot):
		return missingPermissions
	}
	return nil
}

// mayReplace checks every role that would come or go.
func (g *guild) mayReplace(b *Bot, old, new []string) error {
	if err := g.allows(b, ManageRoles); err != nil {
		return err
	}
	for _, role := range slices.Concat(old, new) {
		if slices.Contains(old, role) && slices.Contains(new, role) {
			continue
		}
		if err := g.mayGive(b.ID, role); err != nil {
			return err
		}
	}
	return nil
}
