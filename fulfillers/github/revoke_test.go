package github

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/internal/fakegithub"
)

func TestARevokeWithoutHoldsTouchesNothing(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.owed(pullPro)
	f.Holds = nil
	w.revoked(f)
	if n := w.count("", ""); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestAnInvitationIsFoundOnWhicheverPageItIs(t *testing.T) {
	t.Parallel()
	for _, expired := range []bool{false, true} {
		w := start(t, options{token: true, Options: fakegithub.Options{Limits: fakegithub.Limits{Invitations: -1, Content: -1, ContentHourly: -1, Points: -1}}})
		r, err := w.g.open(t.Context(), "acme/pro")
		if err != nil {
			t.Fatal(err)
		}
		for n := range 130 {
			login := fmt.Sprint("user", n)
			w.AddUser(fakegithub.User{Login: login})
			if _, err := r.put(t.Context(), user{login: login}, 1); err != nil {
				t.Fatal(err)
			}
		}
		f := w.invited(w.owed(pullPro))
		if expired {
			w.clock.pass(8 * 24 * time.Hour)
		}
		w.revoked(f)
		if n := len(w.Invitations(w.pro)); n != 130 {
			t.Errorf("%d invitations left, want those of the others", n)
		}
	}
}

func TestACollaboratorIsFoundOnWhicheverPageTheyAre(t *testing.T) {
	t.Parallel()
	w := start(t, options{token: true})
	for n := range 130 {
		w.AddByHand(w.pro, w.AddUser(fakegithub.User{ID: int64(2000 + n), Login: fmt.Sprint("user", n)}), fakegithub.Read)
	}
	w.AddByHand(w.pro, octocat, fakegithub.Read) // the last page
	w.revoked(w.owed(pullPro))
	w.role(w.pro, "")
}

// Whichever of the two the provider does first, nobody slips through.
func TestWhoAcceptsDuringTheRevokeIsRemovedToo(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "DELETE"} {
		w := start(t, options{})
		f := w.invited(w.owed(pullPro))
		if method == "GET" { // after the invitations were read
			w.at("GET", "/octocat/permission", func(*http.Request) { w.AddByHand(w.pro, octocat, fakegithub.Read) })
		} else {
			w.at("DELETE", fmt.Sprint(w.only(w.pro).ID), func(*http.Request) { w.accept(w.pro) })
		}
		w.revoked(f)
		w.role(w.pro, "")
		if n := len(w.Invitations(w.pro)); n != 0 {
			t.Errorf("%d invitations left", n)
		}
	}
}

func TestARemovalIsBelievedWhenGitHubShowsIt(t *testing.T) {
	t.Parallel()
	for reads, code := range map[int]string{2: "", 50: "still_there"} {
		w := start(t, options{})
		f := w.invited(w.owed(pullPro))
		w.accept(w.pro)
		f = w.granted(f)
		w.Inject(fakegithub.Fault{Kind: fakegithub.LateRemoval, Reads: reads, Times: 1, Match: fakegithub.Match{Method: "DELETE"}})
		err := w.g.Revoke(t.Context(), let(f))
		if w.role(w.pro, ""); code == "" {
			w.is(err, none, "")
		} else {
			w.is(err, transient, code)
		}
	}
}

func TestTheReadingBackEndsWithItsContext(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.AddByHand(w.pro, octocat, fakegithub.Read)
	w.g.lag = time.Hour
	w.Inject(fakegithub.Fault{Kind: fakegithub.LateRemoval, Reads: 50, Match: fakegithub.Match{Method: "DELETE"}})
	ctx, cancel := context.WithCancel(t.Context())
	w.on(nil, func(r *http.Request) {
		if r.Method == "DELETE" {
			time.AfterFunc(10*time.Millisecond, cancel)
		}
	})
	w.is(w.g.Revoke(ctx, let(w.owed(pullPro))), transient, "cancelled")
}

