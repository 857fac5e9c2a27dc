package fakegithub_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"fulfilld/internal/fakegithub"
)

const appID = 4711

var keys = sync.OnceValue(func() []*rsa.PrivateKey {
	var made []*rsa.PrivateKey
	for range 2 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		made = append(made, key)
	}
	return made
})

func jwt(t *testing.T, key *rsa.PrivateKey, head string, claims map[string]any) string {
	t.Helper()
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(head)) + "." + base64.RawURLEncoding.EncodeToString(body)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func (w *world) jwt() string {
	now := w.clock.Now().Unix()
	return jwt(w.t, keys()[0], `{"alg":"RS256","typ":"JWT"}`, map[string]any{"iss": "4711", "iat": now - 30, "exp": now + 120})
}

// installed puts an App on acme and returns the installation.
func installed(w *world, i fakegithub.Installation) int64 {
	w.AddApp(fakegithub.App{ID: appID, Slug: "fulfil", ClientID: "Iv1.fulfil", Owner: "acme", Key: &keys()[0].PublicKey})
	i.App, i.Account = appID, "acme"
	return w.Install(i)
}

func (w *world) mint(installation int64, body string) reply {
	w.t.Helper()
	return w.as(w.jwt(), "POST", fmt.Sprintf("/app/installations/%d/access_tokens", installation), body)
}

func (w *world) token(installation int64, body string) string {
	w.t.Helper()
	got := w.mint(installation, body)
	got.has(w.t, 201, `"token":"ghs_`)
	token, _ := got.body["token"].(string)
	return token
}

func TestAppsProveThemselvesByJWT(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	installed(w, fakegithub.Installation{})
	now := w.clock.Now().Unix()
	const rs256 = `{"alg":"RS256"}`
	for name, c := range map[string]struct {
		key    int
		head   string
		claims map[string]any
		status int
		words  string
	}{
		"Good":      {0, rs256, map[string]any{"iss": appID, "iat": now, "exp": now + 600}, 200, `"slug":"fulfil"`},
		"ClientID":  {0, rs256, map[string]any{"iss": "Iv1.fulfil", "iat": now, "exp": now + 60}, 200, `"id":4711`},
		"WrongKey":  {1, rs256, map[string]any{"iss": appID, "iat": now, "exp": now + 60}, 401, "could not be decoded"},
		"Algorithm": {0, `{"alg":"none"}`, map[string]any{"iss": appID, "iat": now, "exp": now + 60}, 401, "could not be decoded"},
		"Expired":   {0, rs256, map[string]any{"iss": appID, "iat": now - 60, "exp": now}, 401, "must be a numeric value representing the future time"},
		"TooLong":   {0, rs256, map[string]any{"iss": appID, "iat": now, "exp": now + 601}, 401, "too far in the future"},
		"Future":    {0, rs256, map[string]any{"iss": appID, "iat": now + 1, "exp": now + 60}, 401, "'Issued at' claim"},
		"Unknown":   {0, rs256, map[string]any{"iss": 9, "iat": now, "exp": now + 60}, 404, "Integration not found"},
	} {
		t.Run(name, func(t *testing.T) {
			w.as(jwt(t, keys()[c.key], c.head, c.claims), "GET", "/app", "").has(t, c.status, c.words)
		})
	}
	w.as("a.b.c", "GET", "/app", "").has(t, 401, "could not be decoded")
	w.do("GET", "/app", "").has(t, 401, "could not be decoded")
	w.as(w.jwt(), "PUT", invite, "").has(t, 401, "Bad credentials")
}

func TestAnAppFindsItsInstallation(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	id := installed(w, fakegithub.Installation{Repositories: []int64{w.repo}})
	w.AddRepository(fakegithub.Repository{Owner: "acme", Name: "other"})
	for _, path := range []string{app + "/installation", fmt.Sprintf("/app/installations/%d", id)} {
		got := w.as(w.jwt(), "GET", path, "")
		if got.status != 200 || got.body["id"] != float64(id) || got.body["repository_selection"] != "selected" {
			t.Errorf("%s: %d %s", path, got.status, got.text)
		}
	}
	w.as(w.jwt(), "GET", "/app/installations?per_page=1", "").has(t, 200, fmt.Sprintf(`[{"access_tokens_url":"%s/app/installations/%d/`, w.url, id))
	w.as(w.jwt(), "GET", "/repos/acme/other/installation", "").has(t, 404, "Not Found")
	w.UninstallApp(id)
	w.as(w.jwt(), "GET", "/app/installations", "").has(t, 200, "[]")
	w.as(w.jwt(), "GET", app+"/installation", "").has(t, 404, "Not Found")
}

