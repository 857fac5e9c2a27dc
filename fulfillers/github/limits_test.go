package github

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/internal/fakegithub"
)

func TestALimitRestsItsLaneForAsLongAsGitHubAsks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault fakegithub.Fault
		least time.Duration
	}{
		"Secondary403":     {fakegithub.Fault{Kind: fakegithub.SecondaryLimit, Wait: 90 * time.Second}, 90 * time.Second},
		"Secondary429":     {fakegithub.Fault{Kind: fakegithub.SecondaryLimit, Status: 429, Wait: 90 * time.Second}, 90 * time.Second},
		"WithoutDocs":      {fakegithub.Fault{Kind: fakegithub.SecondaryLimit, Wait: 90 * time.Second, NoDocs: true}, 90 * time.Second},
		"WithoutWait":      {fakegithub.Fault{Kind: fakegithub.SecondaryLimit}, time.Minute},
		"WithoutWait429":   {fakegithub.Fault{Kind: fakegithub.SecondaryLimit, Status: 429, NoDocs: true}, time.Minute},
		"Primary403":       {fakegithub.Fault{Kind: fakegithub.PrimaryLimit, Wait: 20 * time.Minute}, 20 * time.Minute},
		"Primary429":       {fakegithub.Fault{Kind: fakegithub.PrimaryLimit, Status: 429, Wait: 20 * time.Minute}, 20 * time.Minute},
		"Abuse":            {fakegithub.Fault{Kind: fakegithub.Custom, Body: `{"message":"You have triggered an abuse detection mechanism"}`}, time.Minute},
		"ByDocsAlone":      {fakegithub.Fault{Kind: fakegithub.Custom, Body: `{"message":"No","documentation_url":"https://docs.github.com/x#secondary-rate-limits"}`}, time.Minute},
		"SomebodyElses429": {fakegithub.Fault{Kind: fakegithub.HTMLError, Status: 429}, time.Minute},
	} {
		for _, token := range []bool{false, true} {
			t.Run(fmt.Sprint(name, token), func(t *testing.T) {
				t.Parallel()
				w := start(t, options{token: token})
				fault := c.fault
				fault.Match.Path = "/repos/acme/pro/invitations"
				w.Inject(fault)
				e := w.refusal(w.owed(pullPro), throttled, "throttled")
				lane := map[bool]string{true: "github:token", false: fmt.Sprint("github:installation:", w.installation)}[token]
				if e.Wait < c.least || e.Wait > c.least+time.Minute || e.Lane != lane || w.lanes.resting(lane) != e.Wait.Round(time.Second) {
					t.Errorf("waits %v for %s, which rests %v", e.Wait, e.Lane, w.lanes.resting(lane))
				}
				n := w.count("", "")
				w.wants(w.owed(pullPro), throttled, "throttled")
				if w.count("", "") != n || w.Violations().Early != 0 {
					t.Error("GitHub was asked again while the lane rests")
				}
			})
		}
	}
}

func TestWaitsThatGitHubDoesNotNameGrow(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	lift := w.Inject(fakegithub.Fault{Kind: fakegithub.SecondaryLimit, Match: fakegithub.Match{Path: "/repos/acme/pro"}})
	for n := range 9 {
		e := w.refusal(w.owed(pullPro), throttled, "throttled")
		if want := min(time.Minute<<n, time.Hour); e.Wait != want {
			t.Errorf("refusal %d: waits %v, want %v", n, e.Wait, want)
		}
		w.lanes.wake()
	}
	lift()
	w.invited(w.owed(pullPro))
	w.Inject(fakegithub.Fault{Kind: fakegithub.SecondaryLimit})
	if e := w.refusal(w.owed(pullPro), throttled, "throttled"); e.Wait != time.Minute {
		t.Errorf("waits %v after a success", e.Wait)
	}
}

// v62 of GitHub's client would refuse them all.
func TestOneRefusalDoesNotHoldUpOtherInstallations(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.AddOrg(fakegithub.Org{Login: "umbrella", Base: fakegithub.None})
	w.AddRepository(fakegithub.Repository{Owner: "umbrella", Name: "corp"})
	w.Install(fakegithub.Installation{App: 4711, Account: "umbrella", Permissions: map[string]string{"administration": "write"}})
	for _, kind := range []fakegithub.Kind{fakegithub.SecondaryLimit, fakegithub.PrimaryLimit} {
		lift := w.Inject(fakegithub.Fault{Kind: kind, Match: fakegithub.Match{Path: "/repos/acme/*"}})
		f := w.wants(w.owed(`{"repositories":["acme/pro","umbrella/corp"]}`), throttled, "throttled")
		if all := f.Properties["repositories"].([]any); all[1].(map[string]any)["invitation_id"] == nil {
			t.Errorf("%v", f.Properties)
		}
		lift()
		w.lanes.wake()
	}
}

