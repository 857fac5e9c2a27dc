package custom

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/internal/secret"
)

func TestTheMerchantIsToldOfGrantUpdateRenewalAndEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grants()
	w.grants() // nothing of it has changed
	w.f.Benefit.Properties = json.RawMessage(`{"note":"Book it soon"}`)
	w.grants()
	w.f.Grant.ModifiedAt = time.Now() // a renewal changes nothing but that
	w.grants()
	for range 2 {
		if err := w.c.Cycle(t.Context(), w.f, "2026-02-28T00:00:00.000000Z"); err != nil {
			t.Fatal(err)
		}
	}
	w.revokes()
	all := w.wantTold("benefit.granted benefit_grant.updated benefit.cycled benefit.cycled benefit.revoked")
	first, last := all[0].Data, all[4].Data
	if !first.IsGranted || first.Customer.Email != "ada@example.com" || first.Benefit.Properties.Note != "Book it" || !last.IsRevoked || last.IsGranted {
		t.Errorf("told %+v and %+v", first, last)
	}
	if all[2].ID != all[3].ID {
		t.Error("one renewal has two ids")
	}
	for i := 1; i < len(all); i++ {
		if i != 3 && (all[i].ID == all[i-1].ID || all[i].Sequence < all[i-1].Sequence) {
			t.Errorf("%s is %s %d after %s %d", all[i].Type, all[i].ID, all[i].Sequence, all[i-1].ID, all[i-1].Sequence)
		}
	}
}

func TestAGrantAfterARevokeIsToldAsAGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grants()
	w.revokes()
	w.f.State = grant.Pending // the generation's
	w.grants()
	w.wantTold("benefit.granted benefit.revoked benefit.granted")
}

func TestADeliveryKeepsItsIDUntilItIsRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.f.Generation = 7
	for range 3 { // taken in, and lost before it was recorded
		if _, err := w.c.Grant(t.Context(), w.f); err != nil {
			t.Fatal(err)
		}
	}
	all := w.wantTold("benefit.granted benefit.granted benefit.granted")
	if all[0].ID != all[1].ID || all[1].ID != all[2].ID {
		t.Errorf("ids %s %s %s", all[0].ID, all[1].ID, all[2].ID)
	}
	w.f.Generation = 8
	if _, err := w.c.Grant(t.Context(), w.f); err != nil {
		t.Fatal(err)
	}
	if all, _ := w.deliveries(); all[3].ID == all[0].ID {
		t.Error("another generation has the same id")
	}
}

func TestAnotherBodyHasAnotherID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grants()
	w.f.Asked = true
	for _, mail := range []string{"ada@example.com", "ada@example.com", "countess@example.com"} { // never recorded
		w.f.Customer.Body = json.RawMessage(`{"id":"c1","email":"` + mail + `"}`)
		w.f.Grant.ModifiedAt = time.Now() // says nothing of what is told
		if _, err := w.c.Grant(t.Context(), w.f); err != nil {
			t.Fatal(err)
		}
	}
	all := w.wantTold("benefit.granted benefit_grant.updated benefit_grant.updated benefit_grant.updated")
	if all[1].ID != all[2].ID || all[2].ID == all[3].ID || all[3].Data.Customer.Email != "countess@example.com" {
		t.Errorf("told %+v", all)
	}
}

func TestWhatTheOperatorAsksForIsToldAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grants()
	w.f.Asked = true
	w.grants()
	w.wantTold("benefit.granted benefit_grant.updated")
}

func TestWithoutAURLTheBuyerSeesTheNoteAndNobodyIsCalled(t *testing.T) {
	t.Parallel()
	for params, benefit := range map[string]string{`{"note":"Book it"}`: `{}`, ``: `{"note":"Book it"}`} {
		w := newWorld(t)
		w.f.Target.Params, w.f.Benefit.Properties = json.RawMessage(params), json.RawMessage(benefit)
		w.grants()
		if diff := cmp.Diff(grant.Properties{"note": "Book it"}, w.f.Properties); diff != "" {
			t.Error(diff)
		}
		w.revokes()
		w.wantTold("")
	}
}

