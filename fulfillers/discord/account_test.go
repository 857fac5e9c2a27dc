package discord

import (
	"encoding/json"
	"strings"
	"testing"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/internal/fakediscord"

	"github.com/google/go-cmp/cmp"
)

func TestOnlyAnIdNamesAnAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got, err := w.d.Identify(t.Context(), " "+w.ada+"\n")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(grant.Account{Provider: "discord", ID: w.ada, Name: "ada"}, got); diff != "" {
		t.Errorf("account (-want +got):\n%s", diff)
	}
	calls := len(w.Requests())
	for _, words := range []string{"", "ada", "ada#1234", "ada@example.com", "@me", "../guilds/1", "0", "007", "99999999999999999999", "-1"} {
		_, err := w.d.Identify(t.Context(), words)
		text := want(t, err, fulfillers.ClassActionRequired, "no_account", "Copy User ID")
		if strings.Contains(text, "ada") {
			t.Errorf("repeats what was said: %s", text)
		}
	}
	if n := len(w.Requests()) - calls; n != 0 {
		t.Errorf("%d calls for what is no id", n)
	}
}

func TestNobodysIdAndABotsIdAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.d.Identify(t.Context(), "12345")
	want(t, err, fulfillers.ClassActionRequired, "account_gone", "")
	_, err = w.d.Identify(t.Context(), w.Bot().ID)
	want(t, err, fulfillers.ClassActionRequired, "no_account", "a bot")
	w.Fail(fakediscord.Match{}, fakediscord.Status(500), 1)
	_, err = w.d.Identify(t.Context(), w.ada)
	want(t, err, fulfillers.ClassTransient, "refused", "")
	answerWith(w, `{"id":"`+w.grace+`"}`)
	_, err = w.d.Identify(t.Context(), w.ada)
	want(t, err, fulfillers.ClassTransient, "malformed", "another user")
}

func TestObserveSeesRolesAndMembership(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.AddRoleByHand(w.guild, w.ada, w.role)
	gone := w.NewUser(fakediscord.User{}).ID
	w.DeleteUser(gone)
	var all []grant.Resource
	for _, user := range []string{w.ada, w.grace, gone} {
		for _, name := range []string{roleName(w.guild, w.vip), w.guild, roleName(w.guild, w.role)} {
			all = append(all, grant.Resource{Provider: "discord", Name: name, Account: user})
		}
	}
	got, err := w.d.Observe(t.Context(), grant.Fulfilment{}, all)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]grant.Access{{}, {Level: 1}, {Level: 1}, {}, {}, {}, {}, {}, {}}, got); diff != "" {
		t.Errorf("levels (-want +got):\n%s", diff)
	}
	if n := w.Count(anyMember); n != 3 {
		t.Errorf("%d calls for three members", n)
	}
}

func TestObserveNeverTakesARefusalForAbsence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := []grant.Resource{{Provider: "discord", Name: w.guild, Account: w.ada}}
	for _, f := range []fakediscord.Fault{fakediscord.Status(500), fakediscord.NotJSON(), fakediscord.Refuse(404, 10004, "Unknown Guild"), fakediscord.Status(404)} {
		w.Mend()
		w.Fail(anyMember, f, fakediscord.Always)
		if got, err := w.d.Observe(t.Context(), grant.Fulfilment{Asked: true}, all); err == nil {
			t.Errorf("levels %v, want an error", got)
		}
	}
}

func TestResourcesAreTheMembershipAndEachRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.owed(w.ada, w.params(w.vip, w.role, w.role))
	got, err := w.d.Resources(f)
	if err != nil {
		t.Fatal(err)
	}
	want := []grant.Resource{
		{Provider: "discord", Name: w.guild, Account: w.ada, Level: 1},
		{Provider: "discord", Name: w.guild + "/" + w.role, Account: w.ada, Level: 1},
		{Provider: "discord", Name: w.guild + "/" + w.vip, Account: w.ada, Level: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
	if n := len(w.Requests()); n != 0 {
		t.Errorf("%d calls, want none", n)
	}
}

func TestInvitesSaysWhoIsReached(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var _ interface {
		fulfillers.Resourceful
		fulfillers.Prober
		fulfillers.Inviter
	} = w.d
	if got := w.d.Invites(json.RawMessage(w.params(w.role))); !strings.Contains(got, w.guild) || !strings.Contains(got, w.role) {
		t.Errorf("says %q", got)
	}
	if got := w.d.Invites(nil); got != "" {
		t.Errorf("says %q of nothing", got)
	}
	if w.d.Provider() != "discord" {
		t.Error("the provider is not discord")
	}
}
