package discord

import (
	"slices"
	"strings"
	"time"

	"fulfilld/grant"
)

// Properties that Revoke and the next Grant read back. The rest is for people.
const (
	inviteURL     = "invite_url"
	inviteExpires = "invite_expires_at"
	inviteGuild   = "invite_guild_id"
	kickFrom      = "kick_guild_ids" // the guilds that kick_member was asked for in
)

// about begins the properties of a grant. Guilds that the fulfilment still has
// to let go of keep their word on kicking.
func about(p params, f grant.Fulfilment) grant.Properties {
	out := grant.Properties{"guild_id": p.Guild, "role_ids": p.Roles, "user_id": f.Account.ID}
	var kick []string
	if p.Kick {
		kick = append(kick, p.Guild)
	}
	for _, h := range f.Holds {
		if guild, _ := partsOf(h.Name); guild != p.Guild && kicks(f.Properties, guild) && !slices.Contains(kick, guild) {
			kick = append(kick, guild)
		}
	}
	if len(kick) > 0 {
		out[kickFrom] = kick
	}
	return out
}

// kicks reports whether kick_member was asked for in the guild.
func kicks(p grant.Properties, guild string) bool {
	switch list := p[kickFrom].(type) {
	case []string:
		return slices.Contains(list, guild)
	case []any: // as it comes back from JSON
		return slices.Contains(list, any(guild))
	}
	return false
}

// invitation is one that we made, for one person.
type invitation struct {
	guild, url string
	expires    time.Time
}

func (i invitation) code() string { return i.url[strings.LastIndexByte(i.url, '/')+1:] }

func (i invitation) remember(p grant.Properties) {
	p[inviteGuild], p[inviteURL], p[inviteExpires] = i.guild, i.url, i.expires.UTC().Format(time.RFC3339)
}

// invitationIn returns the invitation that the properties remember; false if
// there is none.
func invitationIn(p grant.Properties) (invitation, bool) {
	guild, _ := p[inviteGuild].(string)
	address, _ := p[inviteURL].(string)
	when, _ := p[inviteExpires].(string)
	expires, err := time.Parse(time.RFC3339, when)
	i := invitation{guild, address, expires}
	return i, err == nil && isID(guild) && inviteCode.MatchString(i.code())
}
