package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"fulfilld/polar"
)

// ear is a daemon that keeps the last delivery it could verify.
type ear struct {
	*httptest.Server
	answer answer
	body   []byte
}

func newEar(t *testing.T) *ear {
	t.Helper()
	verifier, err := polar.NewVerifier([]string{webhookSecret}, time.Minute, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	e := &ear{answer: answer{status: http.StatusAccepted}}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = verifier.Verify(body, r.Header)
		}
		if err != nil {
			t.Error(err)
		}
		e.body = body
		w.WriteHeader(e.answer.status)
		_, _ = io.WriteString(w, e.answer.body)
	}))
	t.Cleanup(e.Close)
	return e
}

// trigger runs the command against the ear.
func (e *ear) trigger(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	var b bytes.Buffer
	err = run(t.Context(), append([]string{"trigger", "--url", e.URL}, args...), []string{"FULFILLD_WEBHOOKS_POLAR_SECRETS=" + webhookSecret}, &b, &b)
	return b.String(), err
}

// grantEvent is what these tests read of an event.
type grantEvent struct {
	Type string
	Data struct {
		BenefitID string `json:"benefit_id"`
		Benefit   struct{ ID, Type string }
	}
}

func (e *ear) heard(t *testing.T) (ev grantEvent) {
	t.Helper()
	if err := json.Unmarshal(e.body, &ev); err != nil {
		t.Fatalf("%s: %v", e.body, err)
	}
	return ev
}

func TestTriggerIsAboutTheNamedTypeOfBenefit(t *testing.T) {
	t.Parallel()
	for typ, says := range map[string]string{"license_keys": "nobody outside is contacted", "discord": "not switched on here"} {
		e := newEar(t)
		out, err := e.trigger(t, "benefit_grant.created", "--benefit-type", typ)
		if err != nil || !strings.Contains(out, says) {
			t.Errorf("%s: %s, %v", typ, out, err)
		}
		if ev := e.heard(t); ev.Type != "benefit_grant.created" || ev.Data.Benefit.Type != typ {
			t.Errorf("%s: sent %+v", typ, ev)
		}
	}
}

func TestTriggerIsAboutTheNamedBenefit(t *testing.T) {
	t.Parallel()
	e := newEar(t)
	if out, err := e.trigger(t, "benefit_grant.created", "--benefit", someID); err != nil {
		t.Fatal(out, err)
	}
	if ev := e.heard(t); ev.Data.BenefitID != someID || ev.Data.Benefit.ID != someID {
		t.Errorf("sent %+v", ev)
	}
}

func TestTriggerSendsAFileByteForByte(t *testing.T) {
	t.Parallel()
	e := newEar(t)
	file := filepath.Join(t.TempDir(), "event.json")
	text := "{ \"type\" : \"order.paid\",\r\n  \"data\":{\"\u00e9\":1.50} }\n\n"
	write(t, file, text)
	if out, err := e.trigger(t, "order.paid", "--file", file); err != nil || string(e.body) != text {
		t.Errorf("sent %q, %v\n%s", e.body, err, out)
	}
	if out, err := e.trigger(t, "order.paid", "--file", file+"x"); err == nil || !strings.Contains(err.Error(), "event.jsonx") {
		t.Errorf("of a file that is not there: %v\n%s", err, out)
	}
}

func TestTriggerShowsNoEscapes(t *testing.T) {
	t.Parallel()
	e := newEar(t)
	e.answer = answer{http.StatusBadRequest, "not \x1b[31mtaken\u009b\u202e\r\n"}
	out, err := e.trigger(t, "benefit_grant.created")
	if err == nil || !strings.Contains(out, ": 400 not  [31mtaken") || strings.ContainsAny(out, "\x1b\r\u009b\u202e") {
		t.Errorf("%q, %v", out, err)
	}
	example, err := polar.Template("benefit_grant.created", "custom")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "event.json")
	write(t, file, regexp.MustCompile(`"metadata":{[^}]*}`).ReplaceAllString(string(example), `"metadata":{"fulfill":"\u001b[31m"}`))
	if out, _ := e.trigger(t, "x", "--file", file); !strings.Contains(out, "[31m") || strings.Contains(out, "\x1b") {
		t.Errorf("%q", out)
	}
}
