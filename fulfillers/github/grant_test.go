package github

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/internal/fakegithub"
)

const (
	none      = fulfillers.ClassNone
	transient = fulfillers.ClassTransient
	throttled = fulfillers.ClassThrottled
	required  = fulfillers.ClassActionRequired
	lasting   = fulfillers.ClassPermanent
)

func TestAnAccountIsItsNumberWhateverItIsCalled(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.RenameAccount(octocat, "Kitty")
	w.AddUser(fakegithub.User{Login: "octocat"}) // a stranger
	f := w.owed(pullPro)
	f.Account.Name = "octocat"
	f = w.wants(f, required, "invited", "Kitty is invited")
	if got := w.only(w.pro); got.Invitee != octocat {
		t.Errorf("invited %d", got.Invitee)
	}
	w.accept(w.pro)
	w.RenameAccount(octocat, "OCTO")
	w.granted(f)
	w.revoked(f)
	w.role(w.pro, "")
}

func TestAnUpdateThatGitHubDoesNotShowIsNotTakenForDone(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.invited(w.owed(pullPro))
	f.Holds[0].Level = 3
	body := fmt.Sprintf(`{"id":%d,"permissions":"read"}`, w.only(w.pro).ID)
	lift := w.Inject(fakegithub.Fault{Kind: fakegithub.Custom, Status: 200, Body: body, Match: fakegithub.Match{Method: "PATCH"}})
	w.wants(f, lasting, "wrong_permission", "change it by hand")
	lift()
	w.AddByHand(w.pro, octocat, fakegithub.Read)
	w.Inject(fakegithub.Fault{Kind: fakegithub.Custom, Status: 204, Body: ` `, Match: fakegithub.Match{Method: "PUT"}})
	w.wants(f, transient, "not_shown")
}

func TestEveryPermissionIsGivenAsItIs(t *testing.T) {
	t.Parallel()
	for level, name := range permissions {
		w := start(t, options{})
		f := w.invited(w.owed(`{"repository":"acme/pro","permission":"` + name + `"}`))
		if got := w.only(w.pro); string(got.Role) != roleNames[level] {
			t.Errorf("%s: invited as %s", name, got.Role)
		}
		w.accept(w.pro)
		w.granted(f)
		w.role(w.pro, fakegithub.Role(roleNames[level]))
	}
}

// The person's fork goes with the last access, so it tells.
func TestARoleChangesByUpdate(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.invited(w.owed(pullPro))
	id := w.only(w.pro).ID
	f.Holds[0].Level = 3
	f = w.wants(f, required, "invited")
	if got := w.only(w.pro); got.ID != id || got.Role != fakegithub.Write {
		t.Errorf("invitation %d as %s, want %d", got.ID, got.Role, id)
	}
	w.accept(w.pro)
	w.Fork(w.pro, octocat)
	for _, level := range []int{4, 1} {
		f.Holds[0].Level = level
		f = w.granted(f)
		w.role(w.pro, fakegithub.Role(roleNames[level-1]))
	}
	f.Holds[0].Others = 3
	f = w.granted(f)
	w.role(w.pro, fakegithub.Write)
	if len(w.Forks(w.pro)) != 1 || w.count("DELETE", "") != 0 || first(t, f)["permission"] != "push" {
		t.Errorf("forks %v, %d deletions, %v", w.Forks(w.pro), w.count("DELETE", ""), f.Properties)
	}
}

func TestWhatWasThereBeforeIsNeverLowered(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.AddByHand(w.pro, octocat, fakegithub.Maintain)
	f := w.owed(pullPro)
	if f = w.judged(f); f.Holds[0].Origin != grant.FromBefore || f.Holds[0].Before != 4 {
		t.Fatalf("%+v", f.Holds)
	}
	f = w.granted(f)
	w.revoked(f)
	w.role(w.pro, fakegithub.Maintain)
	if w.writes() != 0 {
		t.Errorf("%d writes", w.writes())
	}
}

func TestWhoHasAccessOtherwiseNeedsNoInvitation(t *testing.T) {
	t.Parallel()
	for name, join := range map[string]func(*world){
		"Owner": func(w *world) { w.AddMember("acme", octocat, true) },
		"Team": func(w *world) {
			w.AddTeam(fakegithub.Team{Org: "acme", Slug: "crew", Members: []int64{octocat}, Repositories: map[int64]fakegithub.Role{w.pro: fakegithub.Write}})
		},
		"BaseRole": func(w *world) { w.SetBase("acme", fakegithub.Read); w.AddMember("acme", octocat, false) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, options{})
			join(w)
			f := w.granted(w.owed(pullPro))
			w.revoked(f)
			if first(t, f)["access"] != "other" || w.writes() != 0 || w.Access(w.pro, octocat) == fakegithub.None {
				t.Errorf("%d writes, %v, %s", w.writes(), f.Properties, w.Access(w.pro, octocat))
			}
		})
	}
}

