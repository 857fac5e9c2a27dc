package fakegithub_test

import (
	"testing"
	"time"

	"fulfilld/internal/fakegithub"
)

func TestMembersAreKnownToThoseInside(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.AddToken(octocat, "ghp_octocat", time.Time{})
	const member, membership = "/orgs/acme/members/alice", "/orgs/acme/memberships/alice"
	w.do("GET", member, "").has(t, 204, "")
	w.do("GET", membership, "").has(t, 200, `"role":"admin"`)
	w.do("GET", "/orgs/acme/members/octocat", "").has(t, 404, "Not Found")
	w.do("GET", "/orgs/acme/memberships/octocat", "").has(t, 404, "Not Found")
	w.as("ghp_octocat", "GET", membership, "").has(t, 403, "You must be a member of acme to see membership information for alice.")
	if got := w.as("ghp_octocat", "GET", member, ""); got.status != 302 || got.header.Get("Location") != w.url+"/orgs/acme/public_members/alice" {
		t.Errorf("%d to %s", got.status, got.header.Get("Location"))
	}
	w.as("", "GET", member, "").has(t, 401, "Requires authentication")
	if got := w.as("", "GET", "/orgs/acme", ""); got.status != 200 || got.body["plan"] != nil {
		t.Errorf("a stranger: %d %s", got.status, got.text)
	}
}

func TestWhoLeavesTheOrganisationKeepsWhatTheRepositoryGave(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	team := fakegithub.Team{Org: "acme", Slug: "fans", Members: []int64{octocat}, Repositories: map[int64]fakegithub.Role{w.repo: fakegithub.Maintain}}
	w.AddTeam(team)
	w.AddByHand(w.repo, octocat, fakegithub.Read)
	want := func(role fakegithub.Role) {
		t.Helper()
		if got := w.Access(w.repo, octocat); got != role {
			t.Errorf("access %s, not %s", got, role)
		}
	}
	want(fakegithub.Maintain)
	w.RemoveTeam("acme", "fans")
	want(fakegithub.Read)
	w.AddTeam(team)
	w.RemoveMember("acme", octocat)
	want(fakegithub.Read)
	w.AddMember("acme", octocat, false)
	want(fakegithub.Read)
}

func TestEverybodyReadsWhatIsPublic(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.AddRepository(fakegithub.Repository{Owner: "acme", Name: "open", Public: true})
	const open = "/repos/acme/open"
	w.as("", "GET", open, "").has(t, 200, `"visibility":"public"`)
	w.as("", "PUT", open+"/collaborators/octocat", "").has(t, 401, "Requires authentication")
	w.do("GET", open+"/collaborators/octocat/permission", "").has(t, 200, `"role_name":"read"`)
	w.do("GET", open+"/collaborators/octocat", "").has(t, 404, "Not Found")
}

func TestAPrivateRepositoryTakesItsForksAlong(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.AddByHand(w.repo, octocat, fakegithub.Read)
	w.AddToken(octocat, "ghp_octocat", time.Time{})
	w.Fork(w.repo, octocat)
	w.as("ghp_octocat", "GET", "/repos/octocat/app", "").has(t, 200, `"fork":true`)
	w.DeleteRepository(w.repo)
	w.as("ghp_octocat", "GET", "/repos/octocat/app", "").has(t, 404, "Not Found")
	if got := w.Deleted(); len(got) != 0 {
		t.Errorf("no program did it: %v", got)
	}
	w.RevokeToken("ghp_octocat")
	w.as("ghp_octocat", "GET", "/users/octocat", "").has(t, 401, "Bad credentials")
}
