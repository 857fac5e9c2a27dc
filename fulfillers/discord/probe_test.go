package discord

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/internal/fakediscord"
)

func TestProbeWithoutParametersProvesTheToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.d.Probe(t.Context(), nil); err != nil {
		t.Error(err)
	}
	w.SetToken("another")
	err := w.d.Probe(t.Context(), nil)
	throttled(t, err, "discord:bot", 5*time.Minute, "fulfillers.discord.bot_token")
}

func TestProbeFindsNothingWrongInASoundGuild(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*world){
		"AsItIs":        func(*world) {},
		"Administrator": func(w *world) { w.SetPermissions(w.guild, w.bot.ID, fakediscord.Administrator) },
		"ByAnotherRole": func(w *world) {
			w.SetPermissions(w.guild, w.bot.ID, 0)
			high := w.NewRole(w.guild, fakediscord.Role{Position: 20, Permissions: rights}).ID
			w.AddRoleByHand(w.guild, w.Bot().ID, high)
			w.MoveRole(w.guild, w.role, 15)
		},
		"ByEveryone": func(w *world) {
			w.SetPermissions(w.guild, w.bot.ID, fakediscord.ManageRoles)
			w.SetPermissions(w.guild, w.guild, fakediscord.KickMembers|fakediscord.CreateInstantInvite)
		},
		"Owner": func(w *world) {
			bot := w.Bot().ID
			w.EditGuild(w.guild, func(g *fakediscord.Guild) { g.OwnerID = bot })
			w.MoveRole(w.guild, w.role, 15)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			change(w)
			if err := w.d.Probe(t.Context(), json.RawMessage(w.kicking())); err != nil {
				t.Error(err)
			}
			if n := w.changes(); n != 0 {
				t.Errorf("%d changes", n)
			}
		})
	}
}

func TestProbeNamesEveryMend(t *testing.T) {
	t.Parallel()
	w := newWorld(t, careless)
	w.SetPermissions(w.guild, w.bot.ID, 0)
	requireTwoFactor(w)
	high := w.NewRole(w.guild, fakediscord.Role{Name: "boss", Position: 10}).ID
	booster := w.NewRole(w.guild, fakediscord.Role{Name: "booster", Managed: true}).ID
	params := strings.Replace(w.params("123", high, booster), "}", `,"kick_member":"true"}`, 1)
	err := w.d.Probe(t.Context(), json.RawMessage(params))
	text := want(t, err, fulfillers.ClassPermanent, "preflight", "")
	for _, says := range []string{
		`guild "Shop" (` + w.guild + `): give the role "bot" of the bot the permission Manage Roles`,
		`permission Kick Members`, `permission Create Invite`, `two-factor authentication`,
		`there is no role 123: correct role_ids`,
		`move the role "bot" of the bot above the role "boss" (` + high + `)`,
		`the role "booster" (` + booster + `) belongs to an integration`,
	} {
		if !strings.Contains(text, says) {
			t.Errorf("does not say %q:\n%s", says, text)
		}
	}
	if why := w.lanes.why(laneOf(w.guild)); !strings.Contains(why, "Manage Roles") || strings.Contains(why, "Create Invite") {
		t.Errorf("the guild rests because of %q", why)
	}
	calls := len(w.Requests())
	_, err = w.d.Grant(t.Context(), w.owed(w.ada, w.params(w.role)))
	throttled(t, err, laneOf(w.guild), guildRest, "Manage Roles")
	if n := len(w.Requests()) - calls; n != 0 {
		t.Errorf("%d calls to a guild that would refuse them", n)
	}
}

func TestAGuildDoesNotRestForOneBenefitsMistake(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.SetPermissions(w.guild, w.bot.ID, fakediscord.ManageRoles)
	err := w.d.Probe(t.Context(), json.RawMessage(w.params("123")))
	text := want(t, err, fulfillers.ClassPermanent, "preflight", "there is no role 123")
	if !strings.Contains(text, "Create Invite") {
		t.Error(text)
	}
	w.grant(w.owed(w.ada, w.params(w.role)))
}

func TestProbeSaysWhereTheBotIsMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RemoveBot(w.guild)
	err := w.d.Probe(t.Context(), json.RawMessage(w.params(w.role)))
	want(t, err, fulfillers.ClassPermanent, "preflight", `the bot "bot" is not in guild `+w.guild)
	err = w.d.Probe(t.Context(), json.RawMessage(`{}`))
	want(t, err, fulfillers.ClassPermanent, "bad_params", "guild_id")
	w.Fail(fakediscord.Match{}, fakediscord.Status(500), fakediscord.Always)
	err = w.d.Probe(t.Context(), json.RawMessage(w.params(w.role)))
	want(t, err, fulfillers.ClassTransient, "refused", "500")
}
