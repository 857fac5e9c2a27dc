package fakediscord

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// object is a JSON object. The fields are those Discord documents, in its API
// version 9 and 10, also where they say nothing here.
type object = map[string]any

func (u *User) body() object {
	b := object{
		"id": u.ID, "username": u.Username, "discriminator": "0", "global_name": nilIfEmpty(u.GlobalName),
		"avatar": nil, "banner": nil, "accent_color": nil, "public_flags": 0, "flags": 0,
		"avatar_decoration_data": nil, "collectibles": nil, "primary_guild": nil,
	}
	if u.Bot {
		b["bot"] = true
	}
	return b
}

func (s *Server) applicationBody(b *Bot) object {
	return object{
		"id": b.ApplicationID, "name": b.Username, "icon": nil, "description": "",
		"bot":        s.users[b.ID].body(),
		"owner":      s.users[b.OwnerID].body(),
		"bot_public": false, "bot_require_code_grant": false, "verify_key": "0000000000000000000000000000000000000000000000000000000000000000",
		"team": nil, "flags": 0, "approximate_guild_count": s.guildsOf(b.ID), "approximate_user_install_count": 0,
		"approximate_user_authorization_count": 0, "redirect_uris": []string{}, "interactions_endpoint_url": nil,
		"role_connections_verification_url": nil, "event_webhooks_url": nil, "event_webhooks_status": 1,
		"event_webhooks_types": []string{}, "tags": []string{}, "integration_types_config": object{"0": object{}},
	}
}

func (r *Role) body() object {
	b := object{
		"id": r.ID, "name": r.Name, "permissions": strconv.FormatInt(r.Permissions, 10), "position": r.Position,
		"color": 0, "colors": object{"primary_color": 0, "secondary_color": nil, "tertiary_color": nil},
		"hoist": false, "managed": r.Managed, "mentionable": false, "icon": nil, "unicode_emoji": nil, "flags": 0,
	}
	if r.BotID != "" {
		b["tags"] = object{"bot_id": r.BotID}
	}
	return b
}

func (g *guild) roleBodies() []object {
	list := []object{}
	for _, r := range byID(g.roles) {
		list = append(list, r.body())
	}
	return list
}

func (g *guild) body() object {
	b := g.partialBody()
	more := object{
		"discovery_splash": nil, "owner_id": g.OwnerID, "application_id": nil, "region": nil,
		"afk_channel_id": nil, "afk_timeout": 300, "widget_enabled": false, "widget_channel_id": nil,
		"default_message_notifications": 1, "explicit_content_filter": 0, "mfa_level": flag(g.Requires2FA),
		"roles": g.roleBodies(), "emojis": []object{}, "stickers": []object{},
		"system_channel_id": g.ChannelID, "system_channel_flags": 0, "rules_channel_id": nil, "public_updates_channel_id": nil,
		"safety_alerts_channel_id": nil, "max_presences": nil, "max_members": g.MaxMembers,
		"max_video_channel_users": 25, "max_stage_video_channel_users": 50, "premium_tier": 0, "preferred_locale": "en-US",
		"premium_progress_bar_enabled": false, "incidents_data": nil,
	}
	maps.Copy(b, more)
	return b
}

// partialBody is what an invite tells of its guild.
func (g *guild) partialBody() object {
	features := []string{}
	if g.Screening {
		features = append(features, "COMMUNITY", "MEMBER_VERIFICATION_GATE_ENABLED")
	}
	return object{
		"id": g.ID, "name": g.Name, "icon": nil, "splash": nil, "banner": nil, "description": nil, "features": features,
		"verification_level": 0, "vanity_url_code": nil, "nsfw_level": 0, "premium_subscription_count": 0,
	}
}

func (g *guild) channelBodies() []object {
	list := []object{}
	for _, c := range g.channels {
		list = append(list, object{
			"id": c.id, "type": c.kind, "guild_id": g.ID, "name": c.name, "position": 0, "parent_id": nilIfEmpty(c.parent),
			"permission_overwrites": []object{}, "topic": nil, "nsfw": false, "last_message_id": nil, "rate_limit_per_user": 0, "flags": 0,
		})
	}
	return list
}

func (s *Server) memberBody(m *Member) object {
	return object{
		"user": s.users[m.UserID].body(), "nick": nilIfEmpty(m.Nick), "avatar": nil, "banner": nil,
		"roles": append([]string{}, m.Roles...), "joined_at": timestamp(m.JoinedAt), "premium_since": nil,
		"deaf": false, "mute": false, "flags": 0, "pending": m.Pending, "communication_disabled_until": nil,
		"avatar_decoration_data": nil,
	}
}

func (s *Server) inviteBody(i *Invite, metadata bool) object {
	g, c := s.guilds[i.GuildID], s.channels[i.ChannelID]
	b := object{
		"type": 0, "code": i.Code, "guild": g.partialBody(), "guild_id": g.ID, "flags": 0,
		"channel": object{"id": c.id, "name": c.name, "type": c.kind},
		"inviter": s.users[i.InviterID].body(), "expires_at": timestamp(i.ExpiresAt),
	}
	if len(i.Roles) > 0 {
		b["roles"] = g.partialRoles(i.Roles)
	}
	if metadata {
		b["uses"], b["max_uses"], b["max_age"] = i.Uses, i.MaxUses, int(i.MaxAge.Seconds())
		b["temporary"], b["created_at"] = i.Temporary, timestamp(i.CreatedAt)
	}
	return b
}

func (g *guild) partialRoles(ids []string) []object {
	list := []object{}
	for _, r := range byID(g.roles) {
		if slices.Contains(ids, r.ID) {
			whole := r.body()
			list = append(list, object{
				"id": r.ID, "name": r.Name, "position": r.Position, "color": whole["color"], "colors": whole["colors"],
				"icon": nil, "unicode_emoji": nil,
			})
		}
	}
	return list
}

// timestamp is a time as Discord writes it; null if there is none.
func timestamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000-07:00")
}

func nilIfEmpty(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// yes reads a boolean of a query as Discord does.
func yes(s string) bool { return s == "true" || s == "True" || s == "1" }
