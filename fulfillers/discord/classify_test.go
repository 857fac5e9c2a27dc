package discord

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/internal/fakediscord"
)

func TestCodesMeanWhatTheCustomerOrTheShopCanDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status, code int
		class        fulfillers.Class
		want         string
	}{
		{404, 10013, fulfillers.ClassActionRequired, "account_gone"},
		{403, 40007, fulfillers.ClassActionRequired, "banned"},
		{400, 30001, fulfillers.ClassActionRequired, "too_many_guilds"},
		{400, 30019, fulfillers.ClassActionRequired, "guild_full"},
		{403, 20024, fulfillers.ClassActionRequired, "under_age"},
		{403, 40002, fulfillers.ClassActionRequired, "unverified"},
		{400, 340015, fulfillers.ClassActionRequired, "joins_limited"},
		{404, 10011, fulfillers.ClassPermanent, "unknown_role"},
		{400, 50035, fulfillers.ClassPermanent, "bad_request"},
		{503, 130000, fulfillers.ClassTransient, "refused"},
		{404, 0, fulfillers.ClassTransient, "refused"},
	} {
		w := newWorld(t)
		w.Fail(giveRole, fakediscord.Refuse(c.status, c.code, "Some words"), 1)
		_, err := w.d.Grant(t.Context(), w.owed(w.ada, w.params(w.role)))
		want(t, err, c.class, c.want, "Some words")
		if n := len(w.lanes.resting); n != 0 {
			t.Errorf("code %d: %d lanes rest", c.code, n)
		}
	}
}

// broken are the ways in which a guild keeps the bot from its work, and what the
// shop reads of it.
var broken = map[string]struct {
	breaks func(*world)
	says   string
}{
	"BotThrownOut":   {func(w *world) { w.RemoveBot(w.guild) }, `the bot "bot" is not in guild`},
	"NoPermission":   {func(w *world) { w.SetPermissions(w.guild, w.bot.ID, fakediscord.CreateInstantInvite) }, `give the role "bot" of the bot the permission Manage Roles`},
	"RoleTooHigh":    {func(w *world) { w.MoveRole(w.guild, w.role, 11) }, `move the role "bot" of the bot above the role "pro"`},
	"RoleJustAsHigh": {func(w *world) { w.MoveRole(w.guild, w.role, 10) }, `above the role "pro"`},
	"TwoFactor":      {func(w *world) { requireTwoFactor(w) }, "two-factor authentication"},
	"SaysNoMore":     {func(w *world) { w.Fail(fakediscord.Match{}, fakediscord.HTML(403), fakediscord.Always) }, "refuses the bot: 403 Forbidden"},
	"UnknownReason":  {func(w *world) { refuseRoles(w) }, "look at its role and permissions there"},
}

func requireTwoFactor(w *world) {
	w.EditGuild(w.guild, func(g *fakediscord.Guild) { g.Requires2FA = true })
}

func refuseRoles(w *world) {
	w.Fail(giveRole, fakediscord.Refuse(403, 50013, "Missing Permissions"), fakediscord.Always)
	w.Fail(takeRole, fakediscord.Refuse(403, 50013, "Missing Permissions"), fakediscord.Always)
}

func careless(o *fakediscord.Options, _ *Config) { o.Bot.OwnerLacks2FA = true }

func TestAGuildThatRefusesRestsAndSaysWhatToMend(t *testing.T) {
	t.Parallel()
	for name, c := range broken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, careless)
			f := w.grant(w.owed(w.ada, w.params(w.role)))
			c.breaks(w)
			if name != "BotThrownOut" && name != "SaysNoMore" {
				_, err := w.d.Grant(t.Context(), w.owed(w.ada, w.params(w.role, w.vip)))
				if name == "NoPermission" || name == "TwoFactor" || name == "UnknownReason" {
					throttled(t, err, laneOf(w.guild), 5*time.Minute, c.says)
					w.clock.move(5 * time.Minute)
				}
			}
			err := w.d.Revoke(t.Context(), ended(t, f))
			throttled(t, err, laneOf(w.guild), 5*time.Minute, c.says)
			if why := w.lanes.why(laneOf(w.guild)); !strings.Contains(why, c.says) {
				t.Errorf("the lane rests because %q", why)
			}
		})
	}
}

