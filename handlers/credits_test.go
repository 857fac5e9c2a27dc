package handlers

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"fulfilld/grant"
	"fulfilld/ledger"
)

var deskMeters = []grant.Meter{
	{ID: id("meter", 1), Name: "API calls", Event: "api_call"},
	{ID: id("meter", 2), Name: "Tokens", Event: "generation", Units: "tokens", Overdraft: true},
}

// credit gives Ada units of API calls.
func (d *desk) credit(units int64) {
	d.t.Helper()
	c := grant.Credit{FulfilmentID: id("grant", 1) + ".license_keys", CustomerID: id("customer", 1), MeterID: id("meter", 1), Units: units}
	if _, err := d.ledger.Credit(d.t.Context(), c, 1); err != nil {
		d.t.Fatal(err)
	}
}

func calls(external string, n int) string {
	return "POST /v1/events/ingest\n\n{\"events\":[" + strings.TrimSuffix(strings.Repeat(`{"name":"api_call","external_customer_id":"`+external+`"},`, n), ",") + "]}"
}

func TestWhatIsNotThereIsRefusedWithTheMeterAndItsBalance(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fill()
	d.credit(3)
	if w := d.ask(calls("usr_1", 2)); w.Code != http.StatusOK || w.Body.String() != `{"inserted":2,"duplicates":0,"unmetered":0}`+"\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w := d.ask(calls("usr_1", 2))
	want := `{"error":"InsufficientCredits","detail":[{"type":"insufficient_credits","loc":["body","events",1],` +
		`"msg":"The meter \"API calls\" has a balance of 0 and the event takes 1; nothing of the request was recorded. Add credits, or set overdraft: allow.",` +
		`"input":1,"ctx":{"balance":0,"meter":"API calls","meter_id":"` + id("meter", 1) + `","units":1}}]}` + "\n"
	if w.Code != http.StatusPaymentRequired || w.Body.String() != want {
		t.Errorf("%d %s\nwant %s", w.Code, w.Body, want)
	}
	if w := d.ask("GET /v1/customer-meters/"); !strings.Contains(w.Body.String(), `"consumed_units":2.0,"credited_units":3,"balance":1.0`) {
		t.Errorf("%s", w.Body)
	}
}

func TestAllEventsOfUnknownCustomersAreNamed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fill()
	d.credit(3)
	event := func(customer, event string) string {
		return `{"name":"api_call","external_customer_id":"` + customer + `","external_id":"` + event + `"}`
	}
	send := func(status int, want string, events ...string) {
		t.Helper()
		w := d.ask("POST /v1/events/ingest\n\n{\"events\":[" + strings.Join(events, ",") + "]}")
		if w.Code != status || w.Body.String() != want+"\n" {
			t.Errorf("%d %s\nwant %d %s", w.Code, w.Body, status, want)
		}
	}
	detail := func(place int, customer string) string {
		return fmt.Sprintf(`{"type":"value_error","loc":["body","events",%d,"external_customer_id"],"msg":"Customer does not exist.","input":%q}`, place, customer)
	}
	send(http.StatusUnprocessableEntity, `{"error":"RequestValidationError","detail":[`+detail(1, "usr_x")+","+detail(3, "usr_y")+`]}`,
		event("usr_1", "a"), event("usr_x", "b"), `{"name":"other","customer_id":"`+id("customer", 1)+`"}`, event("usr_y", "c"))
	send(http.StatusOK, `{"inserted":1,"duplicates":0,"unmetered":0}`, event("usr_1", "a"))
	d.hear("msg_gone", "customer.deleted", grant.News{Customers: []grant.Customer{{ID: id("customer", 1), DeletedAt: day(30), Version: version(30)}}}, nil)
	send(http.StatusOK, `{"inserted":0,"duplicates":1,"unmetered":0}`, event("usr_1", "a"))
	send(http.StatusUnprocessableEntity, `{"error":"RequestValidationError","detail":[`+detail(1, "usr_1")+`]}`, event("usr_1", "a"), event("usr_1", "d"))
}

