package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/handlers"
	"fulfilld/ledger"
)

const (
	adaID   = "7a1f4c52-6c1e-4d6b-9f0e-2b8f3d1c9a10"
	seatID  = "9d2c6b1a-4f3e-4a5b-8c7d-0e1f2a3b4c5d"
	reposID = "4cb7ab24-906c-4067-83b2-2c8152d36ab6"
	owedID  = "3f0c1d2e-8b7a-4c6d-9e5f-0a1b2c3d4e5f"
)

// reception is the daemon's admin API over a real ledger, in which Ada, who has
// a seat too, waits for a repository.
type reception struct {
	*httptest.Server
	forge   *forge
	ledger  *ledger.Ledger
	offered []grant.Due
}

func newReception(t *testing.T) *reception {
	t.Helper()
	r := &reception{forge: &forge{}}
	rule := fulfillers.Router{Kinds: forged(r.forge)}
	var err error
	r.ledger, err = ledger.Open(t.Context(), "sqlite://"+t.TempDir()+"/fulfilld.db", ledger.Options{Fast: true, Route: rule.Route})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.ledger.Close() })
	r.buy(t)
	r.Server = httptest.NewServer(handlers.Admin(handlers.AdminOptions{
		Ledger: r.ledger, Token: officeToken, Health: http.NotFoundHandler(), Metrics: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler),
		Accounts: accounts{r.ledger, rule.Kinds, func(due []grant.Due) { r.offered = append(r.offered, due...) }},
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *reception) buy(t *testing.T) {
	t.Helper()
	now := grant.Version{At: time.Now(), Sent: time.Now()}
	know(t, r.ledger, grant.News{
		Customers: []grant.Customer{{ID: adaID, Name: "Ada", Body: []byte(`{"id":"` + adaID + `","name":"Ada"}`), Version: now}},
		Members:   []grant.Member{{ID: seatID, CustomerID: adaID, Version: now}},
		Benefits:  []grant.Benefit{{ID: reposID, Type: "github_repository", Version: now}},
		Grants:    []grant.Grant{{ID: owedID, BenefitID: reposID, CustomerID: adaID, SubscriptionID: "s", Source: grant.Platform, Word: grant.SaysGranted, Version: now}},
	})
	r.wait(t)
}

// know has a ledger hear of news.
func know(t *testing.T, l *ledger.Ledger, n grant.News) {
	t.Helper()
	if _, err := l.Accept(t.Context(), grant.Event{Source: source, ID: "msg_1", Type: "test", ReceivedAt: time.Now(), Body: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	events, err := l.Unapplied(t.Context(), time.Hour, 1)
	if err != nil || len(events) != 1 {
		t.Fatal(events, err)
	}
	if _, err := l.Apply(t.Context(), []grant.Decoded{{Event: events[0], News: n}}); err != nil {
		t.Fatal(err)
	}
}

// wait has the worker find out that nobody knows the account.
func (r *reception) wait(t *testing.T) {
	t.Helper()
	h, err := r.ledger.Look(t.Context(), grant.FulfilmentID(owedID, "github_repository"), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.ledger.Record(t.Context(), h, grant.Outcome{Action: grant.DoGrant, State: grant.Waiting, Class: "action_required", DueAt: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
}

func (r *reception) say(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return say(t, func(*cobra.Command) (*adminClient, error) { return newAdminClient(r.URL, officeToken, false) }, args...)
}

func TestALinkedAccountIsShownAndSetsOffWhatWaited(t *testing.T) {
	t.Parallel()
	r := newReception(t)
	out, err := r.say(t, "customers", "link", adaID, "github:octocat")
	if want := "github:583231 (octocat) is now the account of " + adaID + ". 1 became due.\n"; out != want || err != nil {
		t.Errorf("%v: %q", err, out)
	}
	if len(r.offered) != 1 || r.offered[0].ID != grant.FulfilmentID(owedID, "github_repository") {
		t.Errorf("offered %v", r.offered)
	}
	if h, err := r.ledger.Look(t.Context(), r.offered[0].ID, time.Minute); err != nil || h.Account.ID != "583231" || h.Account.Verified {
		t.Errorf("it is for %+v, %v", h.Account, err)
	}
	out, err = r.say(t, "customers", "show", adaID)
	want := "ACCOUNT        NAME     MEMBER  HOW     VERIFIED  SINCE\ngithub:583231  octocat  -       linked  no        0s ago\n\nGRANT  "
	if !strings.Contains(out, want) || err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestAnAccountIsUnlinkedOnce(t *testing.T) {
	t.Parallel()
	r := newReception(t)
	_, err := r.say(t, "customers", "link", adaID, "github:583231")
	if err != nil {
		t.Fatal(err)
	}
	r.wait(t)
	out, err := r.say(t, "customers", "unlink", adaID, "github")
	if want := "The linked github account of " + adaID + " is forgotten. 1 became due.\n"; out != want || err != nil || len(r.offered) != 2 {
		t.Errorf("%v: %q, offered %v", err, out, r.offered)
	}
	if _, err := r.say(t, "customers", "unlink", adaID, "github"); codeOf(err) != 3 {
		t.Errorf("unlinked twice: %v", err)
	}
	if out, err := r.say(t, "customers", "show", adaID); strings.Contains(out, "ACCOUNT") || err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestAMembersAccountIsTheirsAlone(t *testing.T) {
	t.Parallel()
	r := newReception(t)
	if _, err := r.say(t, "customers", "link", adaID, "github:octocat", "--member", seatID); err != nil || len(r.offered) != 0 {
		t.Errorf("%v, offered %v", err, r.offered)
	}
	if out, err := r.say(t, "customers", "show", adaID); !strings.Contains(out, "octocat  "+seatID+"  linked") || err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := r.say(t, "customers", "unlink", adaID, "github"); codeOf(err) != 3 {
		t.Errorf("the customer's own is unlinked: %v", err)
	}
	if _, err := r.say(t, "customers", "unlink", adaID, "github", "--member", seatID); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNotLinkedSaysWhy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, customer, account string
		refuses                 error
		code                    int
		says                    string
	}{
		{"NobodysName", adaID, "github:hubot", nil, 1, "AccountNotIdentified: GitHub has no account hubot"},
		{"NoName", adaID, "github:../../orgs", nil, 1, `body account "../../orgs"`},
		{"KindIsOff", adaID, "discord:80351110224678912", nil, 1, "no kind that is switched on deals with discord accounts, only with those of github; add the section"},
		{"NoPerson", adaID, "github:acme", fulfillers.Permanent("organization", "acme is an organization"), 1, "acme is an organization"},
		{"Throttled", adaID, "github:octocat", fulfillers.Throttled("github:installation:7", 90*time.Second, errors.New("rate limit")), 1, "rate limit; try again in 1m"},
		{"ProviderDown", adaID, "github:octocat", fulfillers.Transient("server", errors.New("502 Bad Gateway")), 1, "502 Bad Gateway; try again later"},
		{"NoCustomer", someID, "github:octocat", nil, 3, "not found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newReception(t)
			r.forge.refuses = tt.refuses
			_, err := r.say(t, "customers", "link", tt.customer, tt.account)
			if codeOf(err) != tt.code || !strings.Contains(fmt.Sprint(err), tt.says) {
				t.Errorf("code %d, %v", codeOf(err), err)
			}
			if known, err := r.ledger.AccountsOf(t.Context(), adaID); len(known) != 0 || err != nil || len(r.offered) != 0 {
				t.Errorf("known %v, %v; offered %v", known, err, r.offered)
			}
		})
	}
}

func TestWhoMustMendItDecidesTheStatus(t *testing.T) {
	t.Parallel()
	got := map[string]int{}
	for name, err := range map[string]error{
		"customer": fulfillers.ActionRequired("", "x"), "nobody": fulfillers.Permanent("", "x"),
		"later": fulfillers.Throttled("", time.Second, errors.New("x")), "time": fulfillers.Transient("", errors.New("x")), "unknown": errors.New("x"),
	} {
		got[name] = unidentified(err).Status
	}
	want := map[string]int{"customer": 422, "nobody": 422, "later": 429, "time": 503, "unknown": 503}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
