package github

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/internal/fakegithub"
)

func (w *world) minted() int { return w.count("POST", "/app/installations/*/access_tokens") }

func TestATokenIsMadeForWhatIsNeededAndKept(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	var asked string
	w.at("POST", "/access_tokens", func(r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		asked, r.Body = string(text), io.NopCloser(strings.NewReader(string(text)))
	})
	w.invited(w.owed(`{"repositories":["acme/pro","acme/extra"]}`))
	w.invited(w.owed(pullPro))
	if strings.TrimSpace(asked) != `{"permissions":{"administration":"write","metadata":"read"}}` || w.minted() != 1 {
		t.Errorf("%d tokens, asked for %s", w.minted(), asked)
	}
}

func TestATokenThatIsNoGoodAnyMoreIsReplacedAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.invited(w.owed(pullPro))
	w.Inject(fakegithub.Fault{Kind: fakegithub.BadCredentials, Times: 1})
	w.invited(f)
	if w.minted() != 2 {
		t.Errorf("%d tokens", w.minted())
	}
}

func TestBadCredentialsRestTheirLane(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		token bool
		path  string
		lane  string
	}{
		"Token":        {true, "/repos/acme/pro", "github:token"},
		"App":          {false, "/repos/acme/pro/installation", "github:app:4711"},
		"Mint":         {false, "/app/installations/*/access_tokens", "github:installation:"},
		"Installation": {false, "/repos/acme/pro", "github:installation:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, options{token: c.token})
			lift := w.Inject(fakegithub.Fault{Kind: fakegithub.BadCredentials, Match: fakegithub.Match{Path: c.path}})
			e := w.refusal(w.owed(pullPro), throttled, "credentials")
			if !strings.HasPrefix(e.Lane, c.lane) || e.Wait != 5*time.Minute || w.lanes.resting(e.Lane) != e.Wait {
				t.Errorf("waits %v for %s", e.Wait, e.Lane)
			}
			lift()
			n := w.count("", "")
			w.wants(w.owed(pullPro), throttled, "throttled")
			if w.count("", "") != n {
				t.Error("asked again while the lane rests")
			}
			w.lanes.wake()
			w.invited(w.owed(pullPro))
		})
	}
}

func TestTheWrongKeyIsFoundOut(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.g = w.fulfiller(options{edit: func(c *Config) { c.AppID = 4712 }})
	w.is(w.g.Probe(t.Context(), nil), lasting, "credentials", "there is no App 4712")
}

func TestWhatTheOwnerTakesFromTheAppIsMissed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end, mend func(*world)
		code      string
	}{
		"Suspended": {
			func(w *world) { w.SuspendApp(w.installation) },
			func(w *world) { w.UnsuspendApp(w.installation) }, "suspended",
		},
		"Reduced": {
			func(w *world) { w.SetPermissions(w.installation, nil) },
			func(w *world) {
				w.SetPermissions(w.installation, map[string]string{"administration": "write"})
			}, "missing_rights",
		},
		"Reinstalled": {
			func(w *world) { w.UninstallApp(w.installation) },
			func(w *world) {
				w.Install(fakegithub.Installation{App: 4711, Account: "acme", Permissions: map[string]string{"administration": "write"}})
			}, "app_not_installed",
		},
	} {
		for _, known := range []bool{false, true} {
			t.Run(fmt.Sprint(name, known), func(t *testing.T) {
				t.Parallel()
				w := start(t, options{})
				if known {
					w.invited(w.owed(`{"repository":"acme/extra"}`))
					w.invited(w.owed(pullPro))
				}
				c.end(w)
				f := w.owed(`{"repository":"acme/pro","permission":"push"}`)
				if e := w.refusal(f, throttled, c.code); e.Wait != 5*time.Minute || e.Lane == "" {
					t.Errorf("waits %v for %s", e.Wait, e.Lane)
				}
				w.lanes.wake()
				c.mend(w)
				w.invited(f)
			})
		}
	}
}

// ghinstallation has a mutex that nobody can be called away from.
func TestATokenThatIsLongInTheMakingHoldsNobodyBeyondTheirDeadline(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.Inject(fakegithub.Fault{Kind: fakegithub.Hang, Match: fakegithub.Match{Path: "/app/installations/*/access_tokens"}})
	long, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = w.g.Grant(long, w.owed(pullPro)) })
	for w.minted() == 0 {
		time.Sleep(time.Millisecond)
	}
	short, end := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer end()
	before := time.Now()
	_, err := w.g.Observe(short, grant.Fulfilment{}, []grant.Resource{{Name: "acme/pro", Account: "583231"}})
	w.is(err, transient, "cancelled")
	if took := time.Since(before); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	cancel()
	wg.Wait()
}

