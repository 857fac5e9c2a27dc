package fakegithub_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"fulfilld/internal/fakegithub"
)

func TestFormerNamesRedirectToTheID(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.RenameRepository(w.repo, "product")
	byID := fmt.Sprintf("%s/repositories/%d", w.url, w.repo)
	for method, status := range map[string]int{"GET": 301, "PUT": 307, "DELETE": 307} {
		got := w.do(method, invite, "")
		if got.status != status || got.header.Get("Location") != byID+"/collaborators/octocat" {
			t.Errorf("%s: %d to %s", method, got.status, got.header.Get("Location"))
		}
	}
	w.as("", "GET", app, "").has(t, 404, "Not Found")
	got := w.do("GET", strings.TrimPrefix(byID, w.url), "")
	if got.body["full_name"] != "acme/product" {
		t.Errorf("%s", got.text)
	}
}

func TestAWriteThatFollowsTheRedirectIsDone(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.AddOrg(fakegithub.Org{Login: "umbrella"})
	w.AddMember("umbrella", w.alice, true)
	w.Transfer(w.repo, "umbrella")
	r := w.request(t.Context(), "PUT", invite, `{"permission":"pull"}`)
	r.Header.Set("Authorization", "token "+secret)
	got, err := w.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = got.Body.Close()
	list := w.Invitations(w.repo)
	if got.StatusCode != 201 || len(list) != 1 || list[0].Role != fakegithub.Read || list[0].Invitee != octocat {
		t.Errorf("%d, %+v", got.StatusCode, list)
	}
}

func TestANewHolderOfANameEndsTheRedirect(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.RenameRepository(w.repo, "product")
	other := w.AddRepository(fakegithub.Repository{Owner: "acme", Name: "app"})
	if got := w.do("GET", app, ""); got.status != 200 || got.body["id"] != float64(other) {
		t.Errorf("%d %s", got.status, got.text)
	}
}

func TestAnOwnersNewLoginMovesItsRepositories(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	id := int64(w.do("GET", "/orgs/acme", "").body["id"].(float64))
	w.RenameAccount(id, "umbrella")
	w.do("GET", app, "").has(t, 301, "Moved Permanently")
	w.do("GET", "/repos/umbrella/app", "").has(t, 200, `"umbrella/app"`)
}

func TestALoginThatWasGivenUpIsAStrangers(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.RenameAccount(octocat, "monalisa")
	w.do("GET", "/users/octocat", "").has(t, 404, "Not Found")
	stranger := w.AddUser(fakegithub.User{Login: "octocat"})
	if got := w.do("GET", "/users/octocat", ""); got.body["id"] != float64(stranger) {
		t.Errorf("%s", got.text)
	}
	if got := w.do("GET", fmt.Sprintf("/user/%d", octocat), ""); got.body["login"] != "monalisa" {
		t.Errorf("%s", got.text)
	}
}

func TestDotsThatNobodyCaughtDeleteTheRepository(t *testing.T) {
	t.Parallel()
	for _, path := range []string{app + "/", app + "/collaborators/..", app + "/collaborators/%2e%2e", app + "/collaborators/x%2f..%2f.."} {
		w := start(t, fakegithub.Options{})
		w.do("DELETE", path, "").has(t, 204, "")
		w.do("GET", app, "").has(t, 404, "Not Found")
		if got := w.Deleted(); !slices.Equal(got, []string{"acme/app"}) {
			t.Errorf("%s: %v", path, got)
		}
		if got := w.Requests(fakegithub.Match{Method: "DELETE", Path: "/repos/*/*"}); len(got) != 1 || got[0].Path != path {
			t.Errorf("%s: journal %+v", path, got)
		}
	}
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	for _, path := range []string{"/", "/user/keys", "/repo", "/repo/invitations", "/repositories/1", "/repos/acme", "/repos/acme/app/hooks", "/orgs/alice", "/user/octocat"} {
		got := w.do("GET", path, "")
		if got.status != 404 || got.body["message"] != "Not Found" || got.body["status"] != "404" || got.body["documentation_url"] == nil {
			t.Errorf("%s: %d %s", path, got.status, got.text)
		}
	}
	w.do("POST", app, "").has(t, 404, "Not Found")
}