func TestAnAdministratorMadeByHandStaysOne(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.invited(w.owed(pullPro))
	w.AddByHand(w.pro, octocat, fakegithub.Admin)
	for range 3 {
		if f = w.granted(f); first(t, f)["access"] != "other" {
			t.Errorf("%v", f.Properties)
		}
		w.role(w.pro, fakegithub.Admin)
	}
	for _, level := range []int{admin, 2} { // sold it, and then less again
		f.Holds[0].Level = level
		f = w.granted(f)
		w.role(w.pro, fakegithub.Admin)
	}
	f.Asked = true
	f = w.granted(f)
	f.Holds[0].Others = 1
	w.revoked(f)
	w.role(w.pro, fakegithub.Admin)
}

const adminPro = `{"repository":"acme/pro","permission":"admin"}`

// sold is octocat as an administrator whom we have made one.
func (w *world) sold() grant.Fulfilment {
	w.t.Helper()
	f := w.invited(w.owed(adminPro))
	w.accept(w.pro)
	f = w.granted(f)
	w.role(w.pro, fakegithub.Admin)
	return f
}

func TestAnAdministratorWhomWeMadeIsLowered(t *testing.T) {
	t.Parallel()
	put := fakegithub.Match{Method: "PUT"}
	for name, before := range map[string]func(*world, grant.Fulfilment) grant.Fulfilment{
		"AtOnce": func(_ *world, f grant.Fulfilment) grant.Fulfilment { return f },
		"Refused": func(w *world, f grant.Fulfilment) grant.Fulfilment {
			defer w.Inject(fakegithub.Fault{Kind: fakegithub.ServerError, Match: put})()
			f = w.wants(f, transient, "refused")
			return w.wants(f, transient, "refused")
		},
		"Throttled": func(w *world, f grant.Fulfilment) grant.Fulfilment {
			defer w.lanes.wake()
			defer w.Inject(fakegithub.Fault{Kind: fakegithub.SecondaryLimit, Match: put})()
			return w.wants(f, throttled, "throttled")
		},
		"EditedTwice": func(_ *world, f grant.Fulfilment) grant.Fulfilment { f.Generation += 2; return f },
		"Asked":       func(_ *world, f grant.Fulfilment) grant.Fulfilment { f.Asked = true; return f },
		"AfterARevokeThatFailed": func(_ *world, f grant.Fulfilment) grant.Fulfilment {
			f.Generation += 2
			f.Holds[0].Since = f.Generation - 1
			return f
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, options{})
			f := w.sold()
			f.Holds[0].Level = 1
			f = w.granted(before(w, f))
			if w.role(w.pro, fakegithub.Read); first(t, f)["access"] != nil || first(t, f)["permission"] != "pull" {
				t.Errorf("%v", f.Properties)
			}
		})
	}
}

// What may have been given although nobody heard of it was.
func TestAnAdministratorIsLoweredWhoseMakingWasNotAnswered(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.invited(w.owed(pullPro))
	w.accept(w.pro)
	f = w.granted(f)
	lift := w.Inject(fakegithub.Fault{Kind: fakegithub.LostAnswer, Match: fakegithub.Match{Method: "PUT"}})
	f.Holds[0].Level = admin
	f = w.wants(f, transient, "network")
	w.role(w.pro, fakegithub.Admin)
	lift()
	f.Holds[0].Level = 1
	w.granted(f)
	w.role(w.pro, fakegithub.Read)
}

func TestAnAdministratorIsLoweredWhoseInvitationWasRaisedWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.invited(w.owed(pullPro))
	lift := w.Inject(fakegithub.Fault{Kind: fakegithub.LostAnswer, Match: fakegithub.Match{Method: "PATCH"}})
	f.Holds[0].Level = admin
	f = w.wants(f, transient, "network")
	lift()
	w.accept(w.pro)
	f.Holds[0].Level = 1
	w.granted(f)
	w.role(w.pro, fakegithub.Read)
}

