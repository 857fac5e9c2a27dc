package fakediscord_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"fulfilld/internal/fakediscord"
)

func TestGivingAndTakingARoleAreIdempotent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := w.rolePath(w.ada, w.role)
	for _, method := range []string{"PUT", "PUT"} {
		w.expect(method, path, "", 204, 0)
		if got := w.Roles(w.guild.ID, w.ada); !slices.Equal(got, []string{w.role}) {
			t.Errorf("after %s: %v", method, got)
		}
	}
	for _, method := range []string{"DELETE", "DELETE"} {
		w.expect(method, path, "", 204, 0)
		if got := w.Roles(w.guild.ID, w.ada); len(got) != 0 {
			t.Errorf("after %s: %v", method, got)
		}
	}
	if log := w.AuditLog(w.guild.ID); len(log) != 2 {
		t.Errorf("two changes, and the audit log says %v", log)
	}
}

func TestRolesAreGivenOnlyFromAbove(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := func(position int, managed bool) string {
		return w.NewRole(w.guild.ID, fakediscord.Role{Position: position, Managed: managed}).ID
	}
	for name, c := range map[string]struct {
		role   string
		status int
		code   float64
	}{
		"just below": {at(botPosition-1, false), 204, 0},
		"equal":      {at(botPosition, false), 403, 50013},
		"above":      {at(botPosition+1, false), 403, 50013},
		"managed":    {at(1, true), 403, 50013},
		"everyone":   {w.guild.ID, 404, 10011},
		"no such":    {"123", 404, 10011},
		"of the bot": {w.Roles(w.guild.ID, w.Bot().ID)[0], 403, 50013},
	} {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{"PUT", "DELETE"} {
				r := w.do(method, w.rolePath(w.ada, c.role), "")
				if r.status != c.status || r.code() != c.code {
					t.Errorf("%s: %d %s", method, r.status, r.text)
				}
			}
		})
		w.clock.move(minute)
	}
	w.expect("PUT", w.rolePath(w.guild.OwnerID, w.role), "", 204, 0) // an owner may be given what is below the bot
}

func TestTheHierarchyIsThatOfTheMoment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := w.rolePath(w.ada, w.role)
	w.MoveRole(w.guild.ID, w.role, botPosition)
	w.expect("PUT", path, "", 403, 50013)
	w.MoveRole(w.guild.ID, w.role, 2)
	w.expect("PUT", path, "", 204, 0)
	second := w.NewRole(w.guild.ID, fakediscord.Role{Position: 20}).ID
	w.AddRoleByHand(w.guild.ID, w.Bot().ID, second)
	w.MoveRole(w.guild.ID, w.role, 15)
	w.expect("DELETE", path, "", 204, 0) // another of the bot's roles is higher
	w.DeleteRole(w.guild.ID, w.role)
	w.expect("PUT", path, "", 404, 10011)
}

func TestRolesNeedThePermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := w.rolePath(w.ada, w.role)
	w.AddBot(w.guild.ID, fakediscord.KickMembers, botPosition)
	w.expect("PUT", path, "", 403, 50013)
	w.SetPermissions(w.guild.ID, w.guild.ID, fakediscord.ManageRoles) // @everyone
	w.expect("PUT", path, "", 204, 0)
	w.SetPermissions(w.guild.ID, w.guild.ID, 0)
	w.AddBot(w.guild.ID, fakediscord.Administrator, botPosition)
	w.expect("DELETE", path, "", 204, 0)
}

func TestABotThatOwnsTheGuildMayDoAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := w.NewGuild(fakediscord.Guild{OwnerID: w.Bot().ID})
	role := w.NewRole(own.ID, fakediscord.Role{Position: 50}).ID
	if err := w.Join(own.ID, w.ada); err != nil {
		t.Fatal(err)
	}
	w.expect("PUT", "/guilds/"+own.ID+"/members/"+w.ada+"/roles/"+role, "", 204, 0)
	w.expect("DELETE", "/guilds/"+own.ID+"/members/"+w.ada, "", 204, 0)
}

func TestABotTakesItsOwnRoleAlong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.AddBot(w.guild.ID, allThatWeNeed, 20)
	if again := w.AddBot(w.guild.ID, allThatWeNeed, 20); again != before {
		t.Errorf("installed again: %+v, then %+v", before, again)
	}
	w.RemoveBot(w.guild.ID)
	if _, in := w.Member(w.guild.ID, w.Bot().ID); in {
		t.Error("still a member")
	}
	if after := w.AddBot(w.guild.ID, allThatWeNeed, 20); after.ID == before.ID {
		t.Error("the role outlived the bot's stay")
	}
}

func TestWhoIsNotThereGetsNoRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.expect("PUT", w.rolePath(w.grace, w.role), "", 404, 10007)
	w.expect("PUT", w.rolePath("123", w.role), "", 404, 10013)
	w.expect("PUT", "/guilds/123/members/"+w.ada+"/roles/"+w.role, "", 404, 10004)
	w.RemoveBot(w.guild.ID)
	w.expect("PUT", w.rolePath(w.ada, w.role), "", 403, 50001)
	w.expect("GET", w.guildPath(), "", 404, 10004)
	w.expect("GET", w.guildPath()+"/roles", "", 403, 50001)
}

func TestModerationWantsTwoFactorsOfTheOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *fakediscord.Options) { o.Bot.OwnerLacks2FA = true })
	other := w.NewBot(fakediscord.Bot{Token: "careful"})
	w.Install(other.ID, w.guild.ID, allThatWeNeed, botPosition)
	w.expect("PUT", w.rolePath(w.ada, w.role), "", 204, 0)
	w.EditGuild(w.guild.ID, func(g *fakediscord.Guild) { g.Requires2FA = true })
	if r := w.do("PUT", w.rolePath(w.ada, w.role), "", "Authorization", "Bot careful"); r.status != 204 {
		t.Errorf("with two factors: %d %s", r.status, r.text)
	}
	w.expect("DELETE", w.rolePath(w.ada, w.role), "", 403, 60003)
	w.expect("DELETE", w.memberPath(w.ada), "", 403, 60003)
	w.expect("POST", "/channels/"+w.guild.ChannelID+"/invites", `{}`, 200, 0)
}

func TestReasonsAreDecodedIntoTheAuditLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := w.rolePath(w.ada, w.role)
	w.do("PUT", path, "", "X-Audit-Log-Reason", "grant%20%E2%9C%94+1")
	log := w.AuditLog(w.guild.ID)
	want := fakediscord.AuditEntry{
		At: w.clock.now(), Action: fakediscord.RoleUpdate, ActorID: w.Bot().ID, TargetID: w.ada, RoleID: w.role, Reason: "grant ✔+1",
	}
	if len(log) != 1 || log[0] != want {
		t.Errorf("%+v; want %+v", log, want)
	}
	r := w.do("DELETE", path, "", "X-Audit-Log-Reason", strings.Repeat("%C3%A9", 513))
	if r.status != 400 || r.code() != 50035 || len(w.Roles(w.guild.ID, w.ada)) != 1 {
		t.Errorf("513 characters: %d %s", r.status, r.text)
	}
	r = w.do("DELETE", path, "", "X-Audit-Log-Reason", strings.Repeat("%C3%A9", 512))
	if r.status != 204 {
		t.Errorf("512 characters: %d %s", r.status, r.text)
	}
}

func TestRolesByHandAreTheOwners(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	high := w.NewRole(w.guild.ID, fakediscord.Role{Position: 50}).ID
	w.AddRoleByHand(w.guild.ID, w.ada, high)
	w.AddRoleByHand(w.guild.ID, w.ada, w.role)
	w.RemoveRoleByHand(w.guild.ID, w.ada, w.role)
	if got := w.Roles(w.guild.ID, w.ada); !slices.Equal(got, []string{high}) {
		t.Errorf("%v", got)
	}
	log := w.AuditLog(w.guild.ID)
	if len(log) != 3 || log[2].ActorID != w.guild.OwnerID || log[2].RoleID != w.role {
		t.Errorf("%+v", log)
	}
}

func TestManyAtOnceGiveOneRoleEach(t *testing.T) {
	t.Parallel()
	w := newWorld(t, limits(fakediscord.Limits{MemberRoles: fakediscord.Window{Requests: -1}}))
	roles := make([]string, 20)
	for i := range roles {
		roles[i] = w.NewRole(w.guild.ID, fakediscord.Role{}).ID
	}
	var wg sync.WaitGroup
	for _, role := range append(roles, roles...) {
		wg.Go(func() {
			if r, err := w.try("PUT", w.rolePath(w.ada, role), ""); err != nil || r.status != 204 {
				t.Errorf("%d %s, %v", r.status, r.text, err)
			}
			w.Requests()
		})
	}
	wg.Wait()
	if got := w.Roles(w.guild.ID, w.ada); !slices.Equal(got, slices.Sorted(slices.Values(roles))) {
		t.Errorf("%v", got)
	}
}
