package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"fulfilld/grant"
	"fulfilld/handlers"
	"fulfilld/ledger"
)

const supportKey = `<PRO> "X"-1C285B2D-6CE6-4BC7-B8BE-ADB6A7E304DA`

// support is a daemon's admin API with one license key in its ledger.
func support(t *testing.T) (say func(args ...string) string, keyID string, l *ledger.Ledger) {
	t.Helper()
	r := newReception(t)
	l = r.ledger
	f := owedID + ".github_repository" // any fulfilment will do
	two := int64(2)
	k, err := l.IssueLicenseKey(t.Context(), grant.LicenseKey{FulfilmentID: f, BenefitID: reposID, CustomerID: adaID, OrganizationID: reposID,
		Key: supportKey, DisplayKey: "****-E304DA", LimitActivations: &two}, 1)
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(handlers.Admin(handlers.AdminOptions{Ledger: l, Token: officeToken, Health: http.NotFoundHandler(), Metrics: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler)}))
	t.Cleanup(api.Close)
	return func(args ...string) string {
		t.Helper()
		out, err := sayTo(t, api.URL, append([]string{"licenses"}, args...)...)
		if err != nil {
			t.Errorf("%q: %v", args, err)
		}
		if strings.Contains(out, "1C285B2D") && !strings.Contains(fmt.Sprint(args), "--reveal") {
			t.Errorf("%q shows a whole key: %s", args, out)
		}
		return out
	}, k.ID, l
}

func sayTo(t *testing.T, url string, args ...string) (string, error) {
	t.Helper()
	return say(t, func(*cobra.Command) (*adminClient, error) { return newAdminClient(url, officeToken, false) }, args...)
}

func TestLicensesAreLookedAtAndMended(t *testing.T) {
	t.Parallel()
	say, id, l := support(t)
	_, a, err := l.ActivateKey(t.Context(), grant.KeyUse{Key: supportKey, OrganizationID: reposID}, grant.Activation{Label: "laptop\x1b[31m", Meta: []byte(`{"ip":"::1"}`)})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args string
		says []string
	}{
		{"list --customer " + adaID + " --status granted", []string{id, "****-E304DA", "granted", "1 in all"}},
		{"list --benefit " + adaID, []string{"0 in all"}},
		{"list --json", []string{`"key":"****-E304DA","display_key":"****-E304DA"`}},
		{"show " + id, []string{"License key  " + id, "Text         ****-E304DA", "Places       2"}},
		{"show --reveal " + id, []string{supportKey}},
		{"show --json " + id, []string{`"key":"****-E304DA"`, `"activations":[{`}},
		{"activations " + id, []string{a.ID, "laptop [31m", `{"ip":"::1"}`, "1 of 2 places are taken."}},
		{"disable " + id, []string{"Status       disabled"}},
		{"list --status disabled", []string{"1 in all"}},
		{"enable " + id, []string{"Status       granted"}},
		{"deactivate " + id + " " + a.ID, []string{"0 of 2 places are taken."}},
		{"rotate " + id, []string{"Text         ****-"}},
	} {
		out := say(strings.Fields(tt.args)...)
		for _, want := range tt.says {
			if !strings.Contains(out, want) {
				t.Errorf("%s does not say %q:\n%s", tt.args, want, out)
			}
		}
	}
	k, err := l.LicenseKey(t.Context(), id)
	if err != nil || k.Key == supportKey || !strings.HasPrefix(k.Key, `<PRO> "X"-`) {
		t.Errorf("after the rotation: %v", err)
	}
}

func TestAKeyIsMaskedWhereverItStands(t *testing.T) {
	t.Parallel()
	got := string(masked([]byte(`{"items":[{"key":"A\"B-123456","display_key":"****-123456"},{"key":"C-654321","display_key":"****-654321"}]}`)))
	want := `{"items":[{"key":"****-123456","display_key":"****-123456"},{"key":"****-654321","display_key":"****-654321"}]}`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := string(masked([]byte(`no JSON`))); got != "no JSON" {
		t.Error(got)
	}
}

func TestLicensesCommandsCheckTheirIDs(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	for _, args := range [][]string{{"show", "x"}, {"deactivate", someID, "x"}, {"deactivate", "x", someID}, {"list", "--customer", "x"}} {
		if _, err := o.say(t, append([]string{"licenses"}, args...)...); codeOf(err) != 1 || len(o.asked) > 0 {
			t.Errorf("%q: %v, asked %q", args, err, o.asked)
		}
	}
	if _, err := o.say(t, "licenses", "show", someID); codeOf(err) != exitNotFound {
		t.Errorf("no key: %v", err)
	}
}