func TestARestingGuildIsNotCalledAndEveryErrorSaysWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.grant(w.owed(w.ada, w.params(w.role)))
	w.MoveRole(w.guild, w.role, 11)
	err := w.d.Revoke(t.Context(), ended(t, f))
	throttled(t, err, laneOf(w.guild), 5*time.Minute, `above the role "pro"`)
	calls := len(w.Requests())
	w.clock.move(2 * time.Minute)
	err = w.d.Revoke(t.Context(), ended(t, f))
	throttled(t, err, laneOf(w.guild), 3*time.Minute-time.Second, `above the role "pro"`)
	_, err = w.d.Grant(t.Context(), f)
	throttled(t, err, laneOf(w.guild), 3*time.Minute-time.Second, `above the role "pro"`)
	if n := len(w.Requests()) - calls; n != 0 {
		t.Errorf("%d calls to a guild that rests", n)
	}

	w.MoveRole(w.guild, w.role, 3)
	asked := ended(t, f)
	asked.Asked = true
	if err := w.d.Revoke(t.Context(), asked); err != nil {
		t.Errorf("the operator's retry waits: %v", err)
	}
	w.clock.move(3 * time.Minute)
	w.revoke(f)
	w.wantRoles(w.ada)
}

func TestARoleThatIsNotThereNeedsNoPermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.grant(w.owed(w.ada, w.params(w.role)))
	w.RemoveRoleByHand(w.guild, w.ada, w.role)
	w.MoveRole(w.guild, w.role, 11)
	w.revoke(f)
}

func TestADeletedOrManagedRoleIsTheShopsToMend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.owed(w.ada, w.params(w.role))
	w.DeleteRole(w.guild, w.role)
	_, err := w.d.Grant(t.Context(), f)
	want(t, err, fulfillers.ClassPermanent, "unknown_role", w.role)
	managed := w.NewRole(w.guild, fakediscord.Role{Name: "booster", Managed: true}).ID
	_, err = w.d.Grant(t.Context(), w.owed(w.ada, w.params(managed)))
	throttled(t, err, laneOf(w.guild), 5*time.Minute, `"booster" (`+managed+`) belongs to an integration`)
}

func TestARefusedTokenStopsTheBot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.SetToken("another")
	_, err := w.d.Grant(t.Context(), w.owed(w.ada, w.params(w.role)))
	throttled(t, err, "discord:bot", 5*time.Minute, "fulfillers.discord.bot_token")
	_, err = w.d.Identify(t.Context(), w.ada)
	throttled(t, err, "discord:bot", 5*time.Minute-time.Second, "fulfillers.discord.bot_token")
	if n := len(w.Requests()); n != 1 {
		t.Errorf("%d calls with a token that is refused", n)
	}
}

func TestLimitsOfDiscordsRestTheRightLane(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault fakediscord.Fault
		wait  time.Duration
		lane  string
	}{
		"Global":     {fakediscord.RateLimitedGlobally(3 * time.Second), 3 * time.Second, "discord:bot"},
		"Cloudflare": {fakediscord.Cloudflare(0), 10 * time.Minute, "discord:bot"},
		"OfTheRoute": {fakediscord.RateLimited(5 * time.Second), 5 * time.Second, ""},
		"Shared":     {fakediscord.RateLimitedShared(5 * time.Second), 5 * time.Second, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Fail(anyMember, c.fault, 1)
			f := w.owed(w.ada, w.params(w.role))
			lane := c.lane
			if lane == "" {
				lane = laneOf(w.guild)
			}
			_, err := w.d.Grant(t.Context(), f)
			throttled(t, err, lane, c.wait, "")
			if paused := w.lanes.why("discord:bot") != ""; paused != (c.lane != "") {
				t.Errorf("the bot rests: %v", paused)
			}
			_, err = w.d.Grant(t.Context(), f)
			throttled(t, err, lane, c.wait-time.Second, "")
			if n := len(w.Requests()); n != 1 {
				t.Errorf("%d calls, want 1", n)
			}
			w.clock.move(c.wait)
			w.grant(f)
		})
	}
}

func TestAnotherDaemonsRestIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.grant(w.owed(w.ada, w.params(w.role)))
	_ = w.lanes.Pause(t.Context(), "discord:bot", time.Minute, "somebody said so")
	w.clock.move(time.Second)
	_, err := w.d.Grant(t.Context(), f)
	throttled(t, err, "discord:bot", time.Minute-2*time.Second, "discord:bot rests")
}

func TestLanesAreAskedOnceASecond(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.owed(w.ada, w.params(w.role))
	began := time.Now()
	for range 10 {
		w.grant(f)
	}
	if most := 2 + 2*int(time.Since(began)/time.Second); w.lanes.asked > most {
		t.Errorf("asked %d times, want at most %d", w.lanes.asked, most)
	}
}

func TestALedgerThatFailsIsTransientAndAPauseIsKeptAnyway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.SetToken("another")
	f := w.owed(w.ada, w.params(w.role))
	w.d.session.rests.note(botLane, rest{asked: w.clock.now()})
	w.d.session.rests.note(laneOf(w.guild), rest{asked: w.clock.now()})
	w.lanes.broken = errors.New("the ledger is away")
	_, err := w.d.Grant(t.Context(), f)
	throttled(t, err, "discord:bot", 5*time.Minute, "the ledger is away")
	_, err = w.d.Grant(t.Context(), f)
	throttled(t, err, "discord:bot", 5*time.Minute-time.Second, "bot_token")
	w.clock.move(time.Second)
	_, err = w.d.Grant(t.Context(), f)
	want(t, err, fulfillers.ClassTransient, "lane", "the ledger is away")
}

func TestAPauseOutlivesTheCallThatFoundOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = w.d.session.rest(ctx, botLane, time.Minute, "why")
	if w.lanes.why(botLane) != "why" {
		t.Error("the lane does not rest")
	}
}

func TestNobodyMayAskWhatTheWholeBotMustNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.owed(w.ada, w.params(w.role))
	f.Asked = true
	_ = w.d.session.rest(t.Context(), botLane, time.Hour, "why")
	_, err := w.d.Grant(t.Context(), f)
	throttled(t, err, botLane, time.Hour, "why")
	throttled(t, w.d.Probe(t.Context(), json.RawMessage(w.params(w.role))), botLane, time.Hour, "why")
	if n := len(w.Requests()); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestTooManyRefusalsStopTheBotBeforeDiscordBansIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.d.session.invalid.limit = 3
	w.Fail(anyMember, fakediscord.RateLimitedShared(time.Millisecond), 5) // not held against us
	f := w.owed(w.ada, w.params(w.role))
	for range 5 {
		_, _ = w.d.Grant(t.Context(), f)
		w.clock.move(time.Second)
	}
	w.Fail(anyMember, fakediscord.RateLimited(time.Second), fakediscord.Always)
	for range 3 {
		_, err := w.d.Grant(t.Context(), f)
		throttled(t, err, laneOf(w.guild), time.Second, "")
		w.clock.move(3 * time.Second)
	}
	_, err := w.d.Grant(t.Context(), f)
	throttled(t, err, "discord:bot", 10*time.Minute, "bans an address")
	w.Mend()
	w.clock.move(10 * time.Minute)
	w.grant(f)
}

func TestRefusalsAreForgottenAfterTenMinutes(t *testing.T) {
	t.Parallel()
	b, now := &budget{limit: 1}, time.Now()
	refused := &trip{status: 403}
	if b.spent(refused, now) || !b.spent(refused, now.Add(9*time.Minute)) {
		t.Error("two within ten minutes do not count as two")
	}
	if b.spent(refused, now.Add(30*time.Minute)) {
		t.Error("one counts with others that are long past")
	}
}

func TestDiscordsWordsCannotCarryTheToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Fail(giveRole, fakediscord.Refuse(400, 50035, "bad token "+token+"\nnext line "+strings.Repeat("x", 1000)), 1)
	_, err := w.d.Grant(t.Context(), w.owed(w.ada, w.params(w.role)))
	text := want(t, err, fulfillers.ClassPermanent, "bad_request", "[redacted]")
	if strings.Contains(text, "a-secret") || strings.Contains(text, "\n") || len(text) > 600 {
		t.Errorf("error %s", text)
	}
}