func TestWritesOfOneInstallationGoOneAfterAnother(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	var mu sync.Mutex
	var now, most int
	change := func(by int) func(*http.Request) {
		return func(r *http.Request) {
			if r.Method == http.MethodPut {
				mu.Lock()
				defer mu.Unlock()
				now += by
				most = max(most, now)
			}
		}
	}
	w.on(change(1), change(-1))
	w.Inject(fakegithub.Fault{Kind: fakegithub.Slow, Wait: 10 * time.Millisecond, Match: fakegithub.Match{Method: "PUT"}})
	var wg sync.WaitGroup
	for n := range 6 {
		id := fmt.Sprint(w.AddUser(fakegithub.User{Login: fmt.Sprint("user", n)}))
		f := w.owed(pullPro)
		f.Account.ID, f.Holds[0].Account = id, id
		wg.Go(func() { _, _ = w.g.Grant(t.Context(), f) })
	}
	wg.Wait()
	if len(w.Invitations(w.pro)) != 6 || most != 1 {
		t.Errorf("%d invitations, %d writes at a time", len(w.Invitations(w.pro)), most)
	}
}

// A redirect that Go would follow by reading, or to wherever it leads.
func TestRedirectsThatChangeTheRequestAreRefused(t *testing.T) {
	t.Parallel()
	stolen := make(chan string, 9)
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { stolen <- r.Header.Get("Authorization") }))
	t.Cleanup(thief.Close)
	for name, c := range map[string]struct {
		method string
		status int
		to     string
	}{
		"OtherHost":        {"GET", 301, thief.URL + "/repos/acme/pro"},
		"OtherHostOfWrite": {"PUT", 307, thief.URL + "/repos/acme/pro/collaborators/octocat"},
		"WriteBecomesRead": {"PUT", 301, "/user/583231"},
		"SeeOther":         {"PUT", 303, "/user/583231"},
		"ToTheRepository":  {"DELETE", 307, "/repos/acme/pro"},
		"ToMore":           {"GET", 302, "/user//583231"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, options{token: true})
			if c.method == "DELETE" {
				w.AddByHand(w.pro, octocat, fakegithub.Read)
			}
			server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.Method == c.method && (r.Method != "GET" || r.URL.Path == "/repos/acme/pro") {
					http.Redirect(rw, r, c.to, c.status)
					return
				}
				w.Server.ServeHTTP(rw, r)
			}))
			t.Cleanup(server.Close)
			w.url = server.URL
			w.g = w.fulfiller(options{token: true})
			f := w.owed(pullPro)
			var err error
			if c.method == "DELETE" {
				err = w.g.Revoke(t.Context(), let(f))
			} else {
				_, err = w.g.Grant(t.Context(), f)
			}
			if err == nil || len(w.Deleted()) != 0 {
				t.Errorf("error %v, deleted %v", err, w.Deleted())
			}
			if e := fulfillers.Classify(err); e != nil && e.Class == lasting && e.Code != "redirected" {
				t.Errorf("error %v", err)
			}
		})
	}
	t.Cleanup(func() {
		if len(stolen) > 0 {
			t.Errorf("the token went to another host: %s", <-stolen)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestNothingLeavesForAnotherEndpoint(t *testing.T) {
	t.Parallel()
	through := errors.New("through")
	g := guard{roundTrip(func(*http.Request) (*http.Response, error) { return nil, through })}
	for line, ok := range map[string]bool{
		"GET /repos/acme/pro":                                        true,
		"GET /repos/acme/a..b":                                       true,
		"PUT /repos/acme/pro/collaborators/octo-cat_corp":            true,
		"DELETE /repos/acme/pro/invitations/7":                       true,
		"DELETE /repositories/7/invitations/7":                       true,
		"POST /api/v3/app/installations/7/access_tokens":             true,
		"DELETE /repos/acme/pro":                                     false,
		"DELETE /repos/acme/pro/":                                    false,
		"DELETE /repos/acme/pro/collaborators/..":                    false,
		"DELETE /repos/acme/pro/collaborators/.":                     false,
		"DELETE /repos/acme/pro/collaborators/":                      false,
		"DELETE /repos/acme/pro/collaborators/%2e%2e":                false,
		"DELETE /repos/acme/pro/collaborators/../../../../user/keys": false,
		"DELETE /repos/acme/pro/invitations/x":                       false,
		"GET /repos//pro":                                            false,
		"GET /user/../repos":                                         false,
		"PATCH /repos/acme/pro":                                      false,
	} {
		method, path, _ := strings.Cut(line, " ")
		u, err := url.Parse("https://api.github.com" + path)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := g.RoundTrip(&http.Request{Method: method, URL: u})
		if resp != nil {
			_ = resp.Body.Close()
		}
		if errors.Is(err, through) != ok {
			t.Errorf("%s: %v", line, err)
		}
	}
}
