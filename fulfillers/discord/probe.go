package discord

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"fulfilld/fulfillers"
)

// guildRest is how long a guild that does not let the bot work rests.
const guildRest = 5 * time.Minute

// kickWait is how long one user whom the bot may not kick waits.
const kickWait = time.Hour

// Probe implements fulfillers.Prober. A guild where calls would only be refused
// rests: refusals count towards a ban of the address.
func (d *Fulfiller) Probe(ctx context.Context, raw json.RawMessage) error {
	e := errand{anyway: true}
	if len(raw) == 0 {
		_, err := d.session.user(ctx, e, "@me")
		return d.settle(ctx, e, need{}, "read the bot's account", err)
	}
	p, err := parse(raw)
	if err != nil {
		return fulfillers.Permanent("bad_params", "discord: "+err.Error())
	}
	e.guild = p.Guild
	n := need{roles: p.Roles, kick: p.Kick, invite: true}
	found, minor, err := d.preflight(ctx, e, n)
	if err != nil {
		return d.settle(ctx, errand{}, n, "look at guild "+p.Guild, err)
	}
	if len(found) > 0 {
		_ = d.session.rest(ctx, laneOf(p.Guild), guildRest, strings.Join(found, "\n")) // the guild's own refusals pause it, too
	}
	if found = append(found, minor...); len(found) > 0 {
		return fulfillers.Permanent("preflight", strings.Join(found, "\n"))
	}
	return nil
}

// diagnose says why a guild refused, in words that name the mend, and whether
// that concerns the whole of it. Only the first of many calls that are refused
// at a time has to look.
func (d *Fulfiller) diagnose(ctx context.Context, e errand, n need, r *refusal) (why string, whole bool) {
	if s := d.session.rests.last(laneOf(e.guild)); s.why != "" && s.until.After(d.session.now()) {
		return s.why, true
	}
	e.anyway = true
	found, minor, err := d.preflight(ctx, e, n)
	switch {
	case err == nil && len(found) > 0:
		return strings.Join(found, "\n"), true
	case err == nil && len(minor) > 0:
		return strings.Join(minor, "\n"), false
	case n.kick && r.code == missingPermissions:
		return fmt.Sprintf("guild %s does not let the bot kick user %s: %v; move the bot's role above the user's, or kick the user by hand", e.guild, e.user, r), false
	}
	return fmt.Sprintf("guild %s refuses the bot: %v; look at its role and permissions there (Server Settings, Roles)", e.guild, r), true
}
