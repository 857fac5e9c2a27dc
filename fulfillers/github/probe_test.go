package github

import (
	"encoding/json"
	"strings"
	"testing"

	"fulfilld/fulfillers"
	"fulfilld/internal/fakegithub"
)

func TestAProbeChangesNothingAndNamesTheMend(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit  func(*world)
		class fulfillers.Class
		code  string
	}{
		"Good":         {func(*world) {}, none, ""},
		"NotInstalled": {func(w *world) { w.SetRepositories(w.installation, []int64{w.extra}) }, throttled, "app_not_installed"},
		"Suspended":    {func(w *world) { w.SuspendApp(w.installation) }, lasting, "suspended"},
		"Rights":       {func(w *world) { w.SetPermissions(w.installation, map[string]string{"administration": "read"}) }, lasting, "missing_rights"},
		"Archived":     {func(w *world) { w.Archive(w.pro) }, lasting, "archived"},
		"Renamed":      {func(w *world) { w.RenameRepository(w.pro, "pro2") }, lasting, "renamed"},
		"Deleted":      {func(w *world) { w.DeleteRepository(w.pro) }, throttled, "app_not_installed"},
		"Public": {func(w *world) {
			w.DeleteRepository(w.pro)
			w.AddRepository(fakegithub.Repository{Owner: "acme", Name: "pro", Public: true})
		}, lasting, "public_repository"},
	} {
		for _, known := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := start(t, options{})
				if known {
					w.is(w.g.Probe(t.Context(), json.RawMessage(pullPro)), none, "")
				}
				c.edit(w)
				w.is(w.g.Probe(t.Context(), json.RawMessage(pullPro)), c.class, c.code)
				if w.writes() != 0 {
					t.Errorf("%d writes", w.writes())
				}
			})
		}
	}
}

func TestAProbeByTokenLooksAtItsOwnersRights(t *testing.T) {
	t.Parallel()
	w := start(t, options{token: true})
	w.AddRepository(fakegithub.Repository{Owner: "alice", Name: "own"})
	w.AddOrg(fakegithub.Org{Login: "umbrella"})
	corp := w.AddRepository(fakegithub.Repository{Owner: "umbrella", Name: "corp"})
	probe := func(name string) error { return w.g.Probe(t.Context(), json.RawMessage(`{"repository":"`+name+`"}`)) }
	w.is(probe("acme/pro"), none, "")
	w.is(probe("alice/own"), lasting, "personal_repository")
	w.is(probe("umbrella/corp"), lasting, "repository_not_found")
	w.AddByHand(corp, w.alice, fakegithub.Maintain)
	w.is(probe("umbrella/corp"), lasting, "missing_rights")
}

func TestAProbeReportsEveryRepository(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.Archive(w.pro)
	w.RenameRepository(w.extra, "more")
	err := w.g.Probe(t.Context(), json.RawMessage(`{"repositories":["acme/pro","acme/extra"]}`))
	if err == nil || !strings.Contains(err.Error(), "acme/pro is archived") || !strings.Contains(err.Error(), "acme/extra is now acme/more") {
		t.Errorf("%v", err)
	}
	w.is(w.g.Probe(t.Context(), json.RawMessage(`{}`)), lasting, "bad_params")
}

func TestAProbeWithoutParametersProvesTheCredentials(t *testing.T) {
	t.Parallel()
	for _, token := range []bool{false, true} {
		w := start(t, options{token: token})
		w.is(w.g.Probe(t.Context(), nil), none, "")
		w.Inject(fakegithub.Fault{Kind: fakegithub.BadCredentials})
		w.is(w.g.Probe(t.Context(), nil), throttled, "credentials")
	}
}

func TestInvitesSaysWhoIsReached(t *testing.T) {
	t.Parallel()
	g := new(Fulfiller)
	if got := g.Invites(json.RawMessage(`{"repositories":["acme/pro","acme/extra"],"permission":"push"}`)); !strings.Contains(got, "acme/pro, acme/extra with the permission push") {
		t.Error(got)
	}
	if got := g.Invites(json.RawMessage(`{}`)); got != "" {
		t.Error(got)
	}
}
