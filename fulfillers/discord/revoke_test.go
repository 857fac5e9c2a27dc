package discord

import (
	"fmt"
	"testing"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/internal/fakediscord"
)

// hold changes the fulfilment's hold of a resource.
func hold(f *grant.Fulfilment, name string, change func(*grant.Hold)) {
	for i := range f.Holds {
		if f.Holds[i].Name == name {
			change(&f.Holds[i])
		}
	}
}

func before(h *grant.Hold) { h.Origin, h.Before = grant.FromBefore, 1 }

func TestARoleFromBeforeIsNeverTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.AddRoleByHand(w.guild, w.ada, w.role)
	f := w.owed(w.ada, w.params(w.role, w.vip))
	hold(&f, roleName(w.guild, w.role), before)
	w.revoke(w.grant(f))
	w.wantRoles(w.ada, w.role)
}

func TestARoleThatAnotherGrantHoldsStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.grant(w.owed(w.ada, w.params(w.role)))
	hold(&f, roleName(w.guild, w.role), func(h *grant.Hold) { h.Others = 1 })
	calls := len(w.Requests())
	w.revoke(f)
	w.wantRoles(w.ada, w.role)
	if n := len(w.Requests()) - calls; n != 0 {
		t.Errorf("%d calls, want none", n)
	}
}

func TestARoleThatThePlatformGaveGoesWithTheGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.AddRoleByHand(w.guild, w.ada, w.role)
	f := w.owed(w.ada, w.params(w.role))
	hold(&f, roleName(w.guild, w.role), func(h *grant.Hold) { h.Origin = grant.FromPlatform })
	w.revoke(w.grant(f))
	w.wantRoles(w.ada)
}

func TestRolesThatAreNotOursStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.AddRoleByHand(w.guild, w.ada, w.vip)
	w.revoke(w.grant(w.owed(w.ada, w.params(w.role))))
	w.wantRoles(w.ada, w.vip)
}

func TestNothingHeldIsNothingToRevoke(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.owed(w.ada, w.params(w.role))
	f.Holds = nil
	w.revoke(f)
	if n := len(w.Requests()); n != 0 {
		t.Errorf("%d calls, want none", n)
	}
}

func TestWhatIsGoneIsRevoked(t *testing.T) {
	t.Parallel()
	for name, goes := range map[string]func(*world){
		"TheMember":  func(w *world) { w.Leave(w.guild, w.ada) },
		"TheAccount": func(w *world) { w.DeleteUser(w.ada) },
		"TheRole":    func(w *world) { w.DeleteRole(w.guild, w.role) },
		"ByHand":     func(w *world) { w.RemoveRoleByHand(w.guild, w.ada, w.role) },
		"Banned":     func(w *world) { w.Ban(w.guild, w.ada) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			f := w.grant(w.owed(w.ada, w.kicking()))
			goes(w)
			w.revoke(f)
		})
	}
}

func TestARoleThatIsStillThereIsNotRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.grant(w.owed(w.ada, w.params(w.role)))
	w.Fail(takeRole, fakediscord.NotJSON(), fakediscord.Always)
	err := w.d.Revoke(t.Context(), ended(t, f))
	want(t, err, fulfillers.ClassTransient, "still_there", w.role)
}

func TestALostAnswerIsMadeUpForByTheNextTry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Fail(giveRole, fakediscord.Lost(), 1)
	f := w.owed(w.ada, w.params(w.role))
	_, err := w.d.Grant(t.Context(), f)
	want(t, err, fulfillers.ClassTransient, "network", "")
	f = w.grant(f)
	w.Fail(takeRole, fakediscord.HalfBody(), 1)
	err = w.d.Revoke(t.Context(), ended(t, f))
	want(t, err, fulfillers.ClassTransient, "network", "")
	w.revoke(f)
	w.wantRoles(w.ada)
	if log := w.AuditLog(w.guild); len(log) != 2 {
		t.Errorf("audit log %+v, want the role given once and taken once", log)
	}
}

func TestKickOnlyWhoCameWithTheGrant(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kick   bool
		change func(*grant.Hold)
		stays  bool
	}{
		"CameWithIt":        {kick: true},
		"NotAskedFor":       {kick: false, stays: true},
		"WasThereBefore":    {true, before, true},
		"ByThePlatform":     {true, func(h *grant.Hold) { h.Origin = grant.FromPlatform }, true},
		"NotJudged":         {true, func(h *grant.Hold) { h.Origin = "" }, true},
		"AnotherGrantHolds": {true, func(h *grant.Hold) { h.Others = 1 }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			params := w.params(w.role)
			if c.kick {
				params = w.kicking()
			}
			f := w.owed(w.grace, params)
			if c.change != nil {
				hold(&f, w.guild, c.change)
			}
			f, _ = w.waits(f, "not_in_guild")
			w.join(w.grace)
			w.revoke(w.grant(f))
			w.wantMember(w.grace, c.stays)
			w.wantRoles(w.grace)
		})
	}
}

