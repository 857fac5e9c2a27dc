package github

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"fulfilld/grant"
	"fulfilld/internal/fakegithub"
)

func (w *world) observe(repositories ...string) []grant.Access {
	w.t.Helper()
	var all []grant.Resource
	for _, name := range repositories {
		all = append(all, grant.Resource{Provider: provider, Name: name, Account: "583231", Level: 1})
	}
	found, err := w.g.Observe(w.t.Context(), grant.Fulfilment{}, all)
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

func elsewhere(level int) grant.Access { return grant.Access{Level: level, Elsewhere: true} }

// crew makes octocat a member of a team that has a role in acme/pro.
func (w *world) crew(role fakegithub.Role) {
	w.AddTeam(fakegithub.Team{Org: "acme", Slug: "crew", Members: []int64{octocat}, Repositories: map[int64]fakegithub.Role{w.pro: role}})
}

func TestALevelIsWhatTheAccountMayDoHoweverThatCameAbout(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		how  func(*world)
		want grant.Access
	}{
		"Nothing":   {func(*world) {}, grant.Access{}},
		"Direct":    {func(w *world) { w.AddByHand(w.pro, octocat, fakegithub.Maintain) }, grant.Access{Level: 4}},
		"Owner":     {func(w *world) { w.AddMember("acme", octocat, true) }, elsewhere(5)},
		"BaseRole":  {func(w *world) { w.AddMember("acme", octocat, false); w.SetBase("acme", fakegithub.Write) }, elsewhere(3)},
		"Invited":   {func(w *world) { w.invited(w.owed(`{"repository":"acme/pro","permission":"triage"}`)) }, grant.Access{Level: 2}},
		"Withdrawn": {func(w *world) { w.invited(w.owed(pullPro)); _ = w.Decline(w.only(w.pro).ID) }, grant.Access{}},
		"Expired":   {func(w *world) { w.invited(w.owed(pullPro)); w.clock.pass(8 * 24 * time.Hour) }, grant.Access{}},
		"Team":      {func(w *world) { w.crew(fakegithub.Triage) }, elsewhere(2)},
		"TeamToo":   {func(w *world) { w.AddByHand(w.pro, octocat, fakegithub.Read); w.crew(fakegithub.Triage) }, grant.Access{Level: 2}},
		"TeamAndInvited": {func(w *world) {
			w.invited(w.owed(pullPro))
			w.crew(fakegithub.Triage)
		}, grant.Access{Level: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, options{token: true})
			c.how(w)
			if got := w.observe("acme/extra", "acme/pro")[1]; got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestWhatEverybodyMayDoIsNobodys(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	public := w.AddRepository(fakegithub.Repository{Owner: "acme", Name: "open", Public: true})
	if got := w.observe("acme/open"); got[0] != (grant.Access{}) {
		t.Errorf("%+v", got[0])
	}
	f := w.invited(w.owed(`{"repository":"acme/open","permission":"push"}`))
	w.accept(public)
	f = w.granted(f)
	if got := w.observe("acme/open"); got[0] != (grant.Access{Level: 3}) {
		t.Errorf("%+v", got[0])
	}
	w.revoked(f)
	w.role(public, "")
}

func TestObservingFailsRatherThanGuess(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	ask := func(name, account string) error {
		_, err := w.g.Observe(t.Context(), grant.Fulfilment{}, []grant.Resource{{Name: name, Account: account}})
		return err
	}
	w.is(ask("acme/none", "583231"), throttled, "app_not_installed")
	w.is(ask("acme/../pro", "583231"), lasting, "bad_repository")
	w.is(ask("acme/pro", "octocat"), required, "bad_account")
	w.is(ask("acme/pro", "404"), required, "account_gone")
	w.Inject(fakegithub.Fault{Kind: fakegithub.HTMLError})
	w.is(ask("acme/pro", "583231"), transient, "refused")
}

func TestAccountsAreIdentifiedByNameOrNumber(t *testing.T) {
	t.Parallel()
	for _, token := range []bool{false, true} {
		w := start(t, options{token: token})
		for _, words := range []string{"octocat", "OctoCat", " @octocat ", "583231", "https://github.com/octocat", "https://github.com/octocat/"} {
			got, err := w.g.Identify(t.Context(), words)
			if want := (grant.Account{Provider: "github", ID: "583231", Name: "octocat"}); err != nil || got != want {
				t.Errorf("%q: %+v, %v", words, got, err)
			}
		}
	}
}

func TestDigitsThatNameOneAccountAndNumberAnotherAreAskedAbout(t *testing.T) {
	t.Parallel()
	w := start(t, options{token: true})
	id := func(words string) string {
		t.Helper()
		a, err := w.g.Identify(t.Context(), words)
		if err != nil {
			t.Fatalf("%s: %v", words, err)
		}
		return a.ID
	}
	buyer := w.AddUser(fakegithub.User{ID: 4711, Login: "583231"})
	_, err := w.g.Identify(t.Context(), " 583231 ")
	w.is(err, required, "ambiguous_account", "number is 4711", "octocat", "https://github.com/583231", "link github:4711 or github:octocat")
	for words, want := range map[string]string{"@583231": "4711", "https://github.com/583231": "4711", "4711": "4711", "octocat": "583231"} {
		if got := id(words); got != want {
			t.Errorf("%s: %s, want %s", words, got, want)
		}
	}
	w.Inject(fakegithub.Fault{Kind: fakegithub.ServerError, Times: 1, Match: fakegithub.Match{Path: "/user/*"}})
	_, err = w.g.Identify(t.Context(), "583231")
	w.is(err, transient, "refused")
	w.Inject(fakegithub.Fault{Kind: fakegithub.ServerError, Times: 1, Match: fakegithub.Match{Path: "/users/*"}})
	_, err = w.g.Identify(t.Context(), "583231")
	w.is(err, transient, "refused")
	w.DeleteUser(octocat)
	if got := id("583231"); got != "4711" {
		t.Errorf("%s", got)
	}
	w.RenameAccount(buyer, "4711") // named as it is numbered
	if got := id("4711"); got != "4711" {
		t.Errorf("%s", got)
	}
	long := w.AddUser(fakegithub.User{Login: strings.Repeat("9", 30)}) // no number is so long
	if got := id(strings.Repeat("9", 30)); got != fmt.Sprint(long) {
		t.Errorf("%s", got)
	}
}

func TestWordsThatNameNobodyAreNotRepeatedToGitHub(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	for _, words := range []string{
		"", "octo@cat.example", "..", "../../user", "octocat/repos", "octocat?x=1", "octocat#", "%2e%2e", "-octocat", "octo cat",
		"https://github.com/octocat/pro", "https://evil.example/octocat", strings.Repeat("x", 60),
	} {
		_, err := w.g.Identify(t.Context(), words)
		w.is(err, required, "bad_account", "https://github.com/NAME")
		if strings.Contains(err.Error(), "cat.example") {
			t.Errorf("names the address: %v", err)
		}
	}
	if n := w.count("", ""); n != 0 {
		t.Errorf("%d requests", n)
	}
	for words, code := range map[string]string{"nobody": "no_such_account", "4040404": "no_such_account", "acme": "not_a_person"} {
		_, err := w.g.Identify(t.Context(), words)
		w.is(err, required, code)
	}
}

func TestAnyInstallationCanLookAccountsUp(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.SuspendApp(w.installation)
	_, err := w.g.Identify(t.Context(), "octocat")
	w.is(err, throttled, "app_not_installed")
	w.AddOrg(fakegithub.Org{Login: "umbrella"})
	w.Install(fakegithub.Installation{App: 4711, Account: "umbrella", Permissions: map[string]string{"administration": "write"}})
	if got, err := w.g.Identify(t.Context(), "octocat"); err != nil || got.ID != "583231" {
		t.Errorf("%+v, %v", got, err)
	}
	if all := w.Requests(fakegithub.Match{Path: "/users/*"}); !slices.ContainsFunc(all, func(r fakegithub.Request) bool { return strings.HasPrefix(r.By, "installation ") }) {
		t.Errorf("%+v", all)
	}
}
