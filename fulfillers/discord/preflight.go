package discord

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"

	"github.com/bwmarrin/discordgo"
)

// preflight finds what keeps the bot from giving and taking the roles that a
// fulfilment needs, and apart from that what keeps it from a kick or an invitation
// alone, or names no role.
func (d *Fulfiller) preflight(ctx context.Context, e errand, n need) (found, minor []string, err error) {
	me, err := d.session.user(ctx, e, "@me")
	if err != nil {
		return nil, nil, err
	}
	g, err := d.session.guild(ctx, e)
	if isOutside(err) {
		return []string{fmt.Sprintf("the bot %q is not in guild %s: add it there, with Manage Roles and Create Invite (discord.com/developers, Installation)", me.Username, e.guild)}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	bot, err := d.session.member(ctx, errand{guild: e.guild, user: me.ID, urgent: e.urgent, anyway: true})
	if err != nil {
		return nil, nil, err
	}
	view := newView(g, me, bot)
	found, minor = view.roles(n.roles)
	found = append(view.permissions(n), found...)
	if n.invite {
		minor = append(minor, view.permit("Create Invite", discordgo.PermissionCreateInstantInvite)...)
	}
	if !n.kick {
		return found, minor, nil
	}
	minor = append(minor, view.permit("Kick Members", discordgo.PermissionKickMembers)...)
	if e.user == "" {
		return found, minor, nil
	}
	m, err := d.session.member(ctx, e)
	switch {
	case isGone(err):
		return found, minor, nil
	case err != nil:
		return nil, nil, err
	}
	return found, append(minor, view.outranked(m)...), nil
}

func isOutside(err error) bool {
	var r *refusal
	return errors.As(err, &r) && (r.code == unknownGuild || r.code == missingAccess || r.status == http.StatusForbidden)
}

// view is a guild as the bot stands in it.
type view struct {
	guild   *discordgo.Guild
	bot     *discordgo.User
	top     *discordgo.Role // the bot's highest; @everyone when it has none
	allowed int64
}

func newView(g *discordgo.Guild, me *discordgo.User, bot *discordgo.Member) view {
	v := view{guild: g, bot: me, top: &discordgo.Role{Name: "@everyone"}}
	for _, r := range g.Roles {
		if r.ID != g.ID && !slices.Contains(bot.Roles, r.ID) {
			continue
		}
		v.allowed |= r.Permissions
		if r.Position >= v.top.Position {
			v.top = r
		}
	}
	if g.OwnerID == me.ID {
		v.allowed, v.top = math.MaxInt64, &discordgo.Role{Position: math.MaxInt}
	}
	if v.allowed&discordgo.PermissionAdministrator != 0 {
		v.allowed = math.MaxInt64
	}
	return v
}

func (v view) permissions(n need) (found []string) {
	if len(n.roles) > 0 {
		found = v.permit("Manage Roles", discordgo.PermissionManageRoles)
	}
	if v.guild.MfaLevel == discordgo.MfaLevelElevated && !v.bot.MFAEnabled {
		found = append(found, v.mend("it wants moderators to have two-factor authentication: switch it on for the account that owns the bot"))
	}
	return found
}

func (v view) permit(name string, bit int64) []string {
	if v.allowed&bit != 0 {
		return nil
	}
	return []string{v.mend("give the role %q of the bot the permission %s", v.top.Name, name)}
}

// roles checks each role that is to be given or taken; wrong are those that are none.
func (v view) roles(ids []string) (found, wrong []string) {
	for _, id := range ids {
		i := slices.IndexFunc(v.guild.Roles, func(r *discordgo.Role) bool { return r.ID == id })
		switch {
		case i < 0:
			wrong = append(wrong, v.mend("there is no role %s: correct role_ids", id))
		case id == v.guild.ID:
			wrong = append(wrong, v.mend("the role %s is @everyone: name another in role_ids", id))
		case v.guild.Roles[i].Managed:
			found = append(found, v.mend("the role %q (%s) belongs to an integration, and only that can give it: name another in role_ids", v.guild.Roles[i].Name, id))
		default:
			found = append(found, v.below(v.guild.Roles[i])...)
		}
	}
	return found, wrong
}

// below wants a role strictly below the bot's highest.
func (v view) below(r *discordgo.Role) []string {
	if r.Position < v.top.Position {
		return nil
	}
	return []string{v.mend("move the role %q of the bot above the role %q (%s)", v.top.Name, r.Name, r.ID)}
}

// outranked finds what keeps one member from being kicked.
func (v view) outranked(m *discordgo.Member) (found []string) {
	if m.User.ID == v.guild.OwnerID {
		return []string{v.mend("user %s owns it, and nobody can kick the owner: list the user in fulfillers.discord.protect, or pass the guild on", m.User.ID)}
	}
	for _, r := range v.guild.Roles {
		if slices.Contains(m.Roles, r.ID) {
			found = append(found, v.below(r)...)
		}
	}
	if len(found) > 0 {
		found = append(found, v.mend("or kick user %s by hand", m.User.ID))
	}
	return found
}

func (v view) mend(format string, args ...any) string {
	return fmt.Sprintf("guild %q (%s): ", v.guild.Name, v.guild.ID) + fmt.Sprintf(format, args...)
}
