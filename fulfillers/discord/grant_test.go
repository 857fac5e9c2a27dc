package discord

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/internal/fakediscord"

	"github.com/google/go-cmp/cmp"
)

var (
	anyMember = fakediscord.Match{Method: "GET", Path: "/guilds/*/members/*"}
	giveRole  = fakediscord.Match{Method: "PUT", Path: "/guilds/*/members/*/roles/*"}
	takeRole  = fakediscord.Match{Method: "DELETE", Path: "/guilds/*/members/*/roles/*"}
)

func TestSeveralRolesOfOneBenefitAreAllGiven(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.grant(w.owed(w.ada, w.params(w.role, w.vip)))
	w.wantRoles(w.ada, w.role, w.vip)
	want := grant.Properties{"guild_id": w.guild, "user_id": w.ada, "role_ids": []any{w.role, w.vip}}
	if diff := cmp.Diff(want, f.Properties); diff != "" {
		t.Errorf("properties (-want +got):\n%s", diff)
	}
	if got := w.Unrouted(); len(got) > 0 {
		t.Errorf("calls that Discord has no route for: %+v", got)
	}
}

func TestOneBotServesSeveralGuilds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grant(w.owed(w.ada, w.params(w.role)))
	first := w.guild
	w.guild = w.NewGuild(fakediscord.Guild{}).ID
	role := w.NewRole(w.guild, fakediscord.Role{}).ID
	w.AddBot(w.guild, rights, 5)
	w.join(w.ada)
	w.grant(w.owed(w.ada, w.params(role)))
	w.wantRoles(w.ada, role)
	w.guild = first
	w.wantRoles(w.ada, w.role)
}

func TestOnlyWhatIsMissingIsWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.AddRoleByHand(w.guild, w.ada, w.role)
	f := w.grant(w.owed(w.ada, w.params(w.role, w.vip)))
	if n := w.changes(); n != 1 {
		t.Errorf("%d changes, want 1", n)
	}
	w.grant(f)
	if n := w.changes(); n != 1 {
		t.Errorf("%d changes after a second grant, want 1", n)
	}
}

func TestEveryChangeNamesTheGrantInTheAuditLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.revoke(w.grant(w.owed(w.ada, w.kicking())))
	log := w.AuditLog(w.guild)
	if len(log) != 2 && len(log) != 3 {
		t.Fatalf("audit log %+v, want the role given and taken", log)
	}
	w.waits(w.owed(w.grace, w.params(w.role)), "not_in_guild")
	for _, entry := range w.AuditLog(w.guild) {
		if entry.Reason != "fulfilld grant g1" {
			t.Errorf("%s has the reason %q", entry.Action, entry.Reason)
		}
	}
}

func TestReasonFitsTheAuditLog(t *testing.T) {
	t.Parallel()
	for _, id := range []string{strings.Repeat("a", 2000), strings.Repeat("é\n", 500), "a" + strings.Repeat("é", 500), "aa" + strings.Repeat("é", 500)} {
		got := reason(id)
		if len(got) > longestReason || len(got) < longestReason-8 || strings.ContainsAny(got, " \n") {
			t.Errorf("reason of %d bytes: %q", len(got), got)
		}
	}
}

func TestARoleGivenTwiceAtOnceIsGivenOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.owed(w.ada, w.params(w.role))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := w.d.Grant(t.Context(), f); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if log := w.AuditLog(w.guild); len(log) != 1 {
		t.Errorf("audit log %+v, want one entry", log)
	}
}

func TestOnlyDiscordsWordThatARoleIsGivenCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Fail(giveRole, fakediscord.NotJSON(), fakediscord.Always)
	_, err := w.d.Grant(t.Context(), w.owed(w.ada, w.params(w.role)))
	want(t, err, fulfillers.ClassTransient, "malformed", "")
}

func TestAnAnswerAboutSomebodyElseIsNoAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, body := range []string{`{}`, `null`, `[]`, `{"user":{"id":"1"},"roles":[]}`} {
		answerWith(w, body)
		_, err := w.d.Grant(t.Context(), w.owed(w.ada, w.params(w.role)))
		want(t, err, fulfillers.ClassTransient, "malformed", "")
		err = w.d.Revoke(t.Context(), ended(t, w.owed(w.ada, w.params(w.role))))
		want(t, err, fulfillers.ClassTransient, "malformed", "")
	}
}

// answerWith makes every answer a 200 with this body.
func answerWith(w *world, body string) {
	w.d.session.api.Client.Transport.(*guard).next = trips(func(*http.Request) (*http.Response, error) {
		return response(http.StatusOK, body), nil
	})
}

func TestAccessGoesToWhoComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.grant(w.owed(w.ada, w.params(w.role)))
	w.Leave(w.guild, w.ada)
	f, _ = w.waits(f, "not_in_guild")
	w.join(w.ada)
	w.grant(f)
	w.wantRoles(w.ada, w.role)
}

func TestAMemberUnderScreeningGetsTheRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.EditGuild(w.guild, func(g *fakediscord.Guild) { g.Screening = true })
	w.join(w.grace)
	w.grant(w.owed(w.grace, w.params(w.role)))
	w.wantRoles(w.grace, w.role)
}

func TestWhoLeavesInTheMiddleIsInvited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Fail(giveRole, fakediscord.Refuse(404, 10007, "Unknown Member"), 1)
	w.waits(w.owed(w.ada, w.params(w.role)), "not_in_guild")
}

func TestADeletedAccountIsTheCustomersToMend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.owed(w.ada, w.params(w.role))
	w.DeleteUser(w.ada)
	w.waits(f, "account_gone")
}

func TestABannedAccountIsNeverUnbanned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Ban(w.guild, w.ada)
	f, _ := w.waits(w.owed(w.ada, w.params(w.role)), "not_in_guild")
	w.Fail(anyMember, fakediscord.Refuse(403, 40007, "The user is banned from this guild."), 1)
	w.waits(f, "banned")
	if !w.Banned(w.guild, w.ada) {
		t.Error("the ban was lifted")
	}
	w.revoke(f)
}

func TestProtectedUsersAreNotTouched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.d.config.Protect = []string{w.ada}
	f := w.owed(w.ada, w.kicking())
	_, err := w.d.Grant(t.Context(), f)
	want(t, err, fulfillers.ClassPermanent, "protected", "fulfillers.discord.protect")
	w.AddRoleByHand(w.guild, w.ada, w.role)
	w.revoke(w.grant(f))
	w.wantRoles(w.ada, w.role)
	if n := w.changes(); n != 0 {
		t.Errorf("%d changes, want none", n)
	}
	w.Leave(w.guild, w.ada)
	_, err = w.d.Grant(t.Context(), f)
	want(t, err, fulfillers.ClassPermanent, "protected", "")
}

func TestGuildsThatOthersNameMustBeAllowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.owed(w.ada, w.params(w.role))
	for _, origin := range []string{"platform", "metadata", ""} {
		f.Target.Origin = origin
		_, err := w.d.Grant(t.Context(), f)
		want(t, err, fulfillers.ClassPermanent, "not_allowed", "guild_id: the guild "+w.guild)
		_, err = w.d.Resources(f)
		want(t, err, fulfillers.ClassPermanent, "not_allowed", "fulfillers.discord.allow")
	}
	if n := len(w.Requests()); n != 0 {
		t.Errorf("%d calls, want none", n)
	}
	w.d.config.Allow = []string{w.guild}
	w.grant(f)
}

func TestWhatCannotBeDoneIsNotTried(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.owed(w.ada, w.params(w.role))
	bad := f
	bad.Target.Params = json.RawMessage(`{}`)
	_, err := w.d.Grant(t.Context(), bad)
	want(t, err, fulfillers.ClassPermanent, "bad_params", "guild_id")
	bad = f
	bad.Account.ID = "../../users/@me"
	_, err = w.d.Grant(t.Context(), bad)
	want(t, err, fulfillers.ClassActionRequired, "no_account", "")
	bad = f
	bad.Holds = nil
	_, err = w.d.Grant(t.Context(), bad)
	want(t, err, fulfillers.ClassTransient, "no_holds", "")
	if n := len(w.Requests()); n != 0 {
		t.Errorf("%d calls, want none", n)
	}
}

func TestWhatWasJustObservedIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.owed(w.ada, w.params(w.role))
	resources, err := w.d.Resources(f)
	if err != nil {
		t.Fatal(err)
	}
	reads := fakediscord.Match{Method: "GET", Path: "/guilds/*/members/*"}
	if _, err := w.d.Observe(t.Context(), f, resources); err != nil {
		t.Fatal(err)
	}
	before := w.Count(reads)
	if _, err := w.d.Grant(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if n := w.Count(reads) - before; n != 0 {
		t.Errorf("%d reads for the grant, want none", n)
	}
	w.RemoveRoleByHand(w.guild, w.ada, w.role)
	if _, err := w.d.Grant(t.Context(), f); err != nil || !slices.Contains(w.Roles(w.guild, w.ada), w.role) {
		t.Errorf("an old glance counts: %v", err)
	}
}
