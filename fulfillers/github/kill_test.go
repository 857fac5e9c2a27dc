package github

import (
	"context"
	"net/http"
	"testing"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/internal/fakegithub"
)

// killed is a Grant whose process ends with a fault: of what it did, only what it
// remembered before is known.
func (w *world) killed(f grant.Fulfilment, fault fakegithub.Fault) grant.Fulfilment {
	w.t.Helper()
	defer w.Inject(fault)()
	known := f.Properties
	ctx := fulfillers.WithMemory(w.t.Context(), func(_ context.Context, p grant.Properties) error { known = p; return nil })
	failed(w.g.Grant(ctx, f))
	return again(f, known)
}

// after is a fault that kills when GitHub has done what it was asked; refusing is
// one that kills when it has said no.
func after(method string) fakegithub.Fault {
	return fakegithub.Fault{Kind: fakegithub.LostAnswer, Match: fakegithub.Match{Method: method}}
}

func refusing(method string) fakegithub.Fault {
	return fakegithub.Fault{Kind: fakegithub.Custom, Status: http.StatusForbidden, Body: `{"message":"Forbidden"}`, Match: fakegithub.Match{Method: method}}
}

// raises are the ways in which somebody becomes an administrator: what is there
// before, and how GitHub is asked.
var raises = map[string]struct {
	before func(*world) grant.Fulfilment
	method string
}{
	"Collaborator": {func(w *world) grant.Fulfilment {
		f := w.invited(w.owed(pullPro))
		w.accept(w.pro)
		return w.granted(f)
	}, "PUT"},
	"Invitation": {func(w *world) grant.Fulfilment { return w.invited(w.owed(pullPro)) }, "PATCH"},
	"Nothing":    {func(w *world) grant.Fulfilment { return w.owed(pullPro) }, "PUT"},
	"Member": {func(w *world) grant.Fulfilment {
		w.AddMember("acme", octocat, false)
		return w.owed(pullPro)
	}, "PUT"},
}

func TestAnAdministratorIsLoweredWhomWeMadeBeforeAKill(t *testing.T) {
	t.Parallel()
	for name, c := range raises {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, options{})
			f := c.before(w)
			f.Holds[0].Level = admin
			f = w.killed(f, after(c.method))
			if len(w.Invitations(w.pro)) > 0 {
				w.accept(w.pro)
			}
			w.role(w.pro, fakegithub.Admin)
			f.Generation++ // it is edited meanwhile
			f.Holds[0].Level = 1
			f = w.granted(f)
			if w.role(w.pro, fakegithub.Read); first(t, f)["access"] != nil {
				t.Errorf("%v", f.Properties)
			}
		})
	}
}

// What was refused was not given, whether or not anybody lived to hear of it.
func TestAnAdministratorMadeByHandStaysOneAfterARefusalAndAKill(t *testing.T) {
	t.Parallel()
	looks := map[string]func(*world, grant.Fulfilment, string) grant.Fulfilment{
		"RefusedAgain": func(w *world, f grant.Fulfilment, method string) grant.Fulfilment {
			defer w.Inject(refusing(method))()
			return w.wants(f, transient, "refused")
		},
		"EditedBefore": func(w *world, f grant.Fulfilment, _ string) grant.Fulfilment {
			f.Holds[0].Level = 1
			return again(f, granting(w.g.Grant(w.t.Context(), f)))
		},
	}
	for name, c := range raises {
		for how, look := range looks {
			t.Run(name+how, func(t *testing.T) {
				t.Parallel()
				w := start(t, options{})
				f := c.before(w)
				f.Holds[0].Level = admin
				f = look(w, w.killed(f, refusing(c.method)), c.method)
				w.AddByHand(w.pro, octocat, fakegithub.Admin)
				f.Holds[0].Level = 1
				for range 2 {
					if f = w.granted(f); first(t, f)["access"] != "other" {
						t.Errorf("%v", f.Properties)
					}
					w.role(w.pro, fakegithub.Admin)
				}
			})
		}
	}
}

func granting(p grant.Properties, _ error) grant.Properties { return p }

// Who is an administrator already is made none: there is nothing to remember.
func TestNothingIsRememberedOfAnAdministratorMadeByHand(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.invited(w.owed(pullPro))
	w.AddByHand(w.pro, octocat, fakegithub.Admin)
	f = w.granted(f)
	f.Holds[0].Level = admin
	ctx := fulfillers.WithMemory(t.Context(), func(_ context.Context, p grant.Properties) error {
		t.Errorf("remembered %v", p)
		return nil
	})
	if _, err := w.g.Grant(ctx, f); err != nil {
		t.Fatal(err)
	}
	f.Holds[0].Level = 1 // and killed before the record
	w.granted(f)
	w.role(w.pro, fakegithub.Admin)
}

func TestWhatCannotBeRememberedIsNotDone(t *testing.T) {
	t.Parallel()
	ctx := fulfillers.WithMemory(t.Context(), func(context.Context, grant.Properties) error {
		return fulfillers.Throttled("", time.Second, grant.ErrNotFound)
	})
	for name, c := range raises {
		w := start(t, options{})
		f := c.before(w)
		f.Holds[0].Level = admin
		writes := w.writes()
		_, err := w.g.Grant(ctx, f)
		if w.is(err, throttled, "throttled"); w.writes() != writes {
			t.Errorf("%s: %d writes", name, w.writes()-writes)
		}
	}
	w := start(t, options{token: true})
	f := w.invited(w.owed(pullPro))
	w.clock.pass(8 * 24 * time.Hour)
	_, err := w.g.Grant(ctx, f)
	w.is(err, throttled, "throttled")
	w.only(w.pro)
}

func TestExpiredInvitationsAreSentAgainThroughKills(t *testing.T) {
	t.Parallel()
	w := start(t, options{token: true})
	f := w.invited(w.owed(pullPro))
	for n := 2.0; n <= 4; n++ {
		w.clock.pass(8 * 24 * time.Hour)
		if f = w.killed(f, after("DELETE")); len(w.Invitations(w.pro)) != 0 {
			t.Fatalf("%v", w.Invitations(w.pro))
		}
		f = w.killed(f, after("PUT"))
		w.only(w.pro)
		if f = w.invited(f); first(t, f)["invitations"] != n {
			t.Errorf("%v, want %v invitations", f.Properties, n)
		}
	}
	w.clock.pass(8 * 24 * time.Hour)
	f = w.wants(f, required, "invitation_expired", "4 invitations")
	if n := w.count("PUT", ""); n != 4 {
		t.Errorf("%d invitations sent", n)
	}
}

func TestWhoDeclinesWhatWasSentAgainIsNotInvitedOnceMore(t *testing.T) {
	t.Parallel()
	w := start(t, options{token: true})
	f := w.invited(w.owed(pullPro))
	w.clock.pass(8 * 24 * time.Hour)
	f = w.invited(w.killed(f, after("DELETE")))
	if err := w.Decline(w.only(w.pro).ID); err != nil {
		t.Fatal(err)
	}
	f = w.killed(f, fakegithub.Fault{Kind: fakegithub.ServerError})
	for range 2 {
		f = w.wants(f, required, "declined", "grants retry")
		w.clock.pass(8 * 24 * time.Hour)
	}
}