func TestEventsAreRefusedWhereNoMeterIsSetUp(t *testing.T) {
	t.Parallel()
	d := street(newDesk(t), Token{"app", appToken, []string{"events:write"}})
	w := d.ask("POST /v1/events/ingest\nAuthorization: Bearer " + appToken + "\n\n{\"events\":[]}")
	if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "fulfillers.meter_credit.meters") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestARequestHasAThousandEventsAtMost(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fill()
	d.credit(1000)
	if w := d.ask(calls("usr_1", 1001)); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "at most 1000 items") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := d.ask(calls("usr_1", 1000)); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"inserted":1000`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	long := strings.Replace(calls("usr_1", 1), `"name"`, `"external_id":"`+strings.Repeat("ü", 256)+`","name"`, 1)
	if w := d.ask(long); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "at most 255 characters") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestCreditsWantTheirScopes(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fill()
	d.Handler = Public(PublicOptions{Ledger: d.ledger, Meters: deskMeters, Webhook: named("webhook"), Health: named("health"), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Tokens: []Token{{"app", appToken, []string{"events:write"}}, {"shop", appToken + "2", []string{"customer_meters:read"}}, {"web", appToken + "3", []string{"customers:read"}}}})
	ingest, state := "POST /v1/events/ingest", "GET /v1/customers/"+id("customer", 1)+"/state"
	for _, tt := range []struct {
		request, suffix string
		want            int
	}{
		{ingest, "", 200}, {ingest, "2", 403}, {ingest, "x", 401},
		{"GET /v1/customer-meters/", "", 403}, {"GET /v1/customer-meters/", "2", 200},
		{state, "", 403}, {state, "3", 200}, {"GET /v1/customers/external/usr_1/state", "3", 200}, {"GET /v1/customers/external/usr_1/state", "2", 403},
		{"GET /v1/customers/" + id("customer", 1) + "/credits", "2", 403},
	} {
		if w := d.ask(tt.request + "\nAuthorization: Bearer " + appToken + tt.suffix + "\n\n{\"events\":[]}"); w.Code != tt.want {
			t.Errorf("%s with %q: %d, want %d", tt.request, tt.suffix, w.Code, tt.want)
		}
	}
}

// flags gives Ada benefits with flags: two of one key, and one without any.
func (d *desk) flags() (ids []string) {
	n := grant.News{}
	for i, metadata := range []string{`{"key":"beta","tier":1}`, `{"key":"beta","tier":2}`, `{}`} {
		b := grant.Benefit{ID: id("benefit", 10+i), Type: "feature_flag", Version: version(1), Body: fmt.Appendf(nil, `{"metadata":%s}`, metadata)}
		g := grant.Grant{ID: id("grant", 10+i), BenefitID: b.ID, CustomerID: id("customer", 1), SubscriptionID: id("subscription", 1),
			Source: grant.Platform, CreatedAt: day(10 + i), GrantedAt: day(10 + i), Word: grant.SaysGranted, Version: version(10 + i)}
		n.Benefits, n.Grants = append(n.Benefits, b), append(n.Grants, g)
		ids = append(ids, g.ID)
	}
	d.hear("msg_flags", "benefit_grant.created", n, nil)
	return ids
}

func (d *desk) enable(grantID string, p grant.Properties) {
	d.work(grantID+".feature_flag", grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true, Properties: p})
}

func (d *desk) flagsShown() string {
	d.t.Helper()
	_, flags, _ := strings.Cut(d.ask("GET /v1/customers/external/usr_1/state").Body.String(), `"flags":`)
	return strings.TrimSuffix(strings.TrimSpace(flags), "}")
}

func TestAFlagIsOnWhileAnyGrantOfItIs(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fill()
	grants := d.flags()
	one := func(key, metadata string, benefit int) string {
		return fmt.Sprintf(`%q:{"enabled":true,"metadata":%s,"benefit_id":%q}`, key, metadata, id("benefit", benefit))
	}
	shows := func(when string, want ...string) {
		t.Helper()
		if got, want := d.flagsShown(), "{"+strings.Join(want, ",")+"}"; got != want {
			t.Errorf("%s: %s\nwant %s", when, got, want)
		}
	}
	shows("granted, not done yet")
	d.enable(grants[0], grant.Properties{})
	shows("one is done", one("beta", `{"key":"beta","tier":1}`, 10))
	d.enable(grants[1], grant.Properties{})
	d.enable(grants[2], grant.Properties{})
	last := one(id("benefit", 12), `{}`, 12)
	shows("all are", last, one("beta", `{"key":"beta","tier":2}`, 11))
	end := grant.Grant{ID: grants[1], BenefitID: id("benefit", 11), CustomerID: id("customer", 1), SubscriptionID: id("subscription", 1),
		Source: grant.Platform, CreatedAt: day(11), RevokedAt: day(20), Word: grant.SaysRevoked, Version: version(20)}
	d.hear("msg_end", "benefit_grant.revoked", grant.News{Grants: []grant.Grant{end}}, nil)
	shows("one ends", last, one("beta", `{"key":"beta","tier":1}`, 10))
}

func TestTheConfigsKeyOfAFlagComesFirst(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fill()
	d.enable(d.flags()[0], grant.Properties{"key": "ours"})
	if got := d.flagsShown(); !strings.HasPrefix(got, `{"ours":{`) {
		t.Error(got)
	}
}

func TestTheTagChangesWithWhatIsSeenAndOnlyThen(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fill()
	const state = "GET /v1/customers/external/usr_1/state"
	tag := ""
	asked := func(what string, want int) {
		t.Helper()
		w := d.ask(state + "\nIf-None-Match: " + tag)
		now := w.Header().Get("ETag")
		if w.Code != want || (now == tag) != (want == http.StatusNotModified) || (w.Body.Len() == 0) != (want == http.StatusNotModified) {
			t.Errorf("%s: %d with %s, want %d; it was %s", what, w.Code, now, want, tag)
		}
		tag = now
	}
	asked("at first", http.StatusOK)
	asked("nothing happened", http.StatusNotModified)
	grants := d.flags()
	asked("nothing is done yet", http.StatusNotModified)
	d.enable(grants[0], grant.Properties{})
	asked("a flag is on", http.StatusOK)
	d.credit(3)
	asked("credits", http.StatusOK)
	d.ask(calls("usr_1", 1))
	asked("fewer credits", http.StatusOK)
	d.ask(calls("usr_1", 9))
	asked("a refused event", http.StatusNotModified)
	d.hear("msg_sub", "subscription.active", grant.News{Subscriptions: []grant.Subscription{{ID: id("subscription", 1), CustomerID: id("customer", 1), Status: "active",
		Body: []byte(`{"id":"s"}`), Version: version(1)}}}, nil)
	asked("a subscription", http.StatusOK)
	d.hear("msg_gone", "customer.deleted", grant.News{Customers: []grant.Customer{{ID: id("customer", 1), DeletedAt: day(30), Version: version(30)}}}, nil)
	for _, request := range []string{state, "GET /v1/customers/" + id("customer", 1) + "/state"} {
		if w := d.ask(request + "\nIf-None-Match: *"); w.Code != http.StatusNotFound {
			t.Errorf("of a deleted customer: %d %s", w.Code, w.Body)
		}
	}
}

func TestAnyTagOfTheAskersMayFit(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{
		``: false, `"a"`: true, `W/"a"`: true, `"b", "a"`: true, `"b",W/"a"`: true, `*`: true, `"b"`: false, `a`: false, `"aa"`: false,
	} {
		if got := matches([]string{header}, `"a"`); got != want {
			t.Errorf("%s: %v", header, got)
		}
	}
	if !matches([]string{`"b"`, `"a"`}, `"a"`) {
		t.Error("in a second header")
	}
}

func TestExpiredUnitsAreNotInTheState(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fill()
	c := grant.Credit{FulfilmentID: id("grant", 1) + ".license_keys", CustomerID: id("customer", 1), MeterID: id("meter", 1), Units: 5, Lasts: time.Microsecond}
	if _, err := d.ledger.Credit(t.Context(), c, 1); err != nil {
		t.Fatal(err)
	}
	if w := d.ask("GET /v1/customers/external/usr_1/state"); !strings.Contains(w.Body.String(), `"consumed_units":0.0,"credited_units":0,"balance":0.0}]`) {
		t.Error(w.Body)
	}
}

func TestAFlagsKeyMayBeANumber(t *testing.T) {
	t.Parallel()
	for object, want := range map[string]string{
		`{"key":"beta"}`: "beta", `{"key":7}`: "7", `{"key":1.50}`: "1.50", `{"key":true}`: "true", `{"key":false}`: "false",
		`{"key":null}`: "", `{"key":{}}`: "", `{"key":[1]}`: "", `{"Key":"x"}`: "", `{}`: "", ``: "", `[]`: "",
	} {
		if got := keyIn([]byte(object)); got != want {
			t.Errorf("%s: %q, want %q", object, got, want)
		}
	}
}

// A benefit is a flag, and downloads that may be wanting.
func TestAnEditThatIsNotThroughTakesNothingFromTheState(t *testing.T) {
	t.Parallel()
	var kinds []string
	d := newDesk(t, func(o *ledger.Options) {
		o.Route = func(b grant.Benefit) (r grant.Route) {
			for _, kind := range kinds {
				r.Targets = append(r.Targets, grant.Target{Kind: kind, Managed: true, Params: b.Properties})
			}
			return r
		}
	})
	n := 0
	said := func(word grant.Word) {
		t.Helper()
		n++
		b := grant.Benefit{ID: id("benefit", 1), Type: "custom", Properties: fmt.Appendf(nil, `{"edit":%d}`, n), Version: version(n), Body: []byte(`{"metadata":{"key":"beta"}}`)}
		g := grant.Grant{ID: id("grant", 1), BenefitID: b.ID, CustomerID: id("customer", 1), Source: grant.Platform, GrantedAt: day(1), Word: word, Version: version(n)}
		c := grant.Customer{ID: g.CustomerID, ExternalID: "usr_1", Version: version(1)}
		d.hear(fmt.Sprint("msg_", n), "benefit_grant.updated", grant.News{Customers: []grant.Customer{c}, Benefits: []grant.Benefit{b}, Grants: []grant.Grant{g}}, nil)
	}
	flag, files := id("grant", 1)+".feature_flag", id("grant", 1)+".downloadables"
	done := func(fulfilment string, act grant.Action, state grant.State) {
		t.Helper()
		d.work(fulfilment, grant.Outcome{Action: act, State: state, Done: true})
	}
	waits := func(state grant.State) {
		t.Helper()
		d.work(files, grant.Outcome{Action: grant.DoGrant, State: state, Class: "action_required", Code: "file_missing", DueAt: time.Now()})
	}
	shows := func(when string, want bool) {
		t.Helper()
		body := d.ask("GET /v1/customers/external/usr_1/state").Body.String()
		if strings.Contains(body, `"flags":{"beta":`) != want || strings.Contains(body, `"granted_benefits":[{`) != want {
			t.Errorf("%s: want %v in %s", when, want, body)
		}
	}
	kinds = []string{"feature_flag", "downloadables"}
	said(grant.SaysGranted)
	done(flag, grant.DoGrant, grant.Granted)
	waits(grant.Waiting)
	shows("the files have never been there", false)
	done(files, grant.DoGrant, grant.Granted)
	shows("all is granted", true)
	said(grant.SaysGranted)
	shows("edited", true)
	waits(grant.Waiting)
	shows("a file is missing", true)
	waits(grant.Failed)
	shows("a file can never be there", true)
	done(files, grant.DoGrant, grant.Granted)
	done(flag, grant.DoGrant, grant.Granted)
	said(grant.SaysRevoked)
	shows("to be revoked", false)
	done(files, grant.DoRevoke, grant.Revoked)
	done(flag, grant.DoRevoke, grant.Revoked)
	shows("revoked", false)
	said(grant.SaysGranted)
	done(flag, grant.DoGrant, grant.Granted)
	waits(grant.Waiting)
	shows("granted again, but for the files", false)
	done(files, grant.DoGrant, grant.Granted)
	shows("all is granted again", true)
	said(grant.SaysRevoked)
	d.work(files, grant.Outcome{Action: grant.DoRevoke, State: grant.Revoking, Class: "transient", DueAt: time.Now()})
	said(grant.SaysGranted)
	waits(grant.Waiting)
	shows("granted again after a revocation had begun", false)
	done(files, grant.DoGrant, grant.Granted)
	done(flag, grant.DoGrant, grant.Granted)
	kinds = []string{"feature_flag"}
	said(grant.SaysGranted)
	shows("the files are dropped", true)
	done(files, grant.DoRevoke, grant.Revoked)
	shows("they are gone", true)
	kinds = []string{"feature_flag", "license_keys"}
	said(grant.SaysGranted)
	shows("a kind is added", true)
	d.work(id("grant", 1)+".license_keys", grant.Outcome{Action: grant.DoGrant, State: grant.Waiting, Class: "action_required", DueAt: time.Now()})
	shows("that waits", true)
}