func TestOthersThanTheOperatorMayOnlyNameAllowedHosts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		origin, allow string
		refused       bool
	}{
		{"config", "", false}, {"metadata", "", true}, {"platform", "*.example.com", true}, {"metadata", "127.0.0.1", false},
	} {
		w := newWorld(t, func(config *Config) { config.Allow = []string{c.allow} })
		w.f.Target.Origin = c.origin
		_, err := w.c.Grant(t.Context(), w.f)
		e := fulfillers.Classify(err)
		if refused := e != nil && e.Code == "not_allowed" && e.Class == fulfillers.ClassPermanent; refused != c.refused || !refused && err != nil {
			t.Errorf("%s with allow %q: %v", c.origin, c.allow, err)
		}
	}
	config := Config{Allow: []string{"*.example.com", "hooks.acme.test"}}
	for host, want := range map[string]bool{
		"a.example.com": true, "A.B.Example.com": true, "example.com": false, "badexample.com": false, "example.com.evil.test": false,
		"hooks.acme.test": true, "x.hooks.acme.test": false, "a.example.com.": false,
	} {
		if config.allows(host) != want {
			t.Errorf("%s: %v", host, !want)
		}
	}
}

func TestTwoSecretsSignSoThatEitherIsKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Secrets = []secret.Text{newSecret, oldSecret} })
	w.secrets = []secret.Text{oldSecret, newSecret}
	w.grants()
	w.wantTold("benefit.granted")
}

func TestAURLCanHaveSecretsOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.secrets = []secret.Text{newSecret}
	w.c.config.SecretsFor = []SecretsFor{{URL: w.URL + "/hooks/path-that-nobody-may-see", Secrets: []secret.Text{newSecret}}}
	w.grants()
	w.wantTold("benefit.granted")
}

func TestTheAnswersPropertiesAreKeptAndReturned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answers(false, says(`{"properties":{"seat":"12A","_delivered":"x","nested":{"no":1},"list":[1],"nil":null,"n":1.5,"ok":true,"long":"`+strings.Repeat("x", 2000)+`"}}`))
	w.grants()
	digest := w.f.Properties[delivered]
	if diff := cmp.Diff(grant.Properties{"seat": "12A", "n": 1.5, "ok": true, "note": "Book it", delivered: digest}, w.f.Properties); diff != "" {
		t.Error(diff)
	}
	w.answers(false, nil)
	w.grants() // they are no change by themselves
	w.f.Customer.Body = json.RawMessage(`{"id":"c1","email":"countess@example.com"}`)
	w.grants()
	all := w.wantTold("benefit.granted benefit_grant.updated")
	if p := all[1].Data.Properties; p["seat"] != "12A" || p[delivered] != nil || w.f.Properties["seat"] != "12A" {
		t.Errorf("told %v, kept %v", p, w.f.Properties)
	}
}

func TestNoMorePropertiesAreKeptThanAllowed(t *testing.T) {
	t.Parallel()
	many := map[string]any{}
	for i := range 100 {
		many[fmt.Sprintf("k%03d", i)] = strings.Repeat("x", longestText)
	}
	text, err := json.Marshal(map[string]any{"properties": many})
	if err != nil {
		t.Fatal(err)
	}
	if got := propertiesOf(text, nil); len(got) != mostProperties || got["k000"] == nil {
		t.Errorf("%d are kept", len(got))
	}
	for _, answer := range []string{"", "OK", `[]`, `{"properties":7}`, string(text[:1000])} {
		if got := propertiesOf([]byte(answer), grant.Properties{"a": "b"}); got["a"] != "b" {
			t.Errorf("%.20q: %v", answer, got)
		}
	}
}

func TestHalfOfAYesHasNoProperties(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answers(false, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(rw, `{"properties":{"a":"b"`)
	})
	w.grants()
	if w.f.Properties["a"] != nil {
		t.Error(w.f.Properties)
	}
	w.wantTold("benefit.granted")
}

