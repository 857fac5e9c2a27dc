package ledger

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fulfilld/grant"
)

// onEachEngineWithWords is onEachEngine where customers may write their account.
func onEachEngineWithWords(t *testing.T, test func(t *testing.T, s *shop)) {
	t.Parallel()
	words := Options{Fast: true, Words: map[string]grant.Words{"github": {CustomField: "github_username", CustomerMetadata: "github"}}}
	for name, url := range map[string]func(testing.TB) string{"sqlite": sqliteURL, "postgres": postgresURL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t, url(t), words))
		})
	}
}

// alone is a grant without a member.
func alone(v int) grant.Grant {
	g := granted("g", v)
	g.MemberID = ""
	return g
}

func buyer(v int, body string) grant.Customer {
	return grant.Customer{ID: "c", Body: []byte(body), Version: version(v)}
}

var byHand = grant.Account{Provider: "github", ID: "7", Name: "octocat"}

// account is whose access the grant g is, once it is due.
func (s *shop) account() grant.Account {
	s.t.Helper()
	h := s.look(repoKey)
	s.record(h, grant.Outcome{Action: grant.DoGrant, State: grant.Waiting, Class: "action_required", DueAt: time.Now().Add(time.Hour)})
	return h.Account
}

func TestAccountIsLinkedBeforeOrAfterThePurchase(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(buyer(1, `{}`)))
		due, err := s.Link(t.Context(), "c", "", byHand)
		if err != nil || len(due) != 0 {
			t.Fatalf("due %v, %v", due, err)
		}
		s.hear(news(benefit(1, "kinds", "github_repository"), alone(1)))
		want := byHand
		want.How = "linked"
		if diff := cmp.Diff(want, s.account()); diff != "" {
			t.Errorf("linked before: -want +got:\n%s", diff)
		}
		other := grant.Account{Provider: "github", ID: "8", Name: "hubot"}
		if due, err := s.Link(t.Context(), "c", "", other); err != nil || len(due) != 1 {
			t.Fatalf("another account makes due %v, %v", due, err)
		}
		if a := s.account(); a.ID != "8" {
			t.Errorf("account %+v, want the new one", a)
		}
		if due, err := s.Link(t.Context(), "c", "", other); err != nil || len(due) != 0 {
			t.Errorf("the same once more makes due %v, %v", due, err)
		}
		if due, err := s.Unlink(t.Context(), "c", "", "github"); err != nil || len(due) != 1 {
			t.Errorf("unlinked: due %v, %v", due, err)
		}
		if a := s.account(); a.ID != "" {
			t.Errorf("account %+v after it was unlinked", a)
		}
		if _, err := s.Unlink(t.Context(), "c", "", "github"); !errors.Is(err, ErrNotFound) {
			t.Errorf("unlinked twice: %v", err)
		}
	})
}

func TestLinkNeedsACustomer(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(buyer(1, `{}`), grant.Member{ID: "m", CustomerID: "other", Version: version(1)}))
		for _, who := range [][2]string{{"unknown", ""}, {"c", "unknown"}, {"c", "m"}} {
			if _, err := s.Link(t.Context(), who[0], who[1], byHand); !errors.Is(err, ErrNotFound) {
				t.Errorf("linked to %v: %v", who, err)
			}
		}
	})
}

func TestThePlatformsOwnAccountComesFirst(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		g := alone(1)
		g.Properties = []byte(`{"account_id":"99"}`)
		b := benefit(1, "kinds", "github_repository,discord")
		b.Type = "github_repository"
		s.hear(news(buyer(1, `{}`), b, g))
		_, err := s.Link(t.Context(), "c", "", byHand)
		must(t, err)
		if a := s.account(); a.ID != "99" || a.How != "grant" {
			t.Errorf("account %+v, want the grant's own", a)
		}
		if a := s.look("g.discord").Account; a.ID != "" {
			t.Errorf("a GitHub account is taken for one of Discord: %+v", a)
		}
	})
}

