package discord

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/internal/fakediscord"
)

func codeIn(t *testing.T, p map[string]any) string {
	t.Helper()
	in, ok := invitationIn(p)
	if !ok {
		t.Fatalf("properties %v name no invitation", p)
	}
	return in.code()
}

func TestWhoIsNotInTheGuildIsInvitedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, text := w.waits(w.owed(w.grace, w.params(w.role)), "not_in_guild")
	f, _ = w.waits(f, "not_in_guild")
	all := w.Invites(w.guild)
	if len(all) != 1 {
		t.Fatalf("%d invitations, want 1", len(all))
	}
	in := all[0]
	if in.MaxUses != 1 || in.MaxAge != 7*24*time.Hour || !in.Unique {
		t.Errorf("invitation %+v, want one use, seven days, unique", in)
	}
	if address := "https://discord.gg/" + in.Code; !strings.Contains(text, "shown with the grant") || f.Properties["invite_url"] != address {
		t.Errorf("text %q and properties %v do not show %s", text, f.Properties, address)
	}
	if got := f.Properties["invite_expires_at"]; got != in.ExpiresAt.UTC().Format(time.RFC3339) {
		t.Errorf("expires at %v, want %v", got, in.ExpiresAt)
	}
}

// Whoever reads the link could join by it.
func TestNoErrorNamesTheInvitation(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]fakediscord.Fault{
		"None": fakediscord.Status(200), "Error": fakediscord.Status(500), "Forbidden": fakediscord.HTML(403), "Lost": fakediscord.Lost(), "Limited": fakediscord.RateLimited(time.Minute),
	} {
		w := newWorld(t)
		f, text := w.waits(w.owed(w.grace, w.kicking()), "not_in_guild")
		code := codeIn(t, f.Properties)
		if name != "None" {
			w.Fail(fakediscord.Match{Path: "/invites/*"}, fault, fakediscord.Always)
		}
		_, granted := w.d.Grant(t.Context(), f)
		revoked := w.d.Revoke(t.Context(), ended(t, f))
		if all := fmt.Sprint(text, granted, revoked); strings.Contains(all, code) || strings.Contains(all, "discord.gg") {
			t.Errorf("%s: %s", name, all)
		}
	}
}

func TestWhoFollowsTheInvitationGetsTheRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, _ := w.waits(w.owed(w.grace, w.params(w.role)), "not_in_guild")
	if err := w.JoinBy(codeIn(t, f.Properties), w.grace); err != nil {
		t.Fatal(err)
	}
	f = w.grant(f)
	w.wantRoles(w.grace, w.role)
	if _, still := f.Properties["invite_url"]; still {
		t.Error("a used invitation is shown")
	}
}

func TestAnInvitationThatWasNotNeededEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, _ := w.waits(w.owed(w.grace, w.params(w.role)), "not_in_guild")
	w.join(w.grace)
	w.Fail(fakediscord.Match{Method: "DELETE", Path: "/invites/*"}, fakediscord.Status(500), 1)
	f = w.grant(f)
	codeIn(t, f.Properties) // remembered, so that the next call ends it
	w.grant(f)
	if n := len(w.Invites(w.guild)); n != 0 {
		t.Errorf("%d invitations are left", n)
	}
}

func TestAnInvitationThatServesNoMoreIsReplaced(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string]func(*world, string){
		"Expired":       func(w *world, _ string) { w.clock.move(8 * 24 * time.Hour) },
		"NearlyExpired": func(w *world, _ string) { w.clock.move(7*24*time.Hour - 10*time.Minute) },
		"UsedByAnother": func(w *world, code string) { _ = w.JoinBy(code, w.NewUser(fakediscord.User{}).ID) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			f, _ := w.waits(w.owed(w.grace, w.params(w.role)), "not_in_guild")
			first := codeIn(t, f.Properties)
			ends(w, first)
			f, _ = w.waits(f, "not_in_guild")
			all := w.Invites(w.guild)
			if len(all) != 1 || all[0].Code == first || codeIn(t, f.Properties) != all[0].Code {
				t.Errorf("invitations %+v, want one new one", all)
			}
		})
	}
}

func TestTheOperatorCanAskForANewInvitation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, _ := w.waits(w.owed(w.grace, w.params(w.role)), "not_in_guild")
	first := codeIn(t, f.Properties)
	f.Asked = true
	w.waits(f, "not_in_guild")
	if all := w.Invites(w.guild); len(all) != 1 || all[0].Code == first {
		t.Errorf("invitations %+v, want one new one", all)
	}
}

func TestAnUnusedInvitationEndsWithTheGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, _ := w.waits(w.owed(w.grace, w.kicking()), "not_in_guild")
	w.revoke(f)
	if n := len(w.Invites(w.guild)); n != 0 {
		t.Errorf("%d invitations are left", n)
	}
	w.revoke(f)
	f, _ = w.waits(f, "not_in_guild")
	codeIn(t, f.Properties)
}

func TestInvitationsLeadToTheChosenChannel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.EditGuild(w.guild, func(g *fakediscord.Guild) { w.d.config.InviteChannel = g.ChannelID })
	w.waits(w.owed(w.grace, w.params(w.role)), "not_in_guild")
	if n := w.Count(fakediscord.Match{Path: "/guilds/*"}); n != 0 {
		t.Error("asked for the system channel")
	}

	w.d.config.InviteChannel = "123" // of another guild
	w.grace = w.NewUser(fakediscord.User{}).ID
	w.waits(w.owed(w.grace, w.params(w.role)), "not_in_guild")
	w.EditGuild(w.guild, func(g *fakediscord.Guild) { g.ChannelID = "" }) // no system channel
	w.grace = w.NewUser(fakediscord.User{}).ID
	w.waits(w.owed(w.grace, w.params(w.role)), "not_in_guild")
	if n := len(w.Invites(w.guild)); n != 3 {
		t.Errorf("%d invitations, want 3", n)
	}
}

func TestTheSellerInvitesWhereTheBotMayNot(t *testing.T) {
	t.Parallel()
	for name, forbid := range map[string]func(*world){
		"NoPermission":       func(w *world) { w.SetPermissions(w.guild, w.bot.ID, fakediscord.ManageRoles) },
		"TooManyInvitations": func(w *world) { w.EditGuild(w.guild, func(g *fakediscord.Guild) { g.MaxInvites = -1 }) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			forbid(w)
			f, text := w.waits(w.owed(w.grace, w.params(w.role)), "not_in_guild")
			if !strings.Contains(text, "the seller has an invitation") {
				t.Errorf("text %q", text)
			}
			w.join(w.grace)
			w.grant(f) // the guild does not rest for this
		})
	}
}

func TestAnInvitationThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Fail(fakediscord.Match{Method: "POST"}, fakediscord.Status(500), 1)
	f := w.owed(w.grace, w.params(w.role))
	_, err := w.d.Grant(t.Context(), f)
	want(t, err, fulfillers.ClassTransient, "refused", "500")
	w.waits(f, "not_in_guild")
}
