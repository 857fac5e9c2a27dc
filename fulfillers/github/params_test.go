package github

import (
	"encoding/json"
	"strings"
	"testing"

	"fulfilld/fulfillers"
	"fulfilld/grant"

	"github.com/google/go-cmp/cmp"
)

func TestParametersComeInThreeForms(t *testing.T) {
	for raw, want := range map[string]wish{
		`{"repositories":["Acme/Pro","acme/pro","acme/extra"],"permission":"push"}`: {[]string{"acme/pro", "acme/extra"}, 3},
		`{"repository":"acme/pro"}`:                                      {[]string{"acme/pro"}, 1},
		`{"repositories":"acme/pro, acme/extra,","permission":"triage"}`: {[]string{"acme/pro", "acme/extra"}, 2},
		`{"repository_owner":"acme","repository_name":"pro.js","permission":"admin","repository_id":null,"a_newer_property":{}}`: {[]string{"acme/pro.js"}, 5},
		`{"repositories":null,"repository":"a/b"}`: {[]string{"a/b"}, 1},
	} {
		got, err := parse(json.RawMessage(raw))
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(wish{})); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", raw, err, diff)
		}
	}
}

func TestCheckNamesTheFieldAndTheMend(t *testing.T) {
	for raw, want := range map[string]string{
		``:                                   "repositories: is missing; write a list of owner/name",
		`[]`:                                 "parameters: must be a JSON object",
		`{`:                                  "parameters: must be a JSON object",
		`{"repositories":7}`:                 "repositories: must be a list of owner/name",
		`{"repositories":["acme/pro",".."]}`: `repositories[1]: ".." is no repository; write owner/name, for example acme/pro`,
		`{"repository":"acme/../x"}`:         `repository: "acme/../x" is no repository; write owner/name, for example acme/pro`,
		`{"repository":"-acme/x"}`:           `repository: "-acme/x" is no repository; write owner/name, for example acme/pro`,
		`{"repository_name":"x"}`:            `repository_owner and repository_name: "/x" is no repository; write owner/name, for example acme/pro`,
		`{"repository":1}`:                   "repository: must be text, not number",
		`{"permission":"read"}`:              "repositories: is missing; write a list of owner/name\npermission: must be one of pull, triage, push, maintain, admin",
		`{"repository":"a/` + strings.Repeat("b", 101) + `"}`: `repository: "a/` + strings.Repeat("b", 101) + `" is no repository; write owner/name, for example acme/pro`,
	} {
		if err := new(Fulfiller).Check(json.RawMessage(raw)); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", raw, err, want)
		}
	}
}

func TestResourcesNameWhatIsAskedFor(t *testing.T) {
	f := grant.Fulfilment{Account: grant.Account{ID: "583231"}, Target: grant.Target{Origin: "config",
		Params: json.RawMessage(`{"repositories":["Acme/Pro","acme/extra"],"permission":"maintain"}`)}}
	got, err := new(Fulfiller).Resources(f)
	want := []grant.Resource{
		{Provider: "github", Name: "acme/pro", Account: "583231", Level: 4},
		{Provider: "github", Name: "acme/extra", Account: "583231", Level: 4},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	f.Target.Params = json.RawMessage(`{}`)
	if _, err := new(Fulfiller).Resources(f); fulfillers.Classify(err).Class != lasting {
		t.Errorf("%v", err)
	}
}

func FuzzNamesNeverLeaveTheirPlace(f *testing.F) {
	for _, seed := range []string{"acme/pro", "acme/..", "a/%2e", "a_b/c.d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if isRepository(name) && (strings.Count(name, "/") != 1 || strings.ContainsAny(name, "?#%\\ \n") || strings.HasSuffix(name, "/.") || strings.HasSuffix(name, "/..")) {
			t.Errorf("%q", name)
		}
		if loginForm.MatchString(name) && strings.ContainsAny(name, "./?#%\\ \n") {
			t.Errorf("%q", name)
		}
	})
}
