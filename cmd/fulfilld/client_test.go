package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// answer is what the tests' daemon says to one request.
type answer struct {
	status int
	body   string
}

// office is a daemon's admin API with prepared answers, by "METHOD /path?query".
type office struct {
	*httptest.Server
	answers map[string]answer
	asked   []string
}

func newOffice(t *testing.T, answers map[string]answer) *office {
	o := &office{answers: answers}
	o.Server = httptest.NewServer(o)
	t.Cleanup(o.Close)
	return o
}

// ServeHTTP implements http.Handler.
func (o *office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	what := r.Method + " " + r.URL.RequestURI()
	o.asked = append(o.asked, what)
	if r.Header.Get("Authorization") != "Bearer the-token" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	a, ok := o.answers[what]
	if !ok {
		a = answer{404, `{"error":"ResourceNotFound","detail":"Not found"}`}
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

// say runs a command line against the office.
func (o *office) say(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	return say(t, func(*cobra.Command) (*adminClient, error) { return newAdminClient(o.URL, "the-token") }, args...)
}

func say(t *testing.T, connect connector, args ...string) (out string, err error) {
	t.Helper()
	root := &cobra.Command{Use: "fulfilld", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(grantsCommand(connect), eventsCommand(connect), customersCommand(connect), alarmsCommand(connect))
	var b bytes.Buffer
	root.SetOut(&b)
	root.SetErr(&b)
	root.SetArgs(args)
	err = root.ExecuteContext(t.Context())
	return b.String(), err
}

func codeOf(err error) int {
	var exit *exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.Code
	}
	return 1
}

const someID = "2017d130-6fbe-4bc3-8b4e-54d58be046b0"

func TestExitCodesTellScriptsWhatWentWrong(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer answer
		code   int
		says   string
	}{
		{"NotFound", answer{404, `{"error":"ResourceNotFound","detail":"Not found"}`}, 3, "not found"},
		{"NotOurs", answer{404, "404 page not found"}, 4, "is not a daemon's admin.listen"},
		{"Unauthorised", answer{401, `{"error":"Unauthorized","detail":"Unauthorized"}`}, 4, "refuses the token"},
		{"HostRefused", answer{403, "This host name is not served here. Add it to admin.hosts."}, 4, "admin.hosts"},
		{"Elsewhere", answer{302, ""}, 4, "is not a daemon's admin.listen"},
		{"Invalid", answer{422, `{"error":"RequestValidationError","detail":[{"loc":["query","limit"],"msg":"Input should be greater than 0","input":"0"}]}`}, 1, `query limit "0": Input should be greater than 0`},
		{"Conflict", answer{409, `{"error":"NotReplayable","detail":"The event's body is past retention."}`}, 1, "NotReplayable: The event's body is past retention."},
		{"Broken", answer{500, `{"error":"InternalServerError","detail":"Internal Server Error"}`}, 1, "Internal Server Error"},
		{"Nonsense", answer{200, "<html>"}, 1, "makes no sense"},
		{"Fine", answer{200, `{"id":"` + someID + `"}`}, 0, ""},
	} {
		o := newOffice(t, map[string]answer{"GET /v1/benefit-grants/" + someID: tt.answer})
		_, err := o.say(t, "grants", "show", someID)
		if codeOf(err) != tt.code || (err != nil && !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: code %d, %v", tt.name, codeOf(err), err)
		}
	}
}

func TestADaemonThatIsAwayIsCode4(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	o.Close()
	if _, err := o.say(t, "alarms"); codeOf(err) != 4 || !strings.Contains(err.Error(), "fulfilld serve") {
		t.Errorf("%d, %v", codeOf(err), err)
	}
}

func TestIDsAreCheckedBeforeTheyReachAURL(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	for _, args := range [][]string{
		{"grants", "show", "../events"}, {"grants", "retry", "x"}, {"grants", "list", "--benefit", "x"}, {"customers", "show", "?"},
		{"events", "show", ""}, {"events", "show", ".."}, {"events", "replay", "a\nb"}, {"events", "replay"}, {"events", "replay", "a", "--failed"},
		{"grants", "list", "--granted", "--revoked"},
	} {
		if _, err := o.say(t, args...); codeOf(err) != 1 {
			t.Errorf("%q: %v", args, err)
		}
	}
	if len(o.asked) > 0 {
		t.Errorf("asked %q", o.asked)
	}
	if _, err := o.say(t, "events", "show", "a/b?c#d%2e"); codeOf(err) != 3 || o.asked[0] != "GET /v1/events/a%2Fb%3Fc%23d%252e" {
		t.Errorf("%q, %v", o.asked, err)
	}
}

func TestJSONIsTheAnswerAsItCame(t *testing.T) {
	t.Parallel()
	body := `{"items":[],"pagination":{"total_count":0,"max_page":0}}` + "\n"
	o := newOffice(t, map[string]answer{"GET /v1/alarms/": {200, body}, "GET /v1/events/?limit=20&page=1": {200, body}})
	for _, args := range [][]string{{"alarms", "--json"}, {"events", "list", "--json"}} {
		if out, err := o.say(t, args...); out != body || err != nil {
			t.Errorf("%q: %q, %v", args, out, err)
		}
	}
}

func TestAdminAddressMustBeAURL(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "127.0.0.1:9090", "localhost", "ftp://x", "http://user:pw@x", "http://"} {
		if _, err := newAdminClient(address, "t"); err == nil {
			t.Errorf("%q is taken", address)
		}
	}
}
