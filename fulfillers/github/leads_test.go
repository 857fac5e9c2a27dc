package github

import (
	"fmt"
	"testing"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/internal/fakegithub"
)

// followed is octocat's fulfilment of acme/pro2, which lets go of acme/pro.
func (w *world) followed(f grant.Fulfilment, judged grant.Hold) grant.Fulfilment {
	w.t.Helper()
	next := w.owed(`{"repositories":["acme/pro2"]}`)
	judged.Resource = f.Holds[0].Key()
	next.Holds = append([]grant.Hold{judged}, next.Holds...)
	next.Properties = f.Properties
	return next
}

func (w *world) seen(f grant.Fulfilment) (a grant.Access, err error) {
	w.t.Helper()
	found, err := w.g.Observe(w.t.Context(), f, []grant.Resource{f.Holds[1].Resource})
	if err != nil {
		return a, err
	}
	return found[0], nil
}

func TestABenefitThatFollowsARenamedRepositoryTakesNothingAway(t *testing.T) {
	t.Parallel()
	for _, token := range []bool{false, true} {
		t.Run(fmt.Sprint(token), func(t *testing.T) {
			t.Parallel()
			w := start(t, options{token: token})
			f := w.invited(w.owed(pullPro))
			w.accept(w.pro)
			f = w.granted(f)
			w.Fork(w.pro, octocat)
			w.RenameRepository(w.pro, "pro2")
			next := w.granted(w.followed(f, grant.Hold{Origin: grant.FromUs}))
			w.is(w.g.Revoke(t.Context(), next), none, "")
			w.role(w.pro, fakegithub.Read)
			if len(w.Forks(w.pro)) != 1 || w.count("DELETE", "") != 0 {
				t.Error("access was taken on the way")
			}
			w.revoked(next)
			w.role(w.pro, "")
		})
	}
}

func TestAnAdministratorMadeByHandStaysOneThroughARename(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.owed(pullPro)
	w.AddByHand(w.pro, octocat, fakegithub.Admin)
	w.RenameRepository(w.pro, "pro2")
	next := w.granted(w.followed(f, grant.Hold{Origin: grant.FromUs}))
	w.is(w.g.Revoke(t.Context(), next), none, "")
	w.role(w.pro, fakegithub.Admin)
}

func TestWhatWasThereBeforeARenameIsKnown(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.owed(pullPro)
	w.AddByHand(w.pro, octocat, fakegithub.Write)
	w.RenameRepository(w.pro, "pro2")
	for judged, want := range map[grant.Hold]grant.Access{
		{Origin: grant.FromUs}:                   {},
		{Origin: grant.FromPlatform}:             {},
		{Origin: grant.FromBefore, Before: 1}:    {Level: 1},
		{Origin: grant.FromElsewhere, Before: 2}: {Level: 2, Elsewhere: true},
		{}:                                       {Level: 3}, // not judged: as it is
	} {
		if got, err := w.seen(w.followed(f, judged)); got != want || err != nil {
			t.Errorf("%+v: %+v, %v", judged, got, err)
		}
	}
	for _, change := range []func(*grant.Hold){
		func(h *grant.Hold) { h.Origin = grant.FromPlatform; h.Account = "7" },
		func(h *grant.Hold) { h.Level = 1 },
		func(h *grant.Hold) { h.Name = "acme/extra" },
	} {
		next := w.followed(f, grant.Hold{Origin: grant.FromUs})
		change(&next.Holds[0])
		if got, err := w.seen(next); got.Level != 3 || err != nil {
			t.Errorf("%+v: %+v, %v", next.Holds[0], got, err)
		}
	}
}

func TestWhatOneNameIsStillOwedOutlivesTheOther(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.owed(pullPro)
	w.AddByHand(w.pro, octocat, fakegithub.Maintain)
	w.Fork(w.pro, octocat)
	w.RenameRepository(w.pro, "pro2")
	next := w.followed(f, grant.Hold{Origin: grant.FromUs})
	next.Holds[1].Others = 3
	w.revoked(next)
	w.role(w.pro, fakegithub.Write)
	if len(w.Forks(w.pro)) != 1 || w.count("DELETE", "") != 0 {
		t.Error("access was taken on the way")
	}
}

