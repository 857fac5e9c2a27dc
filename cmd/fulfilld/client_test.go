package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"fulfilld/internal/testserver"
)

// answer is what the tests' daemon says to one request.
type answer struct {
	status int
	body   string
}

const officeToken = "a-token-of-the-office-1234"

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
	if r.Header.Get("Authorization") != "Bearer "+officeToken {
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
	return say(t, func(*cobra.Command) (*adminClient, error) { return newAdminClient(o.URL, officeToken, false) }, args...)
}

func say(t *testing.T, connect connector, args ...string) (out string, err error) {
	t.Helper()
	root := &cobra.Command{Use: "fulfilld", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(grantsCommand(connect), eventsCommand(connect), customersCommand(connect), licensesCommand(connect), deliveriesCommand(connect), alarmsCommand(connect))
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
		{"customers", "link", "../x", "github:octocat"}, {"customers", "link", someID, "octocat"}, {"customers", "link", someID, "../x:octocat"},
		{"customers", "link", someID, "github:"}, {"customers", "link", someID, "github:octocat", "--member", ".."}, {"customers", "link", someID},
		{"customers", "unlink", "../x", "github"}, {"customers", "unlink", someID, ".."}, {"customers", "unlink", someID, "github", "--member", "m&x=1"},
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
		if _, err := newAdminClient(address, "t", true); err == nil {
			t.Errorf("%q is taken", address)
		}
	}
}

func TestTheTokenDoesNotTravelUnencrypted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		address, insecurely string
		taken               bool
	}{
		{"http://127.0.0.1:9090", "", true},
		{"http://127.8.8.8", "", true},
		{"http://[::1]:9090", "", true},
		{"http://localhost:9090", "", true},
		{"https://admin.example.com", "", true},
		{"http://admin.example.com:9090", "", false},
		{"http://10.0.0.7:9090", "", false},
		{"http://localhost.example.com", "", false},
		{"http://0.0.0.0:9090", "", false},
		{"http://127.0.0.1.example.com", "--insecure-http", true},
	} {
		cmd := alarmsCommand(nil)
		args := []string{"--admin-url", tt.address}
		if tt.insecurely != "" {
			args = append(args, tt.insecurely)
		}
		if err := cmd.ParseFlags(args); err != nil {
			t.Fatal(err)
		}
		_, err := (&options{environ: []string{"FULFILLD_ADMIN_TOKEN=" + officeToken}}).connect(cmd)
		if (err == nil) != tt.taken {
			t.Errorf("%s %s: %v", tt.address, tt.insecurely, err)
		}
		for _, mend := range []string{"ssh -L", "https://", "--insecure-http"} {
			if err != nil && !strings.Contains(err.Error(), mend) {
				t.Errorf("%s: %v\ndoes not say %s", tt.address, err, mend)
			}
		}
	}
}

// A proxy cannot be tried here: net/http never takes one to this machine.
func TestNoProxyHearsTheToken(t *testing.T) {
	t.Parallel()
	c, err := newAdminClient("https://admin.example.com", officeToken, false)
	if err != nil {
		t.Fatal(err)
	}
	if direct, ok := c.http.Transport.(*http.Transport); !ok || direct.Proxy != nil {
		t.Error("the environment may name a proxy")
	}
}

func TestAnAnswerDoesNotTalkToTheTerminal(t *testing.T) {
	t.Parallel()
	const evil = "\\u001b[31mred\u009b\u202e"
	for name, a := range map[string]answer{
		"Error":  {409, `{"error":"` + evil + `","detail":"` + evil + `"}`},
		"Fields": {422, `{"error":"` + evil + `","detail":[{"loc":["` + evil + `"],"msg":"` + evil + `","input":"` + evil + `"}]}`},
		"Host":   {403, "\x1b[31mred\u009b\u202e"},
	} {
		o := newOffice(t, map[string]answer{"GET /v1/alarms/": a})
		_, err := o.say(t, "alarms")
		if err == nil || !strings.Contains(err.Error(), "red") || strings.ContainsAny(err.Error(), "\x1b\u009b\u202e") {
			t.Errorf("%s: %q", name, err)
		}
	}
	c := &adminClient{base: &url.URL{Scheme: "http", Host: "127.0.0.1"}}
	err := c.refusal(&http.Response{StatusCode: 500, Status: "500 \x1b[31mred"}, nil)
	if err.Error() != "http://127.0.0.1 is not a daemon's admin.listen: it answers 500  [31mred" {
		t.Errorf("%q", err)
	}
}

func TestUnprintableJSONIsSpelledOut(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"{\n\t\"name\": \"Zoë Ω 日本 🙂\"\n}\n":  "{\n\t\"name\": \"Zoë Ω 日本 🙂\"\n}\n",
		"\"a\u009b31m\u0085b\"":               `"a\u009b31m\u0085b"`,
		"\"a\x7fb\"":                          `"a\u007fb"`,
		"\"\u202egnp.exe\u2066\u200f\ufeff\"": `"\u202egnp.exe\u2066\u200f\ufeff"`,
		"\"\U000e0041\"":                      `"\udb40\udc41"`,
		"\x1b[2Jno JSON\r":                    `\u001b[2Jno JSON\u000d`,
		"\"\xff\"":                            "\"\ufffd\"",
	} {
		if got := string(spelled([]byte(given))); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}

// A pseudo-terminal echoes what is written to it.
func TestJSONOnATerminalIsSpelledOut(t *testing.T) {
	t.Parallel()
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		testserver.Missing(t, "a pseudo-terminal", "mount /dev/pts")
	}
	defer tty.Close()
	if _, ok := terminal(tty); !ok {
		testserver.Missing(t, "a pseudo-terminal whose end is a terminal", "run it on Linux")
	}
	if err := showJSON(tty, []byte("\"a\u009bb\"\n")); err != nil {
		t.Fatal(err)
	}
	echo := make([]byte, 64)
	n, err := tty.Read(echo)
	if got := strings.TrimSpace(string(echo[:n])); got != `"a\u009bb"` || err != nil {
		t.Errorf("the terminal was sent %q, %v", got, err)
	}
}
