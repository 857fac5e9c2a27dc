package fakegithub_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"fulfilld/internal/fakegithub"
)

// What GitHub's schema of the same name requires.
const (
	simpleUser        = "login id node_id avatar_url gravatar_id url html_url followers_url following_url gists_url starred_url subscriptions_url organizations_url repos_url events_url received_events_url type site_admin"
	publicUser        = simpleUser + " name company blog location email hireable bio public_repos public_gists followers following created_at updated_at"
	minimalRepository = "id node_id name full_name owner private html_url description fork url archive_url assignees_url blobs_url branches_url collaborators_url comments_url commits_url compare_url contents_url contributors_url deployments_url downloads_url events_url forks_url git_commits_url git_refs_url git_tags_url hooks_url issue_comment_url issue_events_url issues_url keys_url labels_url languages_url merges_url milestones_url notifications_url pulls_url releases_url stargazers_url statuses_url subscribers_url subscription_url tags_url teams_url trees_url"
	fullRepository    = minimalRepository + " clone_url created_at default_branch disabled forks forks_count git_url has_downloads has_issues has_pages has_projects has_wiki has_discussions homepage language license archived mirror_url network_count open_issues open_issues_count pushed_at size ssh_url stargazers_count subscribers_count svn_url updated_at watchers watchers_count permissions organization visibility"
	invitation        = "id node_id repository invitee inviter permissions created_at expired url html_url"
	installation      = "id account access_tokens_url repositories_url html_url app_id app_slug target_id target_type permissions events created_at updated_at single_file_name repository_selection suspended_by suspended_at"
	integration       = "id node_id owner name description external_url html_url created_at updated_at permissions events"
	organization      = "login url id node_id repos_url events_url hooks_url issues_url members_url public_members_url avatar_url description html_url has_organization_projects has_repository_projects public_repos public_gists followers following type created_at updated_at archived_at"
	membership        = "url state role organization_url organization user"
	permission        = "permission role_name user"
	token             = "token expires_at permissions repository_selection"
)

func TestBodiesAreWhole(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	id := installed(w, fakegithub.Installation{Repositories: []int64{w.repo}, Permissions: map[string]string{"administration": "write"}})
	for path, want := range map[string]string{
		"/users/octocat": publicUser, fmt.Sprintf("/user/%d", octocat): publicUser, "/users/acme": publicUser,
		app: fullRepository, "/orgs/acme": organization + " default_repository_permission plan",
		"/orgs/acme/memberships/alice": membership, invite + "/permission": permission,
	} {
		complete(t, path, w.do("GET", path, "").text, want)
	}
	for path, want := range map[string]string{"/app": integration, app + "/installation": installation} {
		complete(t, path, w.as(w.jwt(), "GET", path, "").text, want)
	}
	complete(t, "token", w.mint(id, "").text, token+" repositories")
	complete(t, "invitation", w.do("PUT", invite, "").text, invitation)
}

func TestPartsOfBodiesAreWholeToo(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.invited()
	w.Fork(w.repo, w.alice)
	parent, err := json.Marshal(w.do("GET", "/repos/alice/app", "").body["parent"])
	if err != nil {
		t.Fatal(err)
	}
	complete(t, "parent", string(parent), minimalRepository+" clone_url forks_count visibility archived")
	var invitations, collaborators []map[string]json.RawMessage
	for path, into := range map[string]any{app + "/invitations": &invitations, app + "/collaborators": &collaborators} {
		if err := json.Unmarshal([]byte(w.do("GET", path, "").text), into); err != nil {
			t.Fatal(path, err)
		}
	}
	complete(t, "invitee", string(invitations[0]["invitee"]), simpleUser)
	complete(t, "inviter", string(invitations[0]["inviter"]), simpleUser)
	complete(t, "repository", string(invitations[0]["repository"]), minimalRepository)
	all, err := json.Marshal(collaborators[0])
	if err != nil {
		t.Fatal(err)
	}
	complete(t, "collaborator", string(all), simpleUser+" permissions role_name")
}

func complete(t *testing.T, what, text, want string) {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal([]byte(text), &body); err != nil {
		t.Errorf("%s: %v in %s", what, err, text)
	}
	for key := range strings.FieldsSeq(want) {
		if _, there := body[key]; !there {
			t.Errorf("%s: no %s", what, key)
		}
	}
}

func TestURLsLeadBackToTheServer(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	if got := w.do("GET", app, "").body["url"]; got != w.url+app {
		t.Errorf("%v", got)
	}
	public := start(t, fakegithub.Options{PublicURL: "https://github.example/api/v3"})
	if got := public.do("GET", app, "").body["url"]; got != "https://github.example/api/v3/repos/acme/app" {
		t.Errorf("%v", got)
	}
	if got := w.do("GET", app, "").body["html_url"]; got != "https://github.com/acme/app" {
		t.Errorf("%v", got)
	}
}
