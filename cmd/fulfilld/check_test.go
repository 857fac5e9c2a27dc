package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fulfilld/config"
	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/ledger"
)

// check runs the command with kinds of the test's own.
func check(t *testing.T, f fulfillers.Fulfiller, yaml string, args ...string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "fulfilld.yaml")
	write(t, file, yaml)
	list := []fulfillers.Kind{
		fulfillers.Define("github_repository", true, struct{}{}, func(struct{}) (fulfillers.Fulfiller, int, error) { return f, 1, nil }),
		fulfillers.Define("license_keys", true, struct{}{}, func(struct{}) (fulfillers.Fulfiller, int, error) {
			return struct{ fulfillers.Fulfiller }{&forge{}}, 1, nil // no more than the contract: nothing to ask
		}),
	}
	cmd := checkCommand(&options{configFile: file, environ: []string{"FULFILLD_WEBHOOKS_POLAR_SECRETS=" + payloadSecret}}, list)
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(append([]string{}, args...)) // nil would be the test binary's own
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(t.Context())
	return strings.ReplaceAll(out.String(), file, "FILE"), err
}

const twoBenefits = `
benefits:
  - { id: pro, fulfill: [ { kind: github_repository, repositories: [acme/pro] }, { kind: license_keys } ] }
  - { id: docs, fulfill: [ { kind: github_repository, repositories: [acme/docs] } ] }
`

func TestOnlineCheckTellsEveryProblem(t *testing.T) {
	t.Parallel()
	f := &forge{probe: func(_ context.Context, params string) error {
		if strings.Contains(params, "acme/pro") {
			return fulfillers.Permanent("no_repository", "acme/pro is not there\x1b[31m\ninstall the App on it")
		}
		return nil
	}}
	out, err := check(t, f, twoBenefits, "--online")
	want := `The config is fine (FILE). Kinds switched on: github_repository, license_keys.
ok       github_repository, its credentials
problem  github_repository, benefit pro: acme/pro is not there [31m; install the App on it
ok       github_repository, benefit docs
`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	if codeOf(err) != 1 || err.Error() != "1 of 3 probes have problems" {
		t.Errorf("%v", err)
	}
}

func TestOnlineCheckOfNoProblemSucceeds(t *testing.T) {
	t.Parallel()
	out, err := check(t, &forge{}, twoBenefits, "--online")
	if err != nil || strings.Count(out, "ok  ") != 3 {
		t.Errorf("%v: %s", err, out)
	}
	out, err = check(t, struct{ fulfillers.Fulfiller }{&forge{}}, twoBenefits, "--online")
	if err != nil || !strings.HasSuffix(out, "None of them has a provider to ask.\n") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestNothingIsAskedOfAProviderUnlessOnline(t *testing.T) {
	t.Parallel()
	f := &forge{}
	for _, args := range [][]string{nil, {"--print"}, {"--print", "--online"}} {
		_, err := check(t, f, twoBenefits, args...)
		if (err != nil) != (len(args) == 2) {
			t.Errorf("%q: %v", args, err)
		}
	}
	if _, err := check(t, f, "nonsense: 1", "--online"); err == nil {
		t.Error("a config with problems is fine")
	}
	if n := f.probed.Load(); n != 0 {
		t.Errorf("asked %d times", n)
	}
}

func TestProbesThatHangOrPanicAreProblems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &forge{probe: func(ctx context.Context, params string) error {
			if params == "" {
				panic("no lanes")
			}
			return hangs(ctx)
		}}
		var benefits []config.Benefit
		for i := range 7 {
			benefits = append(benefits, config.Benefit{ID: fmt.Sprint(i), Fulfill: []config.Fulfill{{Kind: "github_repository", Params: []byte("{}")}}})
		}
		all := append(credentials(forged(f)), configured(forged(f), benefits)...)
		began := time.Now()
		answers := askAll(t.Context(), all)
		if err := <-answers[0]; err == nil || !strings.Contains(err.Error(), "panic") {
			t.Errorf("panic: %v", err)
		}
		for _, answer := range answers[1:] {
			if err := <-answer; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("hang: %v", err)
			}
		}
		if took := time.Since(began); took != 2*probeWithin {
			t.Errorf("%d took %s, want %d at once", len(all), took, probesAtOnce)
		}
	})
}

func TestTheDaemonAsksForWhatTheLedgerKnowsToo(t *testing.T) {
	t.Parallel()
	f := &forge{}
	d := &daemon{cfg: &config.Config{Benefits: []config.Benefit{{ID: "pro", Fulfill: []config.Fulfill{{Kind: "github_repository", Params: []byte(`{"repository":"acme/pro"}`)}}}}}}
	d.route = router(d.cfg, forged(f))
	var err error
	d.ledger, err = ledger.Open(t.Context(), "sqlite://"+t.TempDir()+"/fulfilld.db", ledger.Options{Fast: true, Route: d.route.Route})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.ledger.Close() })
	repository := func(id, name string) grant.Benefit {
		return grant.Benefit{ID: id, Type: "github_repository", Properties: []byte(`{"repository":"` + name + `"}`), Version: grant.Version{At: time.Now()}}
	}
	know(t, d.ledger, grant.News{Benefits: []grant.Benefit{
		repository("a", "acme/pro"), repository("b", "acme/docs"), repository("c", "acme/docs"), repository("e", "mallory/hers"), {ID: "d", Type: "discord", Version: grant.Version{At: time.Now()}},
	}})
	var got []string
	for _, p := range d.probes(t.Context()) {
		got = append(got, p.String()+" "+string(p.params))
	}
	want := []string{"github_repository, its credentials ", `github_repository, benefit pro {"repository":"acme/pro"}`, `github_repository, benefit c {"repository":"acme/docs"}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
