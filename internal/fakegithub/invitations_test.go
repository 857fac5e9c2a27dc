package fakegithub_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"fulfilld/internal/fakegithub"
)

func TestAnOutsiderHasAccessAfterAccepting(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	id := w.invited()
	if got := w.Access(w.repo, octocat); got != fakegithub.None {
		t.Errorf("access before: %s", got)
	}
	if err := w.Accept(id); err != nil {
		t.Error(err)
	}
	if role, ok := w.Collaborator(w.repo, octocat); role != fakegithub.Read || !ok || len(w.Invitations(w.repo)) != 0 {
		t.Errorf("role %q, %v; invitations %v", role, ok, w.Invitations(w.repo))
	}
	if err := w.Accept(id); !errors.Is(err, fakegithub.ErrGone) {
		t.Errorf("twice: %v", err)
	}
}

func TestADeclinedInvitationIsGone(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	id := w.invited()
	if err := w.Decline(id); err != nil {
		t.Error(err)
	}
	w.do("DELETE", fmt.Sprintf("%s/invitations/%d", app, id), "").has(t, 404, "Not Found")
	w.do("GET", invite, "").has(t, 404, "Not Found")
}

func TestAPendingInvitationIsAnsweredAgain(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	id := w.invited()
	w.clock.pass(time.Hour)
	got := w.do("PUT", invite, `{"permission":"triage"}`)
	if got.status != 201 || got.body["id"] != float64(id) || got.body["permissions"] != "triage" {
		t.Errorf("%d %s", got.status, got.text)
	}
	if n := len(w.Invitations(w.repo)); n != 1 {
		t.Errorf("%d invitations", n)
	}
}

func TestExpiredInvitationsStayListedUntilDeleted(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	id := w.invited()
	w.do("GET", app+"/invitations", "").has(t, 200, `"expired":false`)
	w.clock.pass(7 * 24 * time.Hour)
	w.do("GET", app+"/invitations", "").has(t, 200, `"expired":true`)
	w.do("PUT", invite, `{"permission":"pull"}`).has(t, 201, `"expired":true`)
	if err := w.Accept(id); !errors.Is(err, fakegithub.ErrExpired) {
		t.Error(err)
	}
	w.do("DELETE", fmt.Sprintf("%s/invitations/%d", app, id), "").has(t, 204, "")
	if again := w.invited(); again == id || w.Invitations(w.repo)[0].Expired {
		t.Errorf("%v", w.Invitations(w.repo))
	}
}

func TestInvitationsSpeakInOtherWordsThanPut(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	path := fmt.Sprintf("%s/invitations/%d", app, w.invited())
	for _, wrong := range []string{"", "{}", `{"permissions":"pull"}`, `{"permissions":"none"}`, `{"permission":"write"}`} {
		w.do("PATCH", path, wrong).has(t, 422, "No subschema in")
	}
	w.do("PATCH", path, `{"permissions":"write"}`).has(t, 200, `"permissions":"write"`)
	w.do("PATCH", path+"9", `{"permissions":"write"}`).has(t, 404, "Not Found")
}

func TestFiftyInvitationsADayAreEnough(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{Limits: fakegithub.Limits{Content: -1}})
	for n := range 51 {
		login := fmt.Sprintf("user-%d", n)
		w.AddUser(fakegithub.User{Login: login})
		got := w.do("PUT", app+"/collaborators/"+login, "")
		if n < 50 {
			got.has(t, 201, login)
		} else {
			got.has(t, 422, `"message":"Validation Failed","errors":"spammed"`)
		}
		w.clock.pass(time.Minute)
	}
	if got := w.Violations(); got != (fakegithub.Violations{Invitations: 1}) {
		t.Errorf("%+v", got)
	}
	w.clock.pass(24*time.Hour - 51*time.Minute)
	w.do("PUT", app+"/collaborators/user-50", "").has(t, 201, "")
	w.do("PUT", invite, "").has(t, 422, "spammed")
}

func TestInvitationsArePaged(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	for n := range 5 {
		login := fmt.Sprintf("user-%d", n)
		w.AddUser(fakegithub.User{Login: login})
		w.do("PUT", app+"/collaborators/"+login, "").has(t, 201, "")
	}
	var seen []string
	next, pages := app+"/invitations?per_page=2", 0
	for ; next != ""; pages++ {
		got := w.do("GET", next, "")
		seen = append(seen, got.text)
		next = follow(t, got.header.Get("Link"), "next")
	}
	if all := strings.Join(seen, ""); pages != 3 || strings.Count(all, `"invitee"`) != 5 {
		t.Errorf("%d pages: %s", pages, all)
	}
	if got := w.do("GET", app+"/invitations?per_page=2&page=9", ""); got.text != "[]" {
		t.Error(got.text)
	}
	if last := w.do("GET", app+"/invitations?per_page=2", "").header.Get("Link"); !strings.HasSuffix(follow(t, last, "last"), "page=3&per_page=2") {
		t.Error(last)
	}
}

// follow returns the path of a link.
func follow(t *testing.T, links, rel string) string {
	t.Helper()
	for link := range strings.SplitSeq(links, ", ") {
		target, ok := strings.CutSuffix(link, `>; rel="`+rel+`"`)
		if !ok {
			continue
		}
		u, err := url.Parse(strings.TrimPrefix(target, "<"))
		if err != nil {
			t.Fatal(err)
		}
		return u.RequestURI()
	}
	return ""
}

func TestWithoutASeatAcceptingFails(t *testing.T) {
	t.Parallel()
	w := start(t, fakegithub.Options{})
	id := w.invited()
	w.SetSeats("acme", 0)
	err := w.Accept(id)
	if !errors.Is(err, fakegithub.ErrNoSeat) || !strings.Contains(err.Error(), "This invitation is invalid") {
		t.Error(err)
	}
	w.do("GET", app+"/invitations", "").has(t, 200, `"octocat"`)
	w.SetSeats("acme", 1)
	if err := w.Accept(id); err != nil {
		t.Error(err)
	}
	w.do("GET", "/orgs/acme", "").has(t, 200, `"filled_seats":2`)
}