func TestWordsNameAnAccount(t *testing.T) {
	onEachEngineWithWords(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1, "kinds", "github_repository"), alone(1)))
		if a := s.account(); a.ID != "" || a.Name != "" {
			t.Fatalf("account %+v of nowhere", a)
		}
		if due := s.hear(news(buyer(2, `{"metadata":{"github":"@Meta"}}`))); len(due) != 1 {
			t.Errorf("metadata make due %v", due)
		}
		if a := s.account(); a.Name != "Meta" || a.How != "customer_metadata" {
			t.Errorf("account %+v, want what the metadata say", a)
		}
		if due := s.hear(news(grant.Subscription{ID: "s", CustomerID: "c", Status: "active", Fields: []byte(`{"github_username":" OctoCat "}`), Version: version(3)})); len(due) != 1 {
			t.Errorf("the subscription's fields make due %v", due)
		}
		h := s.look(repoKey)
		if h.Account.Name != "OctoCat" || h.Account.ID != "" || h.Account.How != "custom_field" {
			t.Errorf("account %+v, want what the buyer wrote", h.Account)
		}
		must(t, s.Found(t.Context(), h.Grant, "OctoCat", byHand))
		s.record(h, grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true})
		if due := s.hear(news(buyer(4, `{"metadata":{"github":"meta"}}`))); len(due) != 0 {
			t.Errorf("what does not count makes due %v", due)
		}
		_, err := s.Retry(t.Context(), "g")
		must(t, err)
		if a := s.account(); a.ID != "7" || a.How != "custom_field" || a.Verified {
			t.Errorf("account %+v, want what was found", a)
		}
		s.hear(news(grant.Subscription{ID: "s", CustomerID: "c", Status: "active", Fields: []byte(`{"github_username":"hubot"}`), Version: version(5)}))
		if a := s.account(); a.ID != "" || a.Name != "hubot" {
			t.Errorf("account %+v after the buyer wrote another", a)
		}
	})
}

func TestAPayersWordsAreNotAMembers(t *testing.T) {
	onEachEngineWithWords(t, func(t *testing.T, s *shop) {
		s.hear(news(buyer(1, `{"metadata":{"github":"payer"}}`), grant.Member{ID: "m", CustomerID: "c", Version: version(1)},
			benefit(1, "kinds", "github_repository"), granted("g", 1)))
		if a := s.account(); a.Name != "" || a.ID != "" {
			t.Errorf("account %+v, want none", a)
		}
		if due, err := s.Link(t.Context(), "c", "m", byHand); err != nil || len(due) != 1 {
			t.Fatalf("due %v, %v", due, err)
		}
		if a := s.account(); a.ID != "7" {
			t.Errorf("account %+v, want the member's", a)
		}
		known, err := s.AccountsOf(t.Context(), "c")
		if err != nil || len(known) != 1 || known[0].MemberID != "m" || known[0].ID != "7" || known[0].LinkedAt.IsZero() {
			t.Errorf("known %+v, %v", known, err)
		}
	})
}

func TestAnOwnersAccountIsTheCustomers(t *testing.T) {
	onEachEngineWithWords(t, func(t *testing.T, s *shop) {
		s.hear(news(buyer(1, `{"metadata":{"github":"octocat"}}`),
			grant.Member{ID: "m", CustomerID: "c", Body: []byte(`{"role":"owner"}`), Version: version(1)},
			benefit(1, "kinds", "github_repository"), granted("g", 1)))
		if a := s.account(); a.Name != "octocat" {
			t.Errorf("account %+v, want what the customer's metadata say", a)
		}
		if due, err := s.Link(t.Context(), "c", "", byHand); err != nil || len(due) != 1 {
			t.Fatalf("the customer's link makes due %v, %v", due, err)
		}
		if a := s.account(); a.ID != "7" {
			t.Errorf("account %+v, want the customer's", a)
		}
	})
}

func TestADeletedCustomersAccountsAreForgotten(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(buyer(1, `{}`), grant.Member{ID: "m", CustomerID: "c", Version: version(1)}, grant.Member{ID: "n", CustomerID: "c", Version: version(1)}))
		for _, member := range []string{"", "m", "n"} {
			_, err := s.Link(t.Context(), "c", member, byHand)
			must(t, err)
		}
		s.hear(news(grant.Member{ID: "m", CustomerID: "c", DeletedAt: at(2), Version: version(2)}))
		if n := s.count(`SELECT count(*) FROM identities`); n != 2 {
			t.Errorf("%d accounts known, want the other member's and the customer's", n)
		}
		s.hear(news(grant.Customer{ID: "c", DeletedAt: at(3), Version: version(3)}))
		if n := s.count(`SELECT count(*) FROM identities`); n != 0 {
			t.Errorf("%d accounts known of a deleted customer", n)
		}
	})
}

func TestWordsAreTakenAsTheyAre(t *testing.T) {
	t.Parallel()
	for object, want := range map[string]string{
		`{"k":"octocat"}`:    "octocat",
		`{"k":" @octocat "}`: "octocat",
		`{"k":583231}`:       "583231",
		`{"k":"583231"}`:     "583231",
		`{"k":null}`:         "",
		`{"k":""}`:           "",
		`{}`:                 "",
		``:                   "",
		`[]`:                 "",
		`{"k":"caf\u00e9"}`:  "café",
	} {
		if got := field(object, "k"); got != want {
			t.Errorf("%s: %q, want %q", object, got, want)
		}
	}
}
