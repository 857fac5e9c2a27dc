package discord

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"

	"github.com/bwmarrin/discordgo"
)

const (
	// inviteAge is the longest that Discord lets an invitation live.
	inviteAge = 7 * 24 * time.Hour

	// inviteLeft is how long an invitation must live yet to be shown again.
	inviteLeft = time.Hour

	// inviteSite is where an invitation's code is followed.
	inviteSite = "https://discord.gg/"
)

// inviteCode is what a code can be. It goes into an address.
var inviteCode = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// absent asks whoever is not in the guild to join, by an invitation that is kept
// until it is used or expires, or the operator asks for another. Where the bot
// may not invite, the seller has to: the roles do not wait for that.
func (d *Fulfiller) absent(ctx context.Context, e errand, f grant.Fulfilment, p grant.Properties) (grant.Properties, error) {
	in, err := d.kept(ctx, e, f)
	if codeOf(err) == unknownInvite {
		in, err = d.invite(ctx, e)
	}
	if isRefused(err) {
		return p, fulfillers.ActionRequired("not_in_guild", "join the Discord server; the seller has an invitation, the bot may not make one")
	}
	if err != nil {
		return nil, d.settle(ctx, e, need{invite: true}, "invite to guild "+e.guild, err)
	}
	in.remember(p) // and nowhere else: whoever reads the link can use it
	return p, fulfillers.ActionRequired("not_in_guild", "join the Discord server with the linked account, by the invitation shown with the grant (invite_url); the role follows by itself")
}

// kept is the invitation that was made before, if it still serves.
func (d *Fulfiller) kept(ctx context.Context, e errand, f grant.Fulfilment) (invitation, error) {
	none := &refusal{status: http.StatusNotFound, code: unknownInvite}
	in, ok := invitationIn(f.Properties)
	if !ok {
		return in, none
	}
	if in.guild != e.guild || in.expires.Sub(d.session.now()) < inviteLeft || f.Asked {
		_ = d.uninvite(ctx, e, in) // it expires by itself
		return in, none
	}
	return in, d.session.call(ctx, e, call{method: http.MethodGet, url: discordgo.EndpointInvite(in.code()), limit: "get invite"})
}

// invite makes an invitation for one person.
func (d *Fulfiller) invite(ctx context.Context, e errand) (invitation, error) {
	channel, err := d.channel(ctx, e)
	if err != nil {
		return invitation{}, err
	}
	var in discordgo.Invite
	err = d.session.call(ctx, e, call{
		method: http.MethodPost, url: discordgo.EndpointChannelInvites(channel), limit: "invite", into: &in,
		body: map[string]any{"max_age": int(inviteAge.Seconds()), "max_uses": 1, "unique": true},
	})
	if err != nil {
		return invitation{}, err
	}
	if !inviteCode.MatchString(in.Code) || in.Guild == nil || in.Guild.ID != e.guild {
		return invitation{}, malformed("it is no invitation to the guild")
	}
	expires := d.session.now().Add(inviteAge)
	if in.ExpiresAt != nil {
		expires = *in.ExpiresAt
	}
	return invitation{e.guild, inviteSite + in.Code, expires}, nil
}

// channel is where invitations lead: the configured channel, if it is in this
// guild, the system channel, or the first text channel.
func (d *Fulfiller) channel(ctx context.Context, e errand) (string, error) {
	var all []discordgo.Channel
	err := d.session.call(ctx, e, call{
		method: http.MethodGet, url: discordgo.EndpointGuildChannels(e.guild), limit: "get channels", into: &all,
	})
	if err != nil {
		return "", err
	}
	has := func(want func(discordgo.Channel) bool) string {
		if i := slices.IndexFunc(all, want); i >= 0 {
			return all[i].ID
		}
		return ""
	}
	if id := has(func(c discordgo.Channel) bool { return c.ID == d.config.InviteChannel }); id != "" {
		return id, nil
	}
	g, err := d.session.guild(ctx, e)
	if err != nil || isID(g.SystemChannelID) {
		return g.SystemChannelID, err
	}
	if id := has(func(c discordgo.Channel) bool { return c.Type == discordgo.ChannelTypeGuildText }); id != "" {
		return id, nil
	}
	return "", &refusal{status: http.StatusNotFound, code: unknownChannel, message: "the guild has no text channel"}
}

// uninvite ends an invitation. One that is used or expired is gone, and one that
// the bot may not end (that takes Manage Channels) expires by itself.
func (d *Fulfiller) uninvite(ctx context.Context, e errand, in invitation) error {
	e.guild = in.guild
	err := d.session.call(ctx, e, call{method: http.MethodDelete, url: discordgo.EndpointInvite(in.code()), limit: "end invite"})
	if isRefused(err) {
		return nil
	}
	return err
}

// isRefused tells an answer that will not change by itself from one that may.
func isRefused(err error) bool {
	var r *refusal
	return errors.As(err, &r) && r.status < http.StatusInternalServerError
}