func TestTokensReachAsFarAsAskedFor(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	w.AddRepository(fakegithub.Repository{Owner: "acme", Name: "other"})
	id := installed(w, fakegithub.Installation{Permissions: map[string]string{"administration": "write", "members": "read"}})
	token := w.token(id, `{"repositories":["app"],"permissions":{"administration":"write"}}`)
	w.as(token, "PUT", invite, `{"permission":"pull"}`).has(t, 201, `"fulfil[bot]"`)
	w.as(token, "GET", "/repos/acme/other", "").has(t, 404, "Not Found")
	w.as(token, "GET", "/orgs/acme/members/alice", "").has(t, 302, "")
	w.as(w.token(id, ""), "GET", "/orgs/acme/members/alice", "").has(t, 204, "")
	reads := w.token(id, `{"permissions":{"administration":"read"}}`)
	w.as(reads, "GET", app+"/invitations", "").has(t, 200, `"octocat"`)
	w.as(reads, "PUT", invite, "").has(t, 403, "Resource not accessible by integration")
	w.clock.pass(time.Hour)
	w.as(token, "GET", app, "").has(t, 401, "Bad credentials")
}

func TestNoTokenIsMintedForMoreThanIsGranted(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	id := installed(w, fakegithub.Installation{Permissions: map[string]string{"administration": "read"}})
	for _, more := range []string{`{"administration":"write"}`, `{"members":"read"}`, `{"administration":"everything"}`} {
		w.mint(id, `{"permissions":`+more+`}`).has(t, 422, "The permissions requested are not granted to this installation.")
	}
	w.mint(id, `{"repositories":["nothing"]}`).has(t, 422, "There is at least one repository that does not exist")
	w.mint(id, `[]`).has(t, 400, "Body should be a JSON object")
	w.mint(id+1, "").has(t, 404, "Not Found")
}

func TestWhatTheOwnerTakesBackIsGoneAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	id := installed(w, fakegithub.Installation{Permissions: map[string]string{"administration": "write"}})
	token := w.token(id, "")
	w.as(token, "DELETE", invite, "").has(t, 204, "")
	w.SetPermissions(id, nil)
	w.as(token, "DELETE", invite, "").has(t, 403, "Resource not accessible by integration")
	w.SuspendApp(id)
	w.as(token, "GET", app, "").has(t, 403, "This installation has been suspended")
	w.mint(id, "").has(t, 403, "This installation has been suspended")
	w.UnsuspendApp(id)
	w.as(token, "GET", app, "").has(t, 200, "")
	w.SetRepositories(id, []int64{})
	w.as(token, "GET", app, "").has(t, 404, "")
	w.UninstallApp(id)
	w.as(token, "GET", app, "").has(t, 401, "Bad credentials")
	w.mint(id, "").has(t, 404, "Not Found")
}

func TestTheJournalKnowsWhoButNotWithWhat(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	id := installed(w, fakegithub.Installation{})
	token := w.token(id, "")
	w.as(token, "GET", app+"?page=2", "")
	w.do("GET", app, "")
	w.as("wrong", "GET", app, "")
	var who []string
	for _, r := range w.Requests(fakegithub.Match{}) {
		who = append(who, fmt.Sprintf("%s %s?%s %s %d", r.Method, r.Path, r.Query, r.By, r.Status))
	}
	got, want := strings.Join(who, "\n"), fmt.Sprintf("POST /app/installations/%d/access_tokens? app 4711 201\nGET /repos/acme/app?page=2 installation %d 200\nGET /repos/acme/app? user %d 200\nGET /repos/acme/app? nobody 401", id, id, w.alice)
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if n := len(w.Requests(fakegithub.Match{Method: "GET", Path: "/repos/*/app"})); n != 3 {
		t.Errorf("%d match", n)
	}
}
