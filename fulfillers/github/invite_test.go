package github

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"fulfilld/grant"
	"fulfilld/internal/fakegithub"

	"github.com/google/go-cmp/cmp"
)

func TestAnInvitationIsShownUntilItIsAccepted(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.wants(w.owed(pullPro), required, "invited", "octocat is invited to acme/pro", "https://github.com/acme/pro/invitations")
	i := w.only(w.pro)
	want := grant.Properties{
		"account_id": "583231", "invitation_url": "https://github.com/acme/pro/invitations",
		"_given": []any{map[string]any{"repository": "acme/pro", "account": "583231", "since": 1.0, "permission": "pull"}},
		"repositories": []any{map[string]any{
			"repository": "acme/pro", "permission": "pull", "invitation_id": float64(i.ID), "invitations": 1.0,
			"invitation_url": "https://github.com/acme/pro/invitations",
			"invited_at":     i.Created.UTC().Format(time.RFC3339),
			"expires_at":     i.Created.Add(7 * 24 * time.Hour).UTC().Format(time.RFC3339),
		}},
	}
	if diff := cmp.Diff(want, f.Properties); diff != "" || i.Role != fakegithub.Read || i.Invitee != octocat {
		t.Errorf("%+v; properties (-want +got):\n%s", i, diff)
	}
	if f = w.invited(f); w.writes() != 1 {
		t.Errorf("%d writes, want 1", w.writes())
	}
	w.accept(w.pro)
	f = w.granted(f)
	accepted := map[string]any{"repository": "acme/pro", "permission": "pull", "accepted": true, "invitations": 1.0}
	if diff := cmp.Diff(accepted, first(t, f)); diff != "" || f.Properties["invitation_url"] != nil || w.writes() != 1 {
		t.Errorf("%d writes; %v (-want +got):\n%s", w.writes(), f.Properties, diff)
	}
}

func TestAStrangersInvitationIsWithdrawnAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.at("PUT", "/collaborators/octocat", func(*http.Request) {
		w.RenameAccount(octocat, "kitty")
		w.AddUser(fakegithub.User{Login: "octocat"})
	})
	f := w.wants(w.owed(pullPro), lasting, "wrong_invitee", "was withdrawn")
	if all := w.Invitations(w.pro); len(all) != 0 {
		t.Errorf("left %+v", all)
	}
	w.invited(f)
}

func TestALoginThatMovesInBetweenIsFollowed(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.at("PUT", "/collaborators/octocat", func(*http.Request) { w.RenameAccount(octocat, "kitty") })
	w.wants(w.owed(pullPro), required, "invited", "kitty is invited")
}

func TestALostBodyGivesNobodyWrite(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.at("PUT", "/collaborators/octocat", func(r *http.Request) { r.Body = http.NoBody })
	w.wants(w.owed(pullPro), lasting, "wrong_permission", "the role write instead of read", "was withdrawn")
	if all := w.Invitations(w.pro); len(all) != 0 {
		t.Errorf("left %+v", all)
	}
}

func TestAnInvitationThatCannotBeWithdrawnIsShoutedAbout(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.at("PUT", "/collaborators/octocat", func(r *http.Request) { r.Body = http.NoBody })
	w.Inject(fakegithub.Fault{Kind: fakegithub.ServerError, Match: fakegithub.Match{Method: "DELETE"}})
	e := w.refusal(w.owed(pullPro), lasting, "wrong_permission")
	if want := fmt.Sprintf("delete invitation %d of acme/pro by hand, now", w.only(w.pro).ID); !strings.Contains(e.Error(), want) {
		t.Errorf("%v", e)
	}
}

func TestExpiredInvitationsAreSentAgainThreeTimes(t *testing.T) {
	t.Parallel()
	w := start(t, options{token: true})
	f := w.owed(pullPro)
	seen := map[int64]bool{}
	for n := 1.0; n <= 4; n++ {
		if f = w.invited(f); first(t, f)["invitations"] != n {
			t.Errorf("%v, want %v invitations", f.Properties, n)
		}
		seen[w.only(w.pro).ID] = true
		w.clock.pass(8 * 24 * time.Hour)
	}
	for range 2 {
		f = w.wants(f, required, "invitation_expired", "4 invitations", "retry")
	}
	if len(seen) != 4 || len(w.Invitations(w.pro)) != 1 {
		t.Errorf("invitations %v, then %v", seen, w.Invitations(w.pro))
	}
	f.Asked = true
	if f = w.invited(f); first(t, f)["invitations"] != 1.0 || seen[w.only(w.pro).ID] {
		t.Errorf("%v", f.Properties)
	}
}