func TestAHugeAnswerIsAYesWithoutProperties(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answers(false, func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, `{"properties":{"a":"`)
		for range 100 {
			if _, err := rw.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	w.grants()
	if w.f.Properties["a"] != nil {
		t.Error(w.f.Properties)
	}
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func TestEachAnswerHasItsClass(t *testing.T) {
	t.Parallel()
	after := func(code int, wait string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", wait); w.WriteHeader(code) }
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		class  fulfillers.Class
		code   string
		text   string
	}{
		"400":                  {status(400), fulfillers.ClassTransient, "refused", "answered 400"},
		"404":                  {status(404), fulfillers.ClassTransient, "refused", "answered 404"},
		"410":                  {status(410), fulfillers.ClassPermanent, "gone", "name another URL"},
		"429":                  {status(429), fulfillers.ClassThrottled, "throttled", "answered 429"},
		"429 until a date":     {after(429, time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)), fulfillers.ClassThrottled, "throttled", ""},
		"503":                  {status(503), fulfillers.ClassTransient, "refused", "answered 503"},
		"503 with Retry-After": {after(503, "40"), fulfillers.ClassThrottled, "throttled", ""},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}, fulfillers.ClassTransient, "unreachable", "redirects are not followed"},
		"no answer": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, fulfillers.ClassTransient, "unreachable", "EOF"},
	} {
		w := newWorld(t)
		w.answers(true, c.answer)
		_, err := w.c.Grant(t.Context(), w.f)
		if e := fulfillers.Classify(err); e == nil || e.Class != c.class || e.Code != c.code || !strings.Contains(e.Error(), c.text) {
			t.Errorf("%s: %v", name, e)
		}
	}
}

func TestWhateverIsNoYesMayNameAWait(t *testing.T) {
	t.Parallel()
	for _, code := range []int{301, 400, 404, 500, 502} {
		w := newWorld(t)
		w.answers(true, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Retry-After", "120")
			rw.WriteHeader(code)
		})
		_, err := w.c.Grant(t.Context(), w.f)
		if e := fulfillers.Classify(err); e == nil || e.Class != fulfillers.ClassTransient || e.Wait != 2*time.Minute || len(w.lanes.wait) > 0 {
			t.Errorf("%d: %+v, and lanes rest: %v", code, e, w.lanes.wait)
		}
	}
}

func TestAPrivateAddressWaitsForTheOperator(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.AllowPrivate = nil })
	w.f.Target.Params = json.RawMessage(`{"url":"https://127.0.0.1:1/"}`)
	_, err := w.c.Grant(t.Context(), w.f)
	if e := fulfillers.Classify(err); e == nil || e.Class != fulfillers.ClassThrottled || e.Code != "private_address" || !strings.Contains(e.Error(), "allow_private") {
		t.Errorf("error %v", err)
	}
}

func TestAHostThatRestsIsNotCalled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.lanes.wait["custom:127.0.0.1"] = time.Minute
	_, err := w.c.Grant(t.Context(), w.f)
	if e := fulfillers.Classify(err); e == nil || e.Class != fulfillers.ClassThrottled {
		t.Errorf("error %v", err)
	}
	w.wantTold("")
}

func TestTheSectionsProblemsAreToldTogether(t *testing.T) {
	t.Parallel()
	c := New(Config{URL: "https://hooks.example.com/hunter2", Allow: []string{"https://x"}, Secrets: []secret.Text{},
		SecretsFor: []SecretsFor{{URL: "ftp://x"}, {URL: "https://a.example", Secrets: []secret.Text{secret.New("hunter2-hunter2-hunter2-hunter2")}}}}, nil)
	err := c.check()
	for _, want := range []string{"url: has no secret", "secrets_for[0].url: must be", "secrets_for[0].secrets: is missing", "secrets_for[1].secrets[0]: must be whsec_", "allow[0]: must be a host"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
	if err != nil && strings.Contains(err.Error(), "hunter2") {
		t.Errorf("it shows a secret: %v", err)
	}
	if err := New(Config{}, nil).check(); err != nil {
		t.Errorf("an empty section: %v", err)
	}
}

func TestWhoWouldBeReachedIsSaidBeforehand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if got := w.c.Invites(w.f.Target.Params); !strings.Contains(got, "127.0.0.1") || strings.Contains(got, "path-that") {
		t.Error(got)
	}
	if got := w.c.Invites(nil); got != "" {
		t.Error(got)
	}
}