func TestWritesAreSpacedAfterASlowOneToo(t *testing.T) {
	t.Parallel()
	const spacing = 40 * time.Millisecond
	w := start(t, options{edit: func(c *Config) { c.Limits.Spacing = spacing * 1000 }}) // the test's clock is that fast
	w.Inject(fakegithub.Fault{Kind: fakegithub.Slow, Wait: 6 * spacing, Times: 1, Match: fakegithub.Match{Method: "PUT"}})
	var all sync.WaitGroup
	for n := range 5 {
		f := w.owed(pullPro)
		f.Account.ID = fmt.Sprint(w.AddUser(fakegithub.User{Login: fmt.Sprint("user", n)}))
		f.Holds[0].Account = f.Account.ID
		all.Go(func() { _, _ = w.g.Grant(t.Context(), f) })
	}
	all.Wait()
	puts := w.Requests(fakegithub.Match{Method: "PUT"})
	if len(puts) != 5 {
		t.Errorf("%d invitations", len(puts))
	}
	for n := 1; n < len(puts); n++ {
		if gap := puts[n].At.Sub(puts[n-1].At); gap < spacing/4 {
			t.Errorf("write %d came %v after the one before", n, gap)
		}
	}
}

// Whoever was there before.
func TestWhoIsUrgentHasTheTurnFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := newTurn()
		if err := u.take(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		order := make(chan bool, 6)
		for n := range 6 {
			go func() {
				_ = u.take(t.Context(), n >= 3)
				order <- n >= 3
				u.leave()
			}()
			synctest.Wait() // until it stands in the queue
		}
		u.leave()
		for n := range 6 {
			if urgent := <-order; urgent != (n < 3) {
				t.Errorf("%d: urgent %v", n, urgent)
			}
		}
	})
}

func TestTheDaysInvitationsAreSpread(t *testing.T) {
	t.Parallel()
	w := start(t, options{edit: func(c *Config) { c.Limits.InvitationsPerDay = 5 }})
	var last grant.Fulfilment
	for n := range 7 {
		id := fmt.Sprint(w.AddUser(fakegithub.User{Login: fmt.Sprint("user", n)}))
		last = w.owed(pullPro)
		last.Account.ID, last.Holds[0].Account = id, id
		if n < 5 {
			w.invited(last)
			continue
		}
		e := w.refusal(last, throttled, "throttled")
		if e.Lane != "github:repository:acme/pro" || e.Wait > w.g.config.scaled(day+placeLife) || e.Wait <= 0 {
			t.Errorf("waits %v for %s", e.Wait, e.Lane)
		}
	}
	if n := w.count("PUT", ""); n != 5 {
		t.Errorf("%d invitations", n)
	}
	w.invited(w.owed(`{"repository":"acme/extra"}`))
	w.clock.pass(w.g.config.scaled(day + placeLife))
	w.invited(last)
}

// What a place in the lane is taken for may still have to wait for its turn.
func TestAPlaceForAnInvitationIsKeptForAWhile(t *testing.T) {
	t.Parallel()
	w := start(t, options{edit: func(c *Config) { c.Limits.InvitationsPerDay = 1; c.timeFactor = 1 }})
	lane := fmt.Sprint("github:installation:", w.installation)
	w.at("GET", "/octocat/permission", func(*http.Request) { _ = w.lanes.Pause(t.Context(), lane, 12*time.Hour, "") })
	for range 3 {
		w.wants(w.owed(pullPro), throttled, "throttled")
	}
	w.lanes.wake()
	w.clock.pass(placeLife / 2)
	w.invited(w.owed(pullPro))
}

// Places taken one day and used the next would meet the next day's.
func TestNoDaySeesMoreInvitationsThanItHasPlaces(t *testing.T) {
	t.Parallel()
	w := start(t, options{token: true, edit: func(c *Config) { c.Limits.InvitationsPerDay = 3; c.timeFactor = 1; c.Limits.Spacing = time.Millisecond }})
	try := func(n int, class fulfillers.Class, code string) {
		t.Helper()
		f := w.owed(pullPro)
		f.Account.ID = fmt.Sprint(2000 + n)
		f.Holds[0].Account = f.Account.ID
		w.wants(f, class, code)
	}
	for n := range 6 {
		w.AddUser(fakegithub.User{ID: int64(2000 + n), Login: fmt.Sprint("user", n)})
	}
	for n := range 3 { // each takes a place, and has to wait
		w.at("GET", "/permission", func(*http.Request) { _ = w.lanes.Pause(t.Context(), "github:token", 12*time.Hour, "") })
		try(n, throttled, "throttled")
		w.lanes.wake()
	}
	w.clock.pass(23 * time.Hour)
	try(0, throttled, "throttled") // its place is good for nothing any more
	w.clock.pass(2 * time.Hour)
	for n := range 6 {
		if n < 3 {
			try(n, required, "invited")
		} else {
			try(n, throttled, "throttled")
		}
	}
	if n := w.count("PUT", ""); n != 3 {
		t.Errorf("%d invitations within a day", n)
	}
}