func TestADeclinedInvitationIsNotSentAgain(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.invited(w.owed(pullPro))
	if err := w.Decline(w.only(w.pro).ID); err != nil {
		t.Fatal(err)
	}
	f = w.wants(f, required, "declined", "octocat declined")
	f.Generation += 3 // edited more than once, and a lease was lost
	f = w.wants(f, required, "declined")
	f.Asked = true
	lift := w.Inject(fakegithub.Fault{Kind: fakegithub.ServerError})
	f = w.wants(f, transient, "refused") // the wish outlives a failure
	lift()
	w.invited(f)
}

func TestWhoDeclinedOrLeftIsNotInvitedAgainHoweverLateThatIsSeen(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*world){
		"Declined": func(w *world) { _ = w.Decline(w.only(w.pro).ID) },
		"Left":     func(w *world) { w.accept(w.pro); w.RemoveByHand(w.pro, octocat) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, options{token: true})
			f := w.invited(w.owed(pullPro))
			end(w)
			w.clock.pass(8 * 24 * time.Hour)
			f = w.wants(f, required, "declined", "grants retry")
			f.Asked = true
			w.invited(f)
		})
	}
}

// Between withdrawing an expired invitation and sending the next, anything may
// fail.
func TestAnExpiredInvitationThatWeWithdrewIsSentAgain(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]fakegithub.Fault{
		"Withdrawal": {Kind: fakegithub.LostAnswer, Match: fakegithub.Match{Method: "DELETE"}},
		"Invitation": {Kind: fakegithub.ServerError, Match: fakegithub.Match{Method: "PUT"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, options{token: true})
			f := w.invited(w.owed(pullPro))
			w.clock.pass(8 * 24 * time.Hour)
			lift := w.Inject(fault)
			f = again(f, failed(w.g.Grant(t.Context(), f)))
			if len(w.Invitations(w.pro)) != 0 {
				t.Errorf("%v", w.Invitations(w.pro))
			}
			lift()
			w.clock.pass(8 * 24 * time.Hour)
			if f = w.invited(f); first(t, f)["invitations"] != 2.0 {
				t.Errorf("%v", f.Properties)
			}
		})
	}
}

func failed(p grant.Properties, err error) grant.Properties {
	if err == nil {
		panic("no error")
	}
	return p
}

func TestWhoWasRemovedByHandIsNotInvitedAgain(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.invited(w.owed(pullPro))
	w.accept(w.pro)
	f = w.granted(f)
	w.RemoveByHand(w.pro, octocat)
	for range 2 {
		f.Generation += 2
		f = w.wants(f, required, "removed_by_hand")
	}
	if len(w.Invitations(w.pro)) != 0 {
		t.Errorf("%v", w.Invitations(w.pro))
	}
	f.Asked = true
	w.invited(f)
}

func TestWhatWeTookAwayWasNotTakenByHand(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.invited(w.owed(pullPro))
	w.accept(w.pro)
	f = w.granted(f)
	w.revoked(f)
	f.Generation += 2
	f.Holds[0].Since = f.Generation // it is held anew
	w.invited(f)
}

// A revoke is committed before anything is taken away, and may end at any moment.
func TestWhatARevokeThatFailedTookWasNotTakenByHand(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.invited(w.owed(pullPro))
	w.accept(w.pro)
	f = w.granted(f)
	lift := w.Inject(fakegithub.Fault{Kind: fakegithub.LostAnswer, Match: fakegithub.Match{Method: "DELETE"}})
	w.is(w.g.Revoke(t.Context(), let(f)), transient, "network")
	lift()
	f.Generation += 2
	f.Holds[0].Since, f.Holds[0].Worked = f.Generation-1, true
	w.invited(f)
}

func TestInvitationsAreCountedThroughEdits(t *testing.T) {
	t.Parallel()
	w := start(t, options{token: true})
	f := w.owed(pullPro)
	for n := 1.0; n <= 4; n++ {
		f.Generation += 2
		if f = w.invited(f); first(t, f)["invitations"] != n {
			t.Errorf("%v, want %v invitations", f.Properties, n)
		}
		w.clock.pass(8 * 24 * time.Hour)
	}
	f.Generation += 2
	w.wants(f, required, "invitation_expired")
}

func TestAFullOrganisationLeavesTheInvitationWaiting(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.SetSeats("acme", 0)
	f := w.invited(w.owed(pullPro))
	if err := w.Accept(w.only(w.pro).ID); err == nil {
		t.Fatal("accepted without a seat")
	}
	f = w.invited(f)
	w.SetSeats("acme", 1)
	w.accept(w.pro)
	w.granted(f)
}

func TestACrashAfterTheInvitationFindsIt(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.owed(pullPro)
	lift := w.Inject(fakegithub.Fault{Kind: fakegithub.LostAnswer, Match: fakegithub.Match{Method: "PUT"}})
	_, err := w.g.Grant(t.Context(), f)
	w.is(err, transient, "network")
	lift()
	w.invited(f) // nothing was remembered
	w.only(w.pro)
	if w.count("PUT", "") != 1 {
		t.Errorf("%d invitations sent", w.count("PUT", ""))
	}
}
