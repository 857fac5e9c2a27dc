package fakegithub_test

import (
	"fmt"
	"testing"

	"fulfilld/internal/fakegithub"
)

func TestNoBodyGivesWrite(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "{}"} {
		w := start(t, fakegithub.Options{})
		if got := w.do("PUT", invite, body); got.status != 201 || got.body["permissions"] != "write" {
			t.Errorf("body %q: %d %s", body, got.status, got.text)
		}
	}
}

func TestBodiesThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.do("PUT", invite, `{"permission"`).has(t, 400, "Problems parsing JSON")
	w.do("PUT", invite, "null\n").has(t, 400, "Body should be a JSON object")
	w.do("PUT", invite, `{"permission":"read"}`).has(t, 422, "Validation Failed")
	if got := w.Invitations(w.repo); len(got) != 0 {
		t.Errorf("invited all the same: %v", got)
	}
}

func TestACollaboratorIsGivenAnotherRoleAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.accepted()
	w.do("PUT", "/repos/ACME/App/collaborators/OctoCat", `{"permission":"maintain"}`).has(t, 204, "")
	if role, ok := w.Collaborator(w.repo, octocat); role != fakegithub.Maintain || !ok {
		t.Errorf("role %s, %v", role, ok)
	}
	got := w.do("GET", invite+"/permission", "")
	if got.body["permission"] != "write" || got.body["role_name"] != "maintain" {
		t.Errorf("%s", got.text)
	}
}

func TestMembersAreAddedAtOnceButNotBelowTheBaseRole(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.AddMember("acme", octocat, false)
	w.SetBase("acme", fakegithub.Write)
	w.do("PUT", invite, `{"permission":"pull"}`).has(t, 422, "Cannot assign octocat permission of read")
	w.do("PUT", invite, `{"permission":"admin"}`).has(t, 204, "")
	if got := w.Access(w.repo, octocat); got != fakegithub.Admin {
		t.Errorf("access %s", got)
	}
}

func TestPersonalRepositoriesTakeNoRole(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.AddRepository(fakegithub.Repository{Owner: "alice", Name: "own"})
	const path = "/repos/alice/own/collaborators/"
	w.do("PUT", path+"octocat", `{"permission":"pull"}`).has(t, 422, "You can only update permissions on organization-owned repositories and their forks")
	w.do("PUT", path+"octocat", "").has(t, 201, `"permissions":"write"`)
	w.do("PUT", path+"alice", "").has(t, 422, "Repository owner cannot be a collaborator")
}

func TestArchivedIsReadOnly(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	id := w.invited()
	w.Archive(w.repo)
	for _, method := range []string{"PUT", "DELETE"} {
		w.do(method, invite, "").has(t, 403, "Repository was archived so is read-only.")
	}
	w.do("DELETE", fmt.Sprintf("%s/invitations/%d", app, id), "").has(t, 403, "archived")
	w.do("GET", app, "").has(t, 200, `"archived":true`)
	w.Unarchive(w.repo)
	w.do("DELETE", invite, "").has(t, 204, "")
}

func TestPeopleWhoAreGoneAreNotFound(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.do("PUT", app+"/collaborators/nobody", "").has(t, 404, "Not Found")
	w.do("DELETE", app+"/collaborators/nobody", "").has(t, 404, "Not Found")
	w.do("GET", app+"/collaborators/nobody/permission", "").has(t, 404, "nobody is not a user")
	w.SuspendUser(octocat)
	w.do("PUT", invite, "").has(t, 404, "Not Found")
	w.UnsuspendUser(octocat)
	w.do("PUT", invite, "").has(t, 201, "")
	w.DeleteUser(octocat)
	w.do("GET", app+"/invitations", "").has(t, 200, `"invitee":null`)
}

func TestABlockedPersonIsRefusedWithoutAReason(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.Block("acme", octocat)
	w.do("PUT", invite, `{"permission":"pull"}`).has(t, 422, `"message":"Validation Failed"`)
}

func TestRemovalTakesTheForkAndIsDoneForAnybody(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.do("DELETE", invite, "").has(t, 204, "")
	w.accepted()
	fork := w.Fork(w.repo, octocat)
	w.do("GET", invite, "").has(t, 204, "")
	w.do("DELETE", invite, "").has(t, 204, "")
	w.do("GET", invite, "").has(t, 404, "Not Found")
	if _, there := w.Collaborator(w.repo, octocat); there || len(w.Forks(w.repo)) != 0 {
		t.Errorf("collaborator: %v, fork %d in %v", there, fork, w.Forks(w.repo))
	}
}

func TestRemovalCancelsInvitationsOnlyWhenToldTo(t *testing.T) {
	t.Parallel()
	for cancels, want := range map[bool]int{false: 1, true: 0} {
		w := start(t, fakegithub.Options{RemovalCancelsInvitations: cancels})
		w.invited()
		w.do("DELETE", invite, "").has(t, 204, "")
		if got := len(w.Invitations(w.repo)); got != want {
			t.Errorf("cancels %v: %d invitations", cancels, got)
		}
	}
}

func TestAccessByATeamOutlivesRemoval(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.AddByHand(w.repo, octocat, fakegithub.Admin)
	w.AddTeam(fakegithub.Team{Org: "acme", Slug: "fans", Members: []int64{octocat}, Repositories: map[int64]fakegithub.Role{w.repo: fakegithub.Triage}})
	w.Fork(w.repo, octocat)
	w.do("DELETE", invite, "").has(t, 204, "")
	got := w.do("GET", invite+"/permission", "")
	if got.body["permission"] != "read" || got.body["role_name"] != "triage" || len(w.Forks(w.repo)) != 1 {
		t.Errorf("%s; forks %v", got.text, w.Forks(w.repo))
	}
	w.do("GET", app+"/collaborators?affiliation=direct", "").has(t, 200, "[]")
	w.do("GET", app+"/collaborators", "").has(t, 200, `"octocat"`)
	w.do("GET", app+"/collaborators?affiliation=outside", "").has(t, 200, "[]")
}

func TestOnlyAdministratorsInvite(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.AddToken(octocat, "ghp_octocat", w.clock.Now())
	w.as("ghp_octocat", "GET", app, "").has(t, 401, "Bad credentials")
	w.AddToken(octocat, "ghp_octocat", w.clock.Now().AddDate(0, 0, 1))
	w.as("ghp_octocat", "PUT", invite, "").has(t, 404, "Not Found")
	w.AddByHand(w.repo, octocat, fakegithub.Write)
	got := w.as("ghp_octocat", "PUT", invite, "")
	got.has(t, 403, "Must have admin rights to Repository.")
	if expires := got.header.Get("GitHub-Authentication-Token-Expiration"); expires != "2026-11-22 12:00:00 UTC" {
		t.Errorf("the token expires %q", expires)
	}
	w.as("", "GET", app, "").has(t, 404, "Not Found")
}
