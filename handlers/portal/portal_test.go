package portal

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"fulfilld/grant"
)

const (
	ada    = "00000000-0000-4000-8000-0000000000ad"
	bob    = "00000000-0000-4000-8000-0000000000b0"
	member = "00000000-0000-4000-8000-0000000000me"
	laptop = "00000000-0000-4000-8000-00000000001a"
	g1     = "00000000-0000-4000-8000-000000000091"
)

// shop is all that the page asks.
type shop struct {
	t         *testing.T
	url       string
	client    *http.Client
	sessions  map[string]Session
	customers map[string]grant.Customer
	members   map[string]grant.Member
	grants    []grant.View
	keys      map[string]grant.LicenseKey
	devices   map[string][]grant.Activation
	files     []File
	fails     error
	log       strings.Builder
}

func (s *shop) Open(_ context.Context, token string) (Session, error) {
	session, ok := s.sessions[token]
	if !ok || time.Now().After(session.Until) {
		return Session{}, ErrNoSession
	}
	return session, nil
}

func (s *shop) Customer(_ context.Context, id string) (grant.Customer, error) {
	c, ok := s.customers[id]
	if !ok {
		return c, grant.ErrNotFound
	}
	return c, s.fails
}

func (s *shop) Member(_ context.Context, id string) (grant.Member, error) {
	m, ok := s.members[id]
	if !ok {
		return m, grant.ErrNotFound
	}
	return m, nil
}

func (s *shop) Grant(_ context.Context, id string) (grant.View, error) {
	for _, v := range s.grants {
		if v.ID == id {
			return v, nil
		}
	}
	return grant.View{}, grant.ErrNotFound
}

func (s *shop) Grants(_ context.Context, f grant.GrantFilter, _ grant.Page) (all []grant.View, _ int64, _ error) {
	for _, v := range s.grants {
		if v.CustomerID == f.CustomerIDs[0] && (len(f.MemberIDs) == 0 || v.MemberID == f.MemberIDs[0]) {
			all = append(all, v)
		}
	}
	return all, int64(len(all)), nil
}

func (s *shop) LicenseKeyOf(_ context.Context, id string) (grant.LicenseKey, error) {
	k, ok := s.keys[id]
	if !ok {
		return k, grant.ErrNotFound
	}
	return k, nil
}

func (s *shop) Activations(_ context.Context, keyID string) ([]grant.Activation, error) {
	return s.devices[keyID], nil
}

func (s *shop) DeactivateKey(_ context.Context, u grant.KeyUse) error {
	for id, all := range s.devices {
		for i, a := range all {
			if a.ID == u.ActivationID && s.keys[g1+".license_keys"].Key == u.Key {
				s.devices[id] = append(all[:i:i], all[i+1:]...)
				return nil
			}
		}
	}
	return &grant.KeyRefusal{Code: grant.ActivationNotFound}
}