func TestARefusalThatSaysNothingAfterManyInvitationsIsTheCap(t *testing.T) {
	t.Parallel()
	o := options{Options: fakegithub.Options{Limits: fakegithub.Limits{Invitations: 40}}}
	w := start(t, o)
	open := w.fulfiller(o) // knows only of what is still open
	r, err := w.g.open(t.Context(), "acme/pro")
	if err != nil {
		t.Fatal(err)
	}
	for n := range 40 {
		login := fmt.Sprint("user", n)
		w.AddUser(fakegithub.User{Login: login})
		if _, err := r.put(t.Context(), user{login: login}, 1); err != nil {
			t.Fatal(err)
		}
		w.g.usePlace("", "acme/pro", true)
	}
	quota := func(f fakegithub.Fault) {
		t.Helper()
		f.Match.Method = "PUT"
		defer w.Inject(f)()
		if e := w.refusal(w.owed(pullPro), throttled, "invitation_quota"); e.Wait != 6*time.Hour || e.Lane != "github:repository:acme/pro" {
			t.Errorf("waits %v for %s", e.Wait, e.Lane)
		}
		if got := w.lanes.resting("github:repository:acme/pro"); got != 6*time.Hour {
			t.Errorf("it rests %v", got)
		}
		w.lanes.wake()
	}
	quota(fakegithub.Fault{Kind: fakegithub.LateRemoval}) // none: the fake's own refusal
	quota(fakegithub.Fault{Kind: fakegithub.Custom, Status: 422, Body: `{"message":"Validation Failed"}`})
	w.g = open
	quota(fakegithub.Fault{Kind: fakegithub.Custom, Status: 403, Body: `{"message":"Forbidden"}`})
	w.revoked(w.owed(pullPro)) // which nothing holds up
}

// What GitHub did not take is not counted either.
func TestOneCustomerIsRefusedForAll(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status     int
		body       string
		code, lane string
		wait       time.Duration
		extra      int // how many more tries another repository of the organisation takes
	}{
		"NoSeat": {422, `{"message":"Validation Failed","errors":[{"code":"no_seat"}]}`, "no_seat", "github:organization:acme", noSeatWait, 0},
		"Policy": {403, `{"message":"Outside collaborators are disabled for this organization"}`, "policy", "github:repository:acme/pro", operatorWait, 1},
		"Quota":  {422, `{"message":"Validation Failed","errors":["spam"]}`, "invitation_quota", "github:repository:acme/pro", quotaWait, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, options{token: true, edit: func(c *Config) { c.timeFactor, c.Limits.Spacing = 1, time.Millisecond; c.Limits.InvitationsPerDay = 3 }})
			lift := w.Inject(fakegithub.Fault{Kind: fakegithub.Custom, Status: c.status, Body: c.body, Match: fakegithub.Match{Method: "PUT"}})
			f := w.owed(pullPro)
			for range 3 { // more often than there are places
				if e := w.refusal(f, throttled, c.code); e.Lane != c.lane || w.lanes.resting(c.lane) != c.wait {
					t.Errorf("%+v; %v", e, w.lanes.rests)
				}
				w.lanes.wake()
			}
			_ = w.refusal(f, throttled, c.code)
			n := w.count("PUT", "")
			for i := range 5 {
				other := w.owed(pullPro)
				other.Account.ID = fmt.Sprint(w.AddUser(fakegithub.User{Login: fmt.Sprint("user", i)}))
				other.Holds[0].Account = other.Account.ID
				if e := w.refusal(other, throttled, "throttled"); e.Lane != c.lane {
					t.Errorf("%+v", e)
				}
			}
			_, _ = w.g.Grant(t.Context(), w.owed(`{"repository":"acme/extra"}`))
			if got := w.count("PUT", "") - n; got != c.extra {
				t.Errorf("%d more were refused, want %d", got, c.extra)
			}
			w.revoked(f) // which nothing holds up
			lift()
			w.lanes.wake()
			if w.g.invitedLately("acme/pro", 0) != 0 {
				t.Error("what was refused counts as sent")
			}
			w.invited(f)
		})
	}
}