// GitHub may show for a while what was there before.
func TestWhatOthersGaveIsForgottenWhenItIsGone(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.invited(w.owed(pullPro))
	w.accept(w.pro)
	f = w.granted(f)
	w.AddTeam(fakegithub.Team{Org: "acme", Slug: "crew", Members: []int64{octocat}, Repositories: map[int64]fakegithub.Role{w.pro: fakegithub.Maintain}})
	if f = w.granted(f); first(t, f)["also"] != "maintain" {
		t.Errorf("%v", f.Properties)
	}
	w.RemoveTeam("acme", "crew")
	if f = w.granted(f); first(t, f)["also"] != nil {
		t.Errorf("%v", f.Properties)
	}
}

func TestARefusedPermissionWasNotGiven(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.invited(w.owed(pullPro))
	w.accept(w.pro)
	f = w.granted(f)
	lift := w.Inject(fakegithub.Fault{Kind: fakegithub.Custom, Status: 403, Body: `{"message":"Forbidden"}`, Match: fakegithub.Match{Method: "PUT"}})
	f.Holds[0].Level = admin
	f = w.wants(f, transient, "refused")
	lift()
	w.AddByHand(w.pro, octocat, fakegithub.Admin)
	f.Holds[0].Level = 1
	w.granted(f)
	w.role(w.pro, fakegithub.Admin)
}

func TestAnAdministratorWhomWeMadeIsLoweredWhenThatGrantEnds(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.sold()
	other := w.owed(pullPro) // whose Grant found an administrator
	other.Holds[0].Others = admin
	other = w.granted(other)
	f.Holds[0].Others = 1
	w.revoked(f)
	w.role(w.pro, fakegithub.Read)
	other.Holds[0].Others = 0
	w.granted(other)
	w.role(w.pro, fakegithub.Read)
}

func TestProtectedAccountsAreNeverTouched(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"OctoCat", "583231"} {
		w := start(t, options{edit: func(c *Config) { c.Protect = []string{who} }})
		w.AddByHand(w.pro, octocat, fakegithub.Triage)
		f := w.owed(`{"repository":"acme/pro","permission":"push"}`)
		if f = w.granted(f); first(t, f)["access"] != "protected" {
			t.Errorf("%v", f.Properties)
		}
		w.revoked(f)
		w.role(w.pro, fakegithub.Triage)
	}
}

func TestMembersAreLetInAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.AddMember("acme", octocat, false)
	if f := w.granted(w.owed(pullPro)); first(t, f)["accepted"] != true {
		t.Errorf("%v", f.Properties)
	}
	w.role(w.pro, fakegithub.Read)
}

// A team's higher role shows in every answer of GitHub's.
func TestARoleBesideATeamsIsSetOnce(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.AddByHand(w.pro, octocat, fakegithub.Read)
	w.AddTeam(fakegithub.Team{Org: "acme", Slug: "crew", Members: []int64{octocat}, Repositories: map[int64]fakegithub.Role{w.pro: fakegithub.Write}})
	f := w.granted(w.owed(pullPro))
	f = w.granted(f)
	if first(t, f)["also"] != "push" || w.writes() != 1 {
		t.Errorf("%d writes, %v", w.writes(), f.Properties)
	}
}

func TestAnotherAccountBeginsAnew(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	hubot := w.AddUser(fakegithub.User{ID: 77, Login: "hubot"})
	f := w.invited(w.owed(pullPro))
	old := f.Holds[0]
	old.Level = 0
	f.Account.ID = "77"
	f.Holds = w.owed(pullPro).Holds
	f.Holds[0].Account = "77"
	f.Holds = append(f.Holds, old)
	f = w.wants(f, required, "invited", "hubot is invited")
	if all := w.Invitations(w.pro); len(all) != 2 || all[1].Invitee != hubot || f.Properties["account_id"] != "77" {
		t.Errorf("%+v, %v", all, f.Properties)
	}
	f.Holds = f.Holds[1:]
	w.revoked(f)
	if got := w.only(w.pro); got.Invitee != hubot {
		t.Errorf("left %+v", got)
	}
}

func TestADeletedAccountHasToBeLinkedAnew(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*world){
		"Deleted":   func(w *world) { w.DeleteUser(octocat) },
		"Suspended": func(w *world) { w.SuspendUser(octocat) },
		"InBetween": func(w *world) {
			w.at("PUT", "/octocat", func(*http.Request) { w.DeleteUser(octocat) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, options{})
			end(w)
			w.wants(w.owed(pullPro), required, "account_gone", "link another")
		})
	}
}