// open opens a shop in which ada has bought what the test says.
func open(t *testing.T, bought ...grant.View) *shop {
	t.Helper()
	s := &shop{
		t: t, grants: bought, keys: map[string]grant.LicenseKey{}, devices: map[string][]grant.Activation{},
		sessions:  map[string]Session{"for-ada": {CustomerID: ada, Until: time.Now().Add(time.Hour)}, "over": {CustomerID: ada, Until: time.Now().Add(-time.Second)}},
		members:   map[string]grant.Member{member: {ID: member, CustomerID: ada}, "gone": {CustomerID: ada, DeletedAt: time.Now()}, "another": {CustomerID: bob}},
		customers: map[string]grant.Customer{ada: {ID: ada, Name: "Ada <b>Lovelace</b>"}, bob: {ID: bob, DeletedAt: time.Now()}},
	}
	server := httptest.NewServer(Handler(Options{
		Sessions: s, Purchases: s, Keys: s, Name: "Acme", Support: "https://acme.example/help",
		Files: func(context.Context, grant.View) ([]File, error) { return s.files, nil },
		Admin: func(applied json.RawMessage) bool { return strings.Contains(string(applied), "admin") },
		Log:   slog.New(slog.NewTextHandler(&s.log, nil)),
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.client = &http.Client{Jar: jar}
	return s
}

// bought is a grant of ada's with one fulfilment.
func bought(id, title, kind string, state grant.State, edit ...func(*grant.FulfilmentView)) grant.View {
	f := grant.FulfilmentView{ID: grant.FulfilmentID(id, kind), GrantID: id, Kind: kind, State: state}
	for _, e := range edit {
		e(&f)
	}
	return grant.View{Grant: grant.Grant{ID: id, CustomerID: ada}, Benefit: grant.Benefit{Description: title}, Fulfilments: []grant.FulfilmentView{f}}
}

func properties(text string) func(*grant.FulfilmentView) {
	return func(f *grant.FulfilmentView) { f.Properties = json.RawMessage(text) }
}

func waits(code string) func(*grant.FulfilmentView) {
	return func(f *grant.FulfilmentView) {
		f.LastError = grant.Trouble{Class: "action_required", Code: code, Text: "`fulfilld customers link`"}
	}
}

// get follows a link and returns what the customer sees.
func (s *shop) get(path string) (int, string) {
	s.t.Helper()
	resp, err := s.client.Get(s.url + path)
	return s.read(resp, err)
}

func (s *shop) read(resp *http.Response, err error) (int, string) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// visit enters with ada's link and returns the page.
func (s *shop) visit() string {
	s.t.Helper()
	status, text := s.get("/customer/enter/for-ada")
	if status != http.StatusOK {
		s.t.Fatalf("%d: %s", status, text)
	}
	return text
}

func has(t *testing.T, text string, all ...string) {
	t.Helper()
	for _, want := range all {
		if !strings.Contains(text, want) {
			t.Errorf("does not show %q:\n%s", want, text)
		}
	}
}

func lacks(t *testing.T, text string, all ...string) {
	t.Helper()
	for _, unwanted := range all {
		if strings.Contains(text, unwanted) {
			t.Errorf("shows %q:\n%s", unwanted, text)
		}
	}
}

func TestTheLinkOpensThePageAndLeavesTheAddress(t *testing.T) {
	t.Parallel()
	s := open(t)
	resp, err := s.client.Get(s.url + "/customer/enter/for-ada")
	if err != nil {
		t.Fatal(err)
	}
	_, text := s.read(resp, err)
	if resp.Request.URL.Path != "/customer/" {
		t.Errorf("the address is %s", resp.Request.URL)
	}
	has(t, text, "Your purchases at Acme", "Ada &lt;b&gt;Lovelace&lt;/b&gt;", "There is nothing here yet", `href="https://acme.example/help"`)
	for header, want := range map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Content-Security-Policy": policy,
	} {
		if got := resp.Header.Get(header); got != want {
			t.Errorf("%s: %q", header, got)
		}
	}
}

func TestOnlyASessionOpensThePage(t *testing.T) {
	t.Parallel()
	s := open(t, bought(g1, "Pro", "license_keys", grant.Granted))
	s.sessions["for-bob"] = Session{CustomerID: bob, Until: time.Now().Add(time.Hour)} // who is deleted
	for _, path := range []string{"/customer/", "/customer/enter/forged", "/customer/enter/over", "/customer/enter/for-bob"} {
		status, text := s.get(path)
		if status != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, status)
		}
		has(t, text, "no longer valid")
		lacks(t, text, "Pro")
	}
	if status, text := s.get("/customer/else"); status != http.StatusNotFound || !strings.Contains(text, "nothing here") {
		t.Errorf("%d: %s", status, text)
	}
}

func TestWhoLeavesIsOut(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.visit()
	if status, text := s.read(s.client.PostForm(s.url+"/customer/leave", nil)); status != 200 || !strings.Contains(text, "You have left") {
		t.Errorf("%d: %s", status, text)
	}
	if status, _ := s.get("/customer/"); status != http.StatusUnauthorized {
		t.Errorf("the page is still open: %d", status)
	}
}