// Those who were on their way already see it, too.
func TestWhoHasAPlaceInTheLaneSeesThatItRests(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.at("GET", "/octocat/permission", func(*http.Request) {
		w.g.keepPlace(fmt.Sprint("acme/pro ", octocat))
		_ = w.lanes.Pause(t.Context(), "github:repository:acme/pro", time.Hour, "")
	})
	w.wants(w.owed(pullPro), throttled, "throttled")
	if w.writes() != 0 {
		t.Errorf("%d writes", w.writes())
	}
}

func TestRefusalsSayWhoHasToDoWhat(t *testing.T) {
	t.Parallel()
	body := func(message string) string { return `{"message":"` + message + `"}` }
	for name, c := range map[string]struct {
		status int
		body   string
		class  fulfillers.Class
		code   string
		words  string
	}{
		"NoSeat":      {422, `{"message":"Validation Failed","errors":[{"code":"no_seat","message":"You must purchase at least one more seat"}]}`, throttled, "no_seat", "buy one or free one"},
		"Personal":    {422, `{"message":"Validation Failed","errors":[{"message":"You can only update permissions on organization-owned repositories and their forks"}]}`, lasting, "personal_repository", "organisation"},
		"BaseRole":    {422, body("Cannot assign octocat permission of read"), lasting, "base_role", "lower the base role"},
		"Managed":     {422, body("Cannot invite an Enterprise Managed User"), lasting, "managed_user", "enterprise"},
		"Blocked":     {422, body("Validation Failed"), required, "refused", "blocked the other"},
		"Odd422":      {422, `{"message":"Validation Failed","errors":["one","two"]}`, transient, "refused", "one"},
		"Odd403":      {403, body("Forbidden"), transient, "refused", "Forbidden"},
		"Archived":    {403, body("Repository was archived so is read-only."), lasting, "archived", "unarchive it"},
		"Outside":     {403, body("Outside collaborators are disabled for this organization"), throttled, "policy", "policy"},
		"SAML":        {403, body("Resource protected by organization SAML enforcement."), throttled, "policy", "policy"},
		"AddressList": {403, body("the organization has an IP allow list enabled"), throttled, "policy", "policy"},
		"Integration": {403, body("Resource not accessible by integration"), throttled, "missing_rights", "Administration: write"},
		"Token":       {403, body("Must have admin rights to Repository."), throttled, "missing_rights", "administer"},
		"Suspended":   {403, body("This installation has been suspended"), throttled, "suspended", "unsuspend"},
		"Credentials": {401, body("Bad credentials"), throttled, "credentials", "check app_id"},
		"Legal":       {451, body("Repository access blocked"), lasting, "blocked", "legal"},
		"Unavailable": {503, body("Service Unavailable"), transient, "refused", "503"},
		"Unicorn":     {502, `"<html>"`, transient, "refused", "502"},
		"Accepted":    {202, `{}`, transient, "refused", "202"},
		"NotYet":      {404, body("Not Found"), transient, "not_found", "404"},
		"NoBody":      {201, `{}`, transient, "malformed", "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, options{})
			w.Inject(fakegithub.Fault{Kind: fakegithub.Custom, Status: c.status, Body: c.body, Match: fakegithub.Match{Method: "PUT"}})
			w.wants(w.owed(pullPro), c.class, c.code, c.words)
		})
	}
}

func TestRefusalsOfTheRealKind(t *testing.T) {
	t.Parallel()
	w := start(t, options{})
	w.Block("acme", octocat)
	w.wants(w.owed(pullPro), required, "refused")
	w = start(t, options{})
	w.AddMember("acme", octocat, false)
	w.AddByHand(w.extra, octocat, fakegithub.Write)
	w.SetBase("acme", fakegithub.Triage)
	w.wants(w.owed(`{"repository":"acme/extra"}`), lasting, "base_role", "is above pull")
}

func TestErrorsQuoteNobodysSecrets(t *testing.T) {
	t.Parallel()
	w := start(t, options{token: true})
	body := `{"message":"` + pat + ` octo@cat.example ` + strings.Repeat("ü", 500) + `","errors":["octo@cat.example"]}`
	w.Inject(fakegithub.Fault{Kind: fakegithub.Custom, Status: 418, Body: body})
	e := w.refusal(w.owed(pullPro), transient, "refused")
	if text := e.Error(); strings.Contains(text, pat) || strings.Contains(text, "cat.example") || len(text) > 800 || !strings.Contains(text, "[redacted]") {
		t.Errorf("%d bytes: %s", len(text), text)
	}
}