func TestTheRoleIsTakenEvenWhereAKickIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.join(w.grace)
	f := w.grant(w.owed(w.grace, w.kicking()))
	boss := w.NewRole(w.guild, fakediscord.Role{Name: "boss", Position: 20}).ID
	w.AddRoleByHand(w.guild, w.grace, boss)
	err := w.d.Revoke(t.Context(), ended(t, f))
	throttled(t, err, laneOf(w.guild), time.Hour, `move the role "bot" of the bot above the role "boss"`)
	w.wantRoles(w.grace, boss)
}

func TestOneUserWhoCannotBeKickedHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*world)
		says   string
	}{
		"Above": {func(w *world) {
			w.AddRoleByHand(w.guild, w.grace, w.NewRole(w.guild, fakediscord.Role{Name: "boss", Position: 20}).ID)
		}, "by hand"},
		"Owner":      {func(w *world) { w.EditGuild(w.guild, func(g *fakediscord.Guild) { g.OwnerID = w.grace }) }, "fulfillers.discord.protect"},
		"NotAllowed": {func(w *world) { w.SetPermissions(w.guild, w.bot.ID, fakediscord.ManageRoles) }, "the permission Kick Members"},
		"Unsaid": {func(w *world) {
			w.Fail(fakediscord.Match{Method: "DELETE", Path: "/guilds/*/members/*"}, fakediscord.Refuse(403, 50013, "Missing Permissions"), fakediscord.Always)
		}, "kick the user by hand"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.join(w.grace)
			f, other := w.grant(w.owed(w.grace, w.kicking())), w.grant(w.owed(w.ada, w.params(w.role)))
			c.change(w)
			err := w.d.Revoke(t.Context(), ended(t, f))
			throttled(t, err, laneOf(w.guild), time.Hour, c.says)
			if why := w.lanes.why(laneOf(w.guild)); why != "" {
				t.Errorf("the guild rests because %q", why)
			}
			w.revoke(other)
			w.wantRoles(w.ada)
			w.Leave(w.guild, w.grace)
			w.revoke(f)
		})
	}
}

func TestWhatIsWantedIsLeftAloneByARevoke(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.join(w.grace)
	f := w.grant(w.owed(w.grace, fmt.Sprintf(`{"guild_id":%q,"role_ids":"%s,%s","kick_member":true}`, w.guild, w.role, w.vip)))
	hold(&f, roleName(w.guild, w.vip), func(h *grant.Hold) { h.Level = 0 })
	if err := w.d.Revoke(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	w.wantMember(w.grace, true)
	w.wantRoles(w.grace, w.role)
}

func TestAGuildThatRefusesAKickAndMoreRests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, careless)
	w.join(w.grace)
	f := w.grant(w.owed(w.grace, w.kicking()))
	w.RemoveRoleByHand(w.guild, w.grace, w.role)
	requireTwoFactor(w)
	err := w.d.Revoke(t.Context(), ended(t, f))
	throttled(t, err, laneOf(w.guild), 5*time.Minute, "two-factor authentication")
	if w.lanes.why(laneOf(w.guild)) == "" {
		t.Error("the guild does not rest")
	}
}

func TestAChangedGuildKeepsItsWordOnKicking(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.join(w.grace)
	f := w.grant(w.owed(w.grace, w.kicking()))
	old := w.guild
	let := ended(t, f).Holds

	w.guild = w.NewGuild(fakediscord.Guild{}).ID
	role := w.NewRole(w.guild, fakediscord.Role{}).ID
	w.AddBot(w.guild, rights, 5)
	w.join(w.grace)
	next := w.owed(w.grace, w.params(role))
	next.Holds, next.Properties = append(next.Holds, let...), f.Properties
	next = w.grant(next)
	next.Holds = let
	w.revoke(next)

	w.wantRoles(w.grace, role)
	w.guild = old
	w.wantMember(w.grace, false)
}

func TestAnotherAccountIsRevokedByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.join(w.grace)
	f := w.grant(w.owed(w.ada, w.params(w.role)))
	let := ended(t, f).Holds
	next := w.owed(w.grace, w.params(w.role))
	next.Holds = append(next.Holds, let...)
	next = w.grant(next)
	w.wantRoles(w.ada, w.role)
	next.Holds = let
	w.revoke(next)
	w.wantRoles(w.ada)
	w.wantRoles(w.grace, w.role)
}

func TestOneGuildThatRefusesDoesNotHoldUpAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.grant(w.owed(w.ada, w.params(w.role)))
	lost := w.NewGuild(fakediscord.Guild{}).ID
	f.Holds = append([]grant.Hold{{Resource: grant.Resource{Provider: "discord", Name: roleName(lost, "77"), Account: w.ada}}}, f.Holds...)
	err := w.d.Revoke(t.Context(), ended(t, f))
	throttled(t, err, laneOf(lost), 5*time.Minute, "is not in guild "+lost)
	w.wantRoles(w.ada)
}