func TestAKeyIsShownWithItsLimits(t *testing.T) {
	t.Parallel()
	s := open(t, bought(g1, "Pro", "license_keys", grant.Granted, properties(`{"activation_url":"https://acme.example/activate/1"}`)))
	limit, uses := int64(3), int64(10)
	s.keys[g1+".license_keys"] = grant.LicenseKey{ID: "k1", Key: "ACME-1234", Active: true, LimitActivations: &limit, LimitUsage: &uses, Usage: 4,
		ExpiresAt: time.Date(2099, 5, 6, 0, 0, 0, 0, time.UTC)}
	s.devices["k1"] = []grant.Activation{{ID: laptop, LicenseKeyID: "k1", Label: "laptop"}}
	text := s.visit()
	has(t, text, `>ACME-1234</code>`, "6 May 2099", "1 of 3 in use", "4 of 10", `href="https://acme.example/activate/1"`, "Ready")
	has(t, text, "user-select: all", "overflow-wrap: anywhere") // a tap takes the whole of it, on a narrow screen, too
	lacks(t, text, "<input")
	lacks(t, text, "laptop", "Deactivate") // the benefit does not let customers
}

func TestAKeyThatDoesNotWorkSaysSo(t *testing.T) {
	t.Parallel()
	s := open(t, bought(g1, "Pro", "license_keys", grant.Granted))
	s.keys[g1+".license_keys"] = grant.LicenseKey{Key: "K", Active: true, MerchantStatus: "disabled"}
	has(t, s.visit(), "switched this key off", "Not valid")
	s.keys[g1+".license_keys"] = grant.LicenseKey{Key: "K", Active: true, ExpiresAt: time.Now().Add(-time.Hour)}
	has(t, s.visit(), "has expired", "Not valid")
}

// devices lets ada end activations, of which she has one.
func devices(t *testing.T) *shop {
	s := open(t, bought(g1, "Pro", "license_keys", grant.Granted, func(f *grant.FulfilmentView) { f.Applied = json.RawMessage(`"admin"`) }))
	limit := int64(3)
	s.keys[g1+".license_keys"] = grant.LicenseKey{ID: "k1", Key: "K", Active: true, LimitActivations: &limit}
	s.devices["k1"] = []grant.Activation{{ID: laptop, LicenseKeyID: "k1", Label: "<i>laptop</i>"}}
	return s
}

const ending = "/customer/keys/" + g1 + ".license_keys/devices/" + laptop + "/end"

func TestACustomerWhoMayEndsAnActivation(t *testing.T) {
	t.Parallel()
	s := devices(t)
	has(t, s.visit(), "&lt;i&gt;laptop&lt;/i&gt;", `action="`+strings.TrimPrefix(ending, "/customer/")+`"`)
	status, text := s.read(s.client.PostForm(s.url+ending, url.Values{}))
	if status != http.StatusOK || len(s.devices["k1"]) != 0 {
		t.Errorf("%d, left %v", status, s.devices)
	}
	has(t, text, "0 of 3 in use")
	if status, _ := s.read(s.client.PostForm(s.url+ending, nil)); status != http.StatusNotFound {
		t.Errorf("ended twice: %d", status)
	}
}

func TestNobodyElseEndsAnActivation(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit   func(s *shop, r *http.Request)
		status int
	}{
		"WithoutTheBenefitsWord": {func(s *shop, _ *http.Request) { s.grants[0].Fulfilments[0].Applied = nil }, 404},
		"OfAnEndedGrant":         {func(s *shop, _ *http.Request) { s.grants[0].Fulfilments[0].State = grant.Revoked }, 404},
		"OfAnother":              {func(s *shop, _ *http.Request) { s.grants[0].CustomerID = bob }, 404},
		"OfAnotherMember": {func(s *shop, _ *http.Request) {
			s.sessions["for-ada"] = Session{CustomerID: ada, MemberID: member, Until: time.Now().Add(time.Hour)}
		}, 404},
		"WithoutASession": {func(s *shop, _ *http.Request) { delete(s.sessions, "for-ada") }, 401},
		"FromAnotherPage": {func(_ *shop, r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"OfNoGrant":       {func(_ *shop, r *http.Request) { r.URL.Path = strings.Replace(ending, g1, "x", 1) }, 404},
		"WithNoID":        {func(_ *shop, r *http.Request) { r.URL.Path = strings.Replace(ending, laptop, "x", 1) }, 404},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := devices(t)
			s.visit()
			r, err := http.NewRequest(http.MethodPost, s.url+ending, nil)
			if err != nil {
				t.Fatal(err)
			}
			c.edit(s, r)
			if status, _ := s.read(s.client.Do(r)); status != c.status || len(s.devices["k1"]) != 1 {
				t.Errorf("%d, want %d; left %v", status, c.status, s.devices)
			}
		})
	}
}