// The person's fork goes with the last access, so it tells.
func TestWhatIsStillOwedStays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hold grant.Hold
		want fakegithub.Role
	}{
		"Others":       {grant.Hold{Others: 1, Origin: grant.FromUs}, fakegithub.Read},
		"Before":       {grant.Hold{Before: 2, Origin: grant.FromBefore}, fakegithub.Triage},
		"Both":         {grant.Hold{Others: 3, Before: 2, Origin: grant.FromBefore}, fakegithub.Write},
		"PlatformToo":  {grant.Hold{Others: 1, Origin: grant.FromPlatform}, fakegithub.Read},
		"BeforeUnsaid": {grant.Hold{Origin: grant.FromBefore}, fakegithub.Maintain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, options{})
			w.AddByHand(w.pro, octocat, fakegithub.Maintain)
			w.Fork(w.pro, octocat)
			f := w.owed(`{"repository":"acme/pro","permission":"maintain"}`)
			c.hold.Resource = f.Holds[0].Resource
			f.Holds[0] = c.hold
			w.revoked(f)
			w.role(w.pro, c.want)
			if len(w.Forks(w.pro)) != 1 || w.count("DELETE", "") != 0 {
				t.Error("access was taken on the way")
			}
		})
	}
}

func TestAPendingInvitationIsLoweredToo(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.invited(w.owed(`{"repository":"acme/pro","permission":"push"}`))
	f.Holds[0].Others = 2
	id := w.only(w.pro).ID
	w.revoked(f)
	if got := w.only(w.pro); got.ID != id || got.Role != fakegithub.Triage {
		t.Errorf("%+v", got)
	}
	f.Holds[0].Others = 4
	w.revoked(f)
	if got := w.only(w.pro); got.Role != fakegithub.Triage {
		t.Errorf("a revoke raised it: %+v", got)
	}
}

func TestWhatThePlatformGaveGoesWithItsGrant(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.AddByHand(w.pro, octocat, fakegithub.Read)
	f := w.owed(pullPro)
	f.Holds[0].Origin = grant.FromPlatform
	f = w.granted(f)
	w.revoked(f)
	w.role(w.pro, "")
}

func TestAccessOfATeamOutlivesOurs(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.invited(w.owed(`{"repository":"acme/pro","permission":"push"}`))
	w.accept(w.pro)
	f = w.granted(f)
	w.AddTeam(fakegithub.Team{Org: "acme", Slug: "crew", Members: []int64{octocat}, Repositories: map[int64]fakegithub.Role{w.pro: fakegithub.Triage}})
	ctx, said := fulfillers.WithRemarks(t.Context())
	if err := w.g.Revoke(ctx, let(f)); err != nil {
		t.Fatal(err)
	}
	if w.role(w.pro, ""); w.Access(w.pro, octocat) != fakegithub.Triage {
		t.Errorf("access %s", w.Access(w.pro, octocat))
	}
	if text := said(); !strings.Contains(text, "octocat still has triage on acme/pro, by a team") {
		t.Errorf("said %q", text)
	}
}

// judged is a fulfilment as the worker judges it: what is there was there before.
func (w *world) judged(f grant.Fulfilment) grant.Fulfilment {
	w.t.Helper()
	switch found := w.observe(f.Holds[0].Name)[0]; {
	case found.Elsewhere:
		f.Holds[0].Origin, f.Holds[0].Before = grant.FromElsewhere, found.Level
	case found.Level > 0:
		f.Holds[0].Origin, f.Holds[0].Before = grant.FromBefore, found.Level
	}
	return f
}

