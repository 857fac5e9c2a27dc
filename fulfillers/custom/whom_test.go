package custom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

func TestAURLThatIsNamedNoMoreIsToldTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grants()
	w.f.Target.Params = json.RawMessage(`{}`)
	w.grants()
	w.revokes()
	w.wantTold("benefit.granted benefit.revoked")
}

func TestAnEndThatWasNotTakenIsNotForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grants()
	w.f.Target.Params = json.RawMessage(`{}`)
	w.answers(true, status(500))
	if p, err := w.c.Grant(t.Context(), w.f); p != nil || fulfillers.Classify(err).Class != fulfillers.ClassTransient {
		t.Fatalf("%v, %v", p, err)
	}
	w.answers(false, nil)
	w.grants()
	w.wantTold("benefit.granted benefit.revoked")
}

func TestAGrantOutlivesTheSectionsURL(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.c.config.URL, w.f.Target.Params = w.URL, json.RawMessage(`{}`)
	w.answers(false, says(`{"properties":{"seat":"12A"}}`))
	w.grants()
	w.c.config.URL = ""
	w.grants()
	w.f.Asked = true
	w.grants()
	if w.f.Properties["seat"] != "12A" || w.f.Properties["note"] != "Book it" {
		t.Errorf("it shows %v", w.f.Properties)
	}
	if e := fulfillers.Classify(w.c.Revoke(t.Context(), w.f)); e == nil || e.Code != "no_url" {
		t.Errorf("its end: %v", e)
	}
	w.c.config.URL = w.URL
	w.revokes()
	w.wantTold("benefit.granted benefit.revoked")
}

func TestANewURLIsToldOfTheGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grants()
	w.f.Target.Params = json.RawMessage(fmt.Sprintf(`{"url":%q}`, w.URL+"/moved"))
	w.grants()
	w.wantTold("benefit.granted benefit.granted")
}

func TestAURLIsRememberedBeforeItIsTold(t *testing.T) {
	t.Parallel()
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		keeps  bool // it may have been told
	}{
		"taken":   {status(http.StatusOK), false},
		"refused": {status(http.StatusNotFound), false},
		"failed":  {status(http.StatusBadGateway), true},
		"cut off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true},
	} {
		w := newWorld(t)
		w.grants()
		w.f.Target.Params = json.RawMessage(fmt.Sprintf(`{"url":%q}`, w.URL+"/moved"))
		var remembered [][]string
		ctx := fulfillers.WithMemory(t.Context(), func(_ context.Context, p grant.Properties) error {
			if _, told := w.deliveries(); told != "benefit.granted" {
				t.Errorf("%s: told %s", name, told)
			}
			w.f.Properties = p
			remembered = append(remembered, mayKnow(p))
			return nil
		})
		w.answers(false, c.answer)
		w.f.Generation++
		p, err := w.c.Grant(ctx, w.f)
		if diff := cmp.Diff([][]string{{w.URL + "/moved"}}, remembered); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if kept := p == nil; kept != c.keeps || err == nil != (name == "taken") || p[unheardOf] != nil {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
}

// The section's URL may change, and be a secret: it is remembered by no name.
func TestTheSectionsURLIsToldTheEndAtTodaysAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.c.config.URL = w.URL + "/old?token=secret"
	w.f.Target.Params = json.RawMessage(`{}`)
	w.answers(false, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	ctx := fulfillers.WithMemory(t.Context(), func(_ context.Context, p grant.Properties) error {
		w.f.Properties = p
		return nil
	})
	if _, err := w.c.Grant(ctx, w.f); err == nil {
		t.Fatal("granted")
	}
	if text := fmt.Sprint(w.f.Properties); strings.Contains(text, "secret") {
		t.Error(text)
	}
	asked := make(chan string, 1)
	w.answers(false, func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path })
	w.c.config.URL = w.URL + "/new"
	w.revokes()
	if path := <-asked; path != "/new" {
		t.Errorf("%s is told", path)
	}
	w.c.config.URL = ""
	if err := w.c.Revoke(t.Context(), w.f); fulfillers.Classify(err).Code != codeNoURL {
		t.Error(err)
	}
}

func TestAURLThatMayHaveBeenToldInBetweenIsNotForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grants()
	w.f.Properties[unheardOf] = []any{w.URL + "/between"}
	w.f.Benefit.Properties = json.RawMessage(`{"note":"Book it soon"}`)
	w.grants()
	w.revokes()
	w.wantTold("benefit.granted benefit_grant.updated benefit.revoked benefit.revoked")
}

func TestWhatCannotBeRememberedIsNotTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	full := errors.New("disk full")
	ctx := fulfillers.WithMemory(t.Context(), func(context.Context, grant.Properties) error { return full })
	if _, err := w.c.Grant(ctx, w.f); !errors.Is(err, full) {
		t.Error(err)
	}
	w.wantTold("")
}

func TestAURLThatMayHaveBeenToldIsToldTheEndToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grants()
	w.f.Properties[unheardOf] = []any{w.URL + "/moved"}
	w.f.Target.Params = json.RawMessage(fmt.Sprintf(`{"url":%q}`, w.URL+"/untold"))
	w.revokes()
	w.wantTold("benefit.granted benefit.revoked benefit.revoked")
}

func TestAnEndThatNobodyCanBeToldIsAnError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.c.config.URL = w.URL
	w.f.Target.Params = json.RawMessage(`{}`)
	w.grants()
	w.c.config.URL = ""
	e := fulfillers.Classify(w.c.Revoke(t.Context(), w.f))
	if e == nil || e.Class != fulfillers.ClassPermanent || !strings.Contains(e.Text, "fulfillers.custom.url") {
		t.Errorf("error %v", e)
	}
}