func TestAnAccountWithoutNumberNeverComesIntoAURL(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.owed(pullPro)
	for _, id := range []string{"", "octocat", "..", "1/../../user", "-1", strings.Repeat("9", 30)} {
		f.Account.ID = id
		_, err := w.g.Resources(f)
		w.is(err, required, "bad_account")
		f.Holds[0].Account, f.Holds[0].Level = id, 0
		w.is(w.g.Revoke(t.Context(), f), required, "bad_account")
	}
	if n := w.count("", ""); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestEveryRepositoryThatCanBeDoneIsDone(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	third := w.AddRepository(fakegithub.Repository{Owner: "acme", Name: "third"})
	w.Archive(w.pro)
	w.AddByHand(third, octocat, fakegithub.Read)
	f := w.owed(`{"repositories":["acme/pro","acme/extra","acme/third"]}`)
	f = w.wants(f, lasting, "archived", "acme/pro")
	w.only(w.extra)
	all := f.Properties["repositories"].([]any)
	if len(all) != 3 || all[1].(map[string]any)["invitation_url"] == nil || all[2].(map[string]any)["accepted"] != true || f.Properties["invitation_url"] == nil {
		t.Errorf("%v", f.Properties)
	}
	w.Unarchive(w.pro)
	f = w.wants(f, required, "invited", "to acme/pro", "to acme/extra")
	w.accept(w.pro)
	w.accept(w.extra)
	w.granted(f)
}

func TestEveryRepositoryIsHeldBeforeAnyIsGiven(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.owed(`{"repositories":["acme/pro","acme/extra"]}`)
	f.Holds = f.Holds[:1]
	w.wants(f, transient, "not_held", "acme/extra")
	if n := w.count("", ""); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestARenamedRepositoryIsFound(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.invited(w.owed(pullPro))
	w.RenameRepository(w.pro, "pro2")
	f = w.invited(f)
	w.accept(w.pro)
	f.Holds[0].Level = 2
	f = w.granted(f)
	w.role(w.pro, fakegithub.Triage)
	w.revoked(f)
	w.role(w.pro, "")
}

func TestATransferredRepositoryIsFoundByItsNewInstallation(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.invited(w.owed(pullPro))
	w.AddOrg(fakegithub.Org{Login: "umbrella", Base: fakegithub.None})
	w.Transfer(w.pro, "umbrella")
	f = w.wants(f, throttled, "app_not_installed")
	w.is(w.g.Revoke(t.Context(), let(f)), throttled, "app_not_installed")
	w.Install(fakegithub.Installation{App: 4711, Account: "umbrella", Permissions: map[string]string{"administration": "write"}})
	f = w.invited(f)
	f.Target.Origin = "platform"
	w.g.config.Allow = []string{"acme/*"}
	w.wants(f, lasting, "not_allowed", "umbrella/pro")
}

func TestPersonalRepositoriesAreRefused(t *testing.T) {
	t.Parallel()
	w := start(t, options{token: true})
	repo := w.AddRepository(fakegithub.Repository{Owner: "alice", Name: "own"})
	w.wants(w.owed(`{"repository":"alice/own"}`), lasting, "personal_repository", "move it to an organisation")
	if w.writes() != 0 || len(w.Invitations(repo)) != 0 {
		t.Errorf("%d writes", w.writes())
	}
}

func TestOthersThanTheOperatorGetWhatIsAllowed(t *testing.T) {
	t.Parallel()
	w := start(t, options{edit: func(c *Config) { c.Allow, c.MaxPermission = []string{"acme/p*"}, "triage" }})
	for params, code := range map[string]string{
		`{"repository_owner":"Acme","repository_name":"Pro","permission":"triage"}`: "",
		`{"repositories":"acme/pro, acme/plus"}`:                                    "",
		`{"repositories":"acme/pro,acme/extra"}`:                                    "not_allowed",
		`{"repository":"other/pro"}`:                                                "not_allowed",
		`{"repository":"acme/pro","permission":"push"}`:                             "permission_too_high",
	} {
		for _, origin := range []string{"config", "metadata", "platform"} {
			f := grant.Fulfilment{Account: grant.Account{ID: "1"}, Target: grant.Target{Origin: origin, Params: []byte(params)}}
			_, err := w.g.Resources(f)
			if origin == "config" || code == "" {
				w.is(err, none, "")
			} else {
				w.is(err, lasting, code, "fulfillers.github_repository.")
			}
			_, granted := w.g.Grant(t.Context(), f)
			w.is(granted, map[bool]fulfillers.Class{true: transient, false: lasting}[err == nil], map[bool]string{true: "not_held", false: code}[err == nil])
		}
	}
	if n := w.count("", ""); n != 0 {
		t.Errorf("%d requests", n)
	}
}