func TestOursBesideATeamsIsTakenAway(t *testing.T) {
	t.Parallel()
	for name, join := range map[string]func(*world){
		"Team":     func(w *world) { w.crew(fakegithub.Read) },
		"BaseRole": func(w *world) { w.SetBase("acme", fakegithub.Read); w.AddMember("acme", octocat, false) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, options{})
			join(w)
			f := w.granted(w.judged(w.owed(`{"repository":"acme/pro","permission":"push"}`)))
			w.role(w.pro, fakegithub.Write)
			f.Holds[0].Worked = true
			f = w.granted(f) // it is looked at every day, and shows ours
			f.Holds[0].Others = 2
			w.revoked(f)
			w.role(w.pro, fakegithub.Triage)
			f.Holds[0].Others = 0
			lift := w.Inject(fakegithub.Fault{Kind: fakegithub.ServerError, Match: fakegithub.Match{Method: "DELETE"}})
			w.is(w.g.Revoke(t.Context(), let(f)), transient, "refused")
			lift()
			f.Holds[0].Since = f.Generation + 1
			w.revoked(f)
			if w.role(w.pro, ""); w.Access(w.pro, octocat) != fakegithub.Read {
				t.Errorf("access %s", w.Access(w.pro, octocat))
			}
		})
	}
}

// The first of two grants saw the team alone; either may end first.
func TestOursBesideATeamsGoesWithTheLastOfSeveralGrants(t *testing.T) {
	t.Parallel()
	for name, order := range map[string][]string{"FirstEndsFirst": {"push", "pull"}, "FirstEndsLast": {"pull", "push"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, options{})
			w.crew(fakegithub.Read)
			grants := map[string]grant.Fulfilment{}
			grants["push"] = w.granted(w.judged(w.owed(`{"repository":"acme/pro","permission":"push"}`)))
			f := w.owed(pullPro)
			f.Holds[0].Origin, f.Holds[0].Before, f.Holds[0].Others = grant.FromElsewhere, 1, 3
			grants["pull"] = w.granted(f)
			w.role(w.pro, fakegithub.Write)

			f, last := grants[order[0]], grants[order[1]]
			f.Holds[0].Others = last.Holds[0].Level
			w.revoked(f)
			last.Holds[0].Others = 0
			last = w.granted(last)
			w.role(w.pro, fakegithub.Role(roleNames[last.Holds[0].Level-1]))

			ctx, said := fulfillers.WithRemarks(t.Context())
			w.is(w.g.Revoke(ctx, let(last)), none, "")
			if w.role(w.pro, ""); !strings.Contains(said(), "still has pull on acme/pro, by a team") {
				t.Errorf("said %q", said())
			}
		})
	}
}

// Who was a collaborator before is one after, whatever a team gave beside.
func TestACollaboratorFromBeforeStaysOneBesideATeam(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.AddByHand(w.pro, octocat, fakegithub.Read)
	w.AddTeam(fakegithub.Team{Org: "acme", Slug: "crew", Members: []int64{octocat}, Repositories: map[int64]fakegithub.Role{w.pro: fakegithub.Read}})
	f := w.granted(w.judged(w.owed(`{"repository":"acme/pro","permission":"push"}`)))
	w.revoked(f)
	w.role(w.pro, fakegithub.Read)
}

func TestWhoIsNoMoreHasNoAccess(t *testing.T) {
	t.Parallel()
	for _, lowered := range []int{0, 1} {
		w := start(t, options{})
		f := w.invited(w.owed(pullPro))
		f.Holds[0].Others = lowered
		w.DeleteUser(octocat)
		w.revoked(f)
	}
	w := start(t, options{})
	w.AddByHand(w.pro, octocat, fakegithub.Read)
	w.at("DELETE", "/octocat", func(*http.Request) { w.DeleteUser(octocat) })
	w.revoked(w.owed(pullPro))
}

// Some server on the way says 404 of everything: that is nobody's word.
func TestAMissingPageIsNotAMissingAccount(t *testing.T) {
	t.Parallel()
	for path, class := range map[string]string{"/user/*": "refused", "/repos/acme/pro": "refused", inPro: "refused"} {
		w := start(t, options{})
		w.AddByHand(w.pro, octocat, fakegithub.Read)
		w.Inject(fakegithub.Fault{Kind: fakegithub.HTMLError, Status: 404, Match: fakegithub.Match{Path: path}})
		w.is(w.g.Revoke(t.Context(), let(w.owed(pullPro))), transient, class)
		w.role(w.pro, fakegithub.Read)
	}
}