func TestWhatTheCustomerHasToDoIsSaidInTheirWords(t *testing.T) {
	t.Parallel()
	s := open(t,
		bought(g1, "Code", "github_repository", grant.Waiting, waits("invited"), properties(`{"invitation_url":"https://github.com/acme/pro/invitations","repositories":[{"repository":"acme/pro","permission":"pull","expires_at":"2099-01-02T00:00:00Z"}]}`)),
		bought("g2", "Chat", "discord", grant.Waiting, waits("not_in_guild"), properties(`{"invite_url":"https://discord.gg/abc","invite_expires_at":"2099-01-02T00:00:00Z"}`)),
		bought("g3", "More", "github_repository", grant.Waiting, waits("no_account"), properties(`{"invitation_url":"javascript:alert(1)"}`)),
		bought("g4", "Late", "downloadables", grant.Waiting, waits("file_missing")),
		bought("g5", "Soon", "discord", grant.Pending),
		bought("g6", "Broken", "custom", grant.Failed, waits("bad_spec")),
		bought("g7", "New", "custom", grant.Waiting, waits("a_code_of_tomorrow")),
	)
	text := s.visit()
	has(t, text, "You are invited", `href="https://github.com/acme/pro/invitations"`, "invited until 2 January 2099", `href="https://discord.gg/abc"`,
		"Join the server", "Tell the seller which account is yours", "has not put every file here yet", "This takes a moment", "Something went wrong", "Ask the seller what")
	lacks(t, text, "fulfilld", "javascript:", "bad_spec")
}

func TestWhatIsNotOursOrOverIsNotInTheWay(t *testing.T) {
	t.Parallel()
	asked := bought("g3", "Not granted", "custom", grant.Pending)
	asked.Word = grant.SaysNone
	s := open(t, bought(g1, "Theirs", "slack_shared_channel", grant.Unmanaged), bought("g2", "Old", "license_keys", grant.Revoked), asked)
	text := s.visit()
	has(t, text, "Ended (1)", "<li>Old</li>", "nothing here yet")
	lacks(t, text, "Theirs", "Not granted")
}

func TestFilesAndNotesAreShown(t *testing.T) {
	t.Parallel()
	s := open(t, bought(g1, "Book", "downloadables", grant.Granted, properties(`{"note":"Read\nme"}`)))
	s.files = []File{{"Bücher <1>.pdf", 1_234_567, "https://fulfil.example.com/downloads/t"}}
	has(t, s.visit(), "Bücher &lt;1&gt;.pdf", "1.2 MB", `href="https://fulfil.example.com/downloads/t"`, "Read\nme")
}

func TestAMemberSeesTheirOwn(t *testing.T) {
	t.Parallel()
	hers, others := bought(g1, "Hers", "custom", grant.Granted), bought("g2", "Another's", "custom", grant.Granted)
	hers.MemberID = member
	s := open(t, hers, others)
	s.sessions["for-ada"] = Session{CustomerID: ada, MemberID: member, Until: time.Now().Add(time.Hour)}
	text := s.visit()
	has(t, text, "Hers")
	lacks(t, text, "Another")
}

func TestAMemberWhoIsNoneHasNoSession(t *testing.T) {
	t.Parallel()
	s := open(t, bought(g1, "Hers", "custom", grant.Granted))
	for _, id := range []string{"gone", "another", "unknown"} {
		s.sessions["for-"+id] = Session{CustomerID: ada, MemberID: id, Until: time.Now().Add(time.Hour)}
		if status, text := s.get("/customer/enter/for-" + id); status != http.StatusUnauthorized || strings.Contains(text, "Hers") {
			t.Errorf("%s: %d %s", id, status, text)
		}
	}
}

func TestAFailureSaysNothingOfItself(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.visit()
	s.fails = context.DeadlineExceeded
	status, text := s.get("/customer/")
	if status != http.StatusInternalServerError || strings.Contains(text, "deadline") {
		t.Errorf("%d: %s", status, text)
	}
	has(t, s.log.String(), "deadline")
	lacks(t, s.log.String(), "Ada", "for-ada")
}