func TestAFormerNameThatLeadsElsewhereIsAnotherRepository(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		token bool
		then  func(*world)
	}{
		"TakenByAnother": {false, func(w *world) { w.AddRepository(fakegithub.Repository{Owner: "acme", Name: "pro"}) }},
		"Nowhere":        {false, func(w *world) { w.DeleteRepository(w.pro) }},
		"NowhereToken":   {true, func(w *world) { w.DeleteRepository(w.pro) }},
		"Suspended": {false, func(w *world) {
			w.AddOrg(fakegithub.Org{Login: "umbrella"})
			w.SuspendApp(w.Install(fakegithub.Installation{App: 4711, Account: "umbrella", Permissions: map[string]string{"administration": "write"}}))
			w.Transfer(w.pro, "umbrella")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, options{token: c.token})
			f := w.owed(pullPro)
			if name == "TakenByAnother" {
				w.RenameRepository(w.pro, "older")
			}
			c.then(w)
			repo := w.AddRepository(fakegithub.Repository{Owner: "acme", Name: "pro2"})
			w.AddByHand(repo, octocat, fakegithub.Triage)
			if got, err := w.seen(w.followed(f, grant.Hold{Origin: grant.FromUs})); got.Level != 2 || err != nil {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestWhereAFormerNameLeadsIsNotGuessed(t *testing.T) {
	t.Parallel()
	w := start(t, options{token: true})
	f := w.owed(pullPro)
	w.AddByHand(w.pro, octocat, fakegithub.Read)
	w.RenameRepository(w.pro, "pro2")
	next := w.followed(f, grant.Hold{Origin: grant.FromUs})
	lift := w.Inject(fakegithub.Fault{Kind: fakegithub.ServerError, Match: fakegithub.Match{Path: "/repos/acme/pro"}})
	_, err := w.seen(next)
	w.is(err, transient, "refused")
	lift()
	w.Inject(fakegithub.Fault{Kind: fakegithub.ServerError, Match: fakegithub.Match{Path: "/repos/acme/pro2"}})
	w.is(w.g.Revoke(t.Context(), next), transient, "refused")
	w.role(w.pro, fakegithub.Read)
}

func TestWhatIsWantedIsNotAskedForByARevoke(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	f := w.owed(`{"repositories":["acme/pro","acme/extra"]}`)
	w.is(w.g.Revoke(t.Context(), f), none, "")
	if n := w.count("", ""); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestOneRepositoryThatRefusesHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body, code string
	}{
		"Rights": {"", "missing_rights"}, // the fake's own refusal
		"Policy": {`{"message":"Resource protected by organization SAML enforcement."}`, "policy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, options{token: true})
			w.AddOrg(fakegithub.Org{Login: "umbrella", Base: fakegithub.None})
			corp := w.AddRepository(fakegithub.Repository{Owner: "umbrella", Name: "corp"})
			w.AddByHand(corp, w.alice, fakegithub.Write)
			if c.body != "" {
				w.Inject(fakegithub.Fault{Kind: fakegithub.Custom, Status: 403, Body: c.body, Match: fakegithub.Match{Path: "/repos/umbrella/corp"}})
			}
			e := w.refusal(w.owed(`{"repository":"umbrella/corp"}`), throttled, c.code)
			if e.Wait != 5*time.Minute || e.Lane != "github:repository:umbrella/corp" || len(w.lanes.rests) != 0 {
				t.Errorf("waits %v for %s; %v rest", e.Wait, e.Lane, w.lanes.rests)
			}
			w.invited(w.owed(pullPro))
		})
	}
}

func TestAGrantThatIsPutOffSaysTheSameAtEveryTry(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	lane := fmt.Sprint("github:installation:", w.installation)
	_ = w.lanes.Pause(t.Context(), lane, time.Hour, "")
	first := w.refusal(w.owed(pullPro), throttled, "throttled")
	w.clock.pass(time.Minute)
	second := w.refusal(w.owed(pullPro), throttled, "throttled")
	if first.Error() != second.Error() || second.Wait >= first.Wait || fulfillers.Classify(first).Lane != lane {
		t.Errorf("%v, then %v", first, second)
	}
}