func TestAListThatIsNoneRevokesNothing(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`null`, `{}`, `""`, `[{"id":"x"}]`} {
		for _, path := range []string{"/repos/acme/pro/collaborators", "/repos/acme/pro/invitations", inPro + "/permission", "/user/*", "/repos/acme/pro"} {
			w := start(t, options{})
			w.AddByHand(w.pro, octocat, fakegithub.Read)
			w.Inject(fakegithub.Fault{Kind: fakegithub.Custom, Status: 200, Body: body, Match: fakegithub.Match{Method: "GET", Path: path}})
			w.is(w.g.Revoke(t.Context(), let(w.owed(pullPro))), transient, "malformed")
		}
	}
}

func TestARepositoryThatWeCannotSeeIsNotRevoked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		token bool
		end   func(*world)
		class fulfillers.Class
		code  string
	}{
		"Uninstalled":  {false, func(w *world) { w.UninstallApp(w.installation) }, throttled, "app_not_installed"},
		"NotSelected":  {false, func(w *world) { w.SetRepositories(w.installation, []int64{w.extra}) }, throttled, "app_not_installed"},
		"Deleted":      {false, func(w *world) { w.DeleteRepository(w.pro) }, throttled, "app_not_installed"},
		"DeletedToken": {true, func(w *world) { w.DeleteRepository(w.pro) }, lasting, "repository_not_found"},
		"Archived":     {false, func(w *world) { w.Archive(w.pro) }, lasting, "archived"},
		"Suspended":    {false, func(w *world) { w.SuspendApp(w.installation) }, throttled, "suspended"},
		"Reduced": {false, func(w *world) { w.SetPermissions(w.installation, map[string]string{"administration": "read"}) },
			throttled, "missing_rights"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, options{token: c.token})
			f := w.invited(w.owed(pullPro)) // so that everything is cached
			w.accept(w.pro)
			c.end(w)
			for range 2 {
				err := w.g.Revoke(t.Context(), let(f))
				w.is(err, c.class, c.code)
				if e := fulfillers.Classify(err); e.Class == throttled && (e.Wait != operatorWait || e.Lane == "") {
					t.Errorf("waits %v for %q", e.Wait, e.Lane)
				}
				w.lanes.wake()
			}
		})
	}
}

func TestAnArchivedRepositoryWithoutOurAccessIsRevoked(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.Archive(w.pro)
	w.revoked(w.owed(pullPro))
}

func TestARefusedRemovalIsNotARemoval(t *testing.T) {
	t.Parallel()
	for path, how := range map[string]string{inPro: "collaborator", "/repos/acme/pro/invitations/*": "invitation"} {
		w := start(t, options{})
		f := w.invited(w.owed(pullPro))
		if how == "collaborator" {
			w.accept(w.pro)
		}
		for status, class := range map[int]fulfillers.Class{404: transient, 422: transient, 500: transient, 401: throttled} {
			if status == 404 && how == "invitation" {
				continue // gone is what it should be
			}
			lift := w.Inject(fakegithub.Fault{Kind: fakegithub.Custom, Status: status, Body: `{"message":"No"}`, Match: fakegithub.Match{Method: "DELETE", Path: path}})
			e := fulfillers.Classify(w.g.Revoke(t.Context(), let(f)))
			if e == nil || e.Class != class {
				t.Errorf("%s %d: %v", how, status, e)
			}
			lift()
			w.lanes.wake()
		}
		w.revoked(f)
	}
}

func TestARevokeGoesBeforeInvitations(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.invited(w.owed(pullPro))
	w.revoked(f)
	if w.lanes.urgent != 1 || len(w.lanes.passed["github:repository:acme/pro"]) != 1 {
		t.Errorf("%d urgent; %v", w.lanes.urgent, w.lanes.passed)
	}
}
