package fakediscord_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"fulfilld/internal/fakediscord"
)

const minute = time.Minute

func TestKickingNeedsRankAndPermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	equal := w.NewRole(w.guild.ID, fakediscord.Role{Position: botPosition}).ID
	w.AddRoleByHand(w.guild.ID, w.ada, equal)
	w.expect("DELETE", w.memberPath(w.ada), "", 403, 50013)
	w.expect("DELETE", w.memberPath(w.guild.OwnerID), "", 403, 50013)
	w.expect("DELETE", w.memberPath(w.grace), "", 404, 10007)
	w.expect("DELETE", w.memberPath("123"), "", 404, 10013)
	w.RemoveRoleByHand(w.guild.ID, w.ada, equal)
	w.AddBot(w.guild.ID, fakediscord.ManageRoles, botPosition)
	w.expect("DELETE", w.memberPath(w.ada), "", 403, 50013)
	w.AddBot(w.guild.ID, allThatWeNeed, botPosition)
	w.expect("DELETE", w.memberPath(w.ada), "", 204, 0)
	w.expect("DELETE", w.memberPath(w.ada), "", 404, 10007)
	if _, in := w.Member(w.guild.ID, w.ada); in || w.Banned(w.guild.ID, w.ada) {
		t.Error("still a member, or banned")
	}
}

func TestAddingAMemberNeedsTheirConsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := w.memberPath(w.grace)
	add := func(token string) string { return fmt.Sprintf(`{"access_token":%q,"roles":[%q]}`, token, w.role) }
	w.expect("PUT", path, `{}`, 400, 50035)
	w.expect("PUT", path, `not json`, 400, 50109)
	w.expect("PUT", path, add("made-up"), 403, 50025)
	w.expect("PUT", path, add(w.Authorize(w.ada, "guilds.join")), 403, 50025)
	w.expect("PUT", path, add(w.Authorize(w.grace, "identify")), 403, 50026)
	good := add(w.Authorize(w.grace, "identify", "guilds.join"))
	r := w.expect("PUT", path, good, 201, 0)
	if roles, _ := r.body["roles"].([]any); len(roles) != 1 || roles[0] != w.role {
		t.Errorf("%s", r.text)
	}
	w.RemoveRoleByHand(w.guild.ID, w.grace, w.role)
	w.expect("PUT", path, good, 204, 0)
	if got := w.Roles(w.guild.ID, w.grace); len(got) != 0 {
		t.Errorf("a member already, and yet given %v", got)
	}
}

func TestAddingAMemberCanBeRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	add := func(user string) (string, string) {
		return w.memberPath(user), fmt.Sprintf(`{"access_token":%q}`, w.Authorize(user, "guilds.join"))
	}
	path, body := add(w.grace)
	w.Ban(w.guild.ID, w.grace)
	w.expect("PUT", path, body, 403, 40007)
	w.Unban(w.guild.ID, w.grace)
	w.EditGuild(w.guild.ID, func(g *fakediscord.Guild) { g.MaxMembers = 3 })
	w.expect("PUT", path, body, 400, 30019)
	w.EditGuild(w.guild.ID, func(g *fakediscord.Guild) { g.MaxMembers, g.Screening = 4, true })
	everywhere := w.NewUser(fakediscord.User{Elsewhere: 100}).ID
	otherPath, otherBody := add(everywhere)
	w.expect("PUT", otherPath, otherBody, 400, 30001)
	if r := w.expect("PUT", path, body, 201, 0); r.body["pending"] != true {
		t.Errorf("not screened: %s", r.text)
	}
	w.Agree(w.guild.ID, w.grace)
	if m, _ := w.Member(w.guild.ID, w.grace); m.Pending {
		t.Error("still pending")
	}
}

func TestPatchReplacesAllRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mod := w.NewRole(w.guild.ID, fakediscord.Role{Position: 50}).ID
	second := w.NewRole(w.guild.ID, fakediscord.Role{}).ID
	w.AddRoleByHand(w.guild.ID, w.ada, w.role)
	w.expect("PATCH", w.memberPath(w.ada), fmt.Sprintf(`{"roles":[%q,%q]}`, second, second), 200, 0)
	if got := w.Roles(w.guild.ID, w.ada); !slices.Equal(got, []string{second}) {
		t.Errorf("%v", got)
	}
	w.AddRoleByHand(w.guild.ID, w.ada, mod)
	w.expect("PATCH", w.memberPath(w.ada), `{"roles":[]}`, 403, 50013)
	w.expect("PATCH", w.memberPath(w.ada), fmt.Sprintf(`{"roles":[%q]}`, mod), 200, 0)
	w.expect("PATCH", w.memberPath(w.ada), `{"nick":"A"}`, 403, 50013)
	if got := w.Roles(w.guild.ID, w.ada); !slices.Equal(got, []string{mod}) {
		t.Errorf("%v", got)
	}
}

func TestBansAreSeenAndLifted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := w.guildPath() + "/bans/" + w.ada
	w.expect("PUT", path, "", 403, 50013)
	w.AddBot(w.guild.ID, fakediscord.BanMembers, botPosition)
	w.expect("GET", path, "", 404, 10026)
	w.expect("PUT", path, "", 204, 0)
	var refused *fakediscord.Error
	if err := w.Join(w.guild.ID, w.ada); !w.Banned(w.guild.ID, w.ada) || !errors.As(err, &refused) || refused.Code != 40007 {
		t.Errorf("banned, and joining says %v", err)
	}
	if u, _ := w.expect("GET", path, "", 200, 0).body["user"].(map[string]any); u["id"] != w.ada {
		t.Errorf("%v", u)
	}
	w.expect("DELETE", path, "", 204, 0)
	w.expect("DELETE", path, "", 404, 10026)
	if err := w.Join(w.guild.ID, w.ada); err != nil {
		t.Error(err)
	}
}

func TestWhoLeavesLosesTheirRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.AddRoleByHand(w.guild.ID, w.ada, w.role)
	w.Leave(w.guild.ID, w.ada)
	w.expect("GET", w.memberPath(w.ada), "", 404, 10007)
	w.clock.move(time.Hour)
	if err := w.Join(w.guild.ID, w.ada); err != nil {
		t.Fatal(err)
	}
	m, in := w.Member(w.guild.ID, w.ada)
	if !in || len(m.Roles) != 0 || !m.JoinedAt.Equal(w.clock.now()) {
		t.Errorf("%+v", m)
	}
}
