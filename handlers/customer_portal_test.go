package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"fulfilld/grant"
	"fulfilld/handlers/portal"
)

const shopToken = "a-token-of-the-merchants-shop-1"

// lobby is a public listener with the customers' page, and a file in its store.
func lobby(t *testing.T) (*depot, portal.Tokens) {
	t.Helper()
	d := newDepot(t)
	tokens := portal.Tokens{Keys: d.ledger.SigningKeys("customer session", time.Hour)}
	d.put(id("file", 1), "handbook.pdf", "read me")
	d.server.Config.Handler = Public(PublicOptions{
		Ledger: d.ledger, Webhook: named("webhook"), Health: named("health"), Files: d.Files, Log: d.Log,
		Sessions: Sessions{tokens.Make, time.Hour, d.server.URL}, Portal: named("portal"), Visits: tokens,
		KeyAdmin: func(applied json.RawMessage) bool { return strings.Contains(string(applied), "customers may") },
		Tokens:   []Token{{"shop", shopToken, []string{"customer_sessions:write"}}},
	})
	return d, tokens
}

// session asks for one with a body.
func (d *depot) session(body string) replied {
	d.t.Helper()
	return d.do(http.MethodPost, "/v1/customer-sessions/", strings.NewReader(body), "Authorization: Bearer "+shopToken)
}

// own asks what is a customer's own, with a session's token.
func (d *depot) own(path, token string) replied {
	d.t.Helper()
	return d.do(http.MethodGet, "/v1/customer-portal/"+path, nil, "Authorization: Bearer "+token)
}

func TestASessionIsALinkToThePage(t *testing.T) {
	t.Parallel()
	d, tokens := lobby(t)
	d.fill()
	customer := d.buyer()
	r := d.want("session", d.session(`{"customer_id":"`+customer+`","return_url":"https://acme.example/account"}`), http.StatusCreated)
	var got struct {
		Token, ID  string
		PortalURL  string `json:"customer_portal_url"`
		CustomerID string `json:"customer_id"`
		ReturnURL  string `json:"return_url"`
		Customer   json.RawMessage
	}
	if err := json.Unmarshal([]byte(r.body), &got); err != nil {
		t.Fatal(err)
	}
	if got.CustomerID != customer || got.ReturnURL != "https://acme.example/account" || got.PortalURL != d.server.URL+"/customer/enter/"+got.Token || !strings.Contains(string(got.Customer), customer) {
		t.Errorf("%s", r.body)
	}
	s, err := tokens.Open(t.Context(), got.Token)
	if err != nil || s.CustomerID != customer || s.ReturnURL != got.ReturnURL || time.Until(s.Until) > time.Hour {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestASessionIsRefusedWhereThereIsNobody(t *testing.T) {
	t.Parallel()
	d, _ := lobby(t)
	for body, want := range map[string]string{
		`{}`:                  `["body","customer_id"],"msg":"Field required"`,
		`{"customer_id":"x"}`: "Input should be a valid UUID",
		`{"customer_id":"` + id("none", 9) + `"}`: "Customer does not exist.",
		`{"customer_id":"` + id("customer", 1) + `","return_url":"https://a.example/` + strings.Repeat("a", 1000) + `"}`: "at most 1000 characters",
		`{"external_customer_id":"nobody"}`:                                          "Customer does not exist.",
		`{"customer_id":"` + id("none", 9) + `","return_url":"javascript:alert(1)"}`: "Input should be a valid URL",
	} {
		if r := d.want(body, d.session(body), http.StatusUnprocessableEntity); !strings.Contains(r.body, want) {
			t.Errorf("%s: %s", body, r.body)
		}
	}
	d.want("without a scope", d.do(http.MethodPost, "/v1/customer-sessions/", strings.NewReader("{}")), http.StatusUnauthorized)
}

func TestASessionOpensNoMoreThanWasAskedFor(t *testing.T) {
	t.Parallel()
	d, tokens := lobby(t)
	d.fill()
	customer := d.buyer()
	member := func(n int, of, external string) grant.Member {
		return grant.Member{ID: id("member", n), CustomerID: of, Version: version(n), Body: fmt.Appendf(nil, `{"id":%q,"external_id":%s}`, id("member", n), external)}
	}
	gone := member(14, customer, `"left"`)
	gone.DeletedAt = day(5)
	d.hear("msg_members", "member.created", grant.News{Members: []grant.Member{
		member(11, customer, `"emp_1"`), member(12, customer, `null`), member(13, id("customer", 2), `"emp_3"`), gone,
	}}, nil)
	for body, want := range map[string]string{
		`"external_member_id":"emp_1"`: id("member", 11), `"external_member_id":"emp_1","member_id":"` + id("member", 11) + `"`: id("member", 11),
		`"member_id":"` + id("member", 12) + `","external_member_id":null`: id("member", 12), `"external_member_id":null`: "",
	} {
		r := d.want(body, d.session(`{"customer_id":"`+customer+`",`+body+`}`), http.StatusCreated)
		s, err := tokens.Open(t.Context(), decode[struct{ Token string }](t, []byte(r.body)).Token)
		if err != nil || s.CustomerID != customer || s.MemberID != want {
			t.Errorf("%s: %+v, %v", body, s, err)
		}
	}
	const nobody = `"type":"value_error","loc":["body","external_member_id"],"msg":"Member does not exist for this customer."`
	for body, want := range map[string]string{
		`"external_member_id":"emp_3"`: nobody, `"external_member_id":"left"`: nobody, `"external_member_id":""`: nobody, `"external_member_id":"EMP_1"`: nobody,
		`"external_member_id":"emp_1","member_id":"` + id("member", 12) + `"`: nobody,
		`"member_id":"` + id("member", 13) + `"`:                              `"loc":["body","member_id"],"msg":"Member does not exist for this customer."`,
		`"external_member_id":1`:                                              `"type":"string_type","loc":["body","external_member_id"]`,
		`"memberId":"` + id("member", 11) + `"`:                               `"type":"extra_forbidden","loc":["body","memberId"],"msg":"Extra inputs are not permitted"`,
	} {
		if r := d.want(body, d.session(`{"customer_id":"`+customer+`",`+body+`}`), http.StatusUnprocessableEntity); !strings.Contains(r.body, want) {
			t.Errorf("%s: %s", body, r.body)
		}
	}
}

func TestACustomerIsNamedByEitherWordForTheMerchantsOwnID(t *testing.T) {
	t.Parallel()
	d, tokens := lobby(t)
	d.fill()
	for _, name := range []string{"external_customer_id", "customer_external_id"} {
		r := d.want(name, d.session(`{"`+name+`":"usr_1"}`), http.StatusCreated)
		if s, err := tokens.Open(t.Context(), decode[struct{ Token string }](t, []byte(r.body)).Token); err != nil || s.CustomerID != id("customer", 1) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		if r := d.want(name, d.session(`{"`+name+`":"nobody"}`), http.StatusUnprocessableEntity); !strings.Contains(r.body, `"loc":["body","`+name+`"],"msg":"Customer does not exist."`) {
			t.Errorf("%s: %s", name, r.body)
		}
	}
}

// buyer is the customer to whom the little shop has sold a key.
func (d *depot) buyer() string {
	d.t.Helper()
	all, _, err := d.ledger.LicenseKeys(d.t.Context(), grant.LicenseKeyFilter{}, grant.Page{Number: 1, Limit: 1})
	if err != nil || len(all) != 1 {
		d.t.Fatal(all, err)
	}
	return all[0].CustomerID
}

func TestACustomersProgramSeesTheirKeysAndNobodyElses(t *testing.T) {
	t.Parallel()
	d, tokens := lobby(t)
	d.fill()
	customer := d.buyer()
	make := func(s portal.Session) string {
		token, err := tokens.Make(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	soon := time.Now().Add(time.Hour)
	hers, others := make(portal.Session{CustomerID: customer, Until: soon}), make(portal.Session{CustomerID: id("customer", 2), Until: soon})
	var list struct {
		Items []struct{ ID, Key string }
	}
	r := d.want("keys", d.own("license-keys/", hers), http.StatusOK)
	if err := json.Unmarshal([]byte(r.body), &list); err != nil || len(list.Items) != 1 || !strings.HasPrefix(list.Items[0].Key, "ACME-") {
		t.Fatalf("%s", r.body)
	}
	key := list.Items[0].ID
	if r := d.want("a key", d.own("license-keys/"+key, hers), http.StatusOK); !strings.Contains(r.body, `"activations":[]`) {
		t.Errorf("%s", r.body)
	}
	if r := d.want("another's keys", d.own("license-keys/", others), http.StatusOK); !strings.Contains(r.body, `"items":[]`) {
		t.Errorf("%s", r.body)
	}
	if r := d.want("another's key", d.own("license-keys/"+key, others), http.StatusNotFound); r.Header.Get(licenseCode) != "NOT_FOUND" {
		t.Errorf("%v", r.Header)
	}
	d.hear("msg_member", "member.created", grant.News{Members: []grant.Member{{ID: id("member", 9), CustomerID: customer, Version: version(1)}}}, nil)
	members := make(portal.Session{CustomerID: customer, MemberID: id("member", 9), Until: soon})
	d.want("a key that is no member's", d.own("license-keys/"+key, members), http.StatusNotFound)
	if r := d.want("a member's keys", d.own("license-keys/", members), http.StatusOK); !strings.Contains(r.body, `"items":[]`) {
		t.Errorf("%s", r.body)
	}
	for name, token := range map[string]string{
		"none": "", "forged": hers[:len(hers)-4] + "AAAA", "over": make(portal.Session{CustomerID: customer, Until: time.Now().Add(-time.Minute)}),
		"of no member": make(portal.Session{CustomerID: customer, MemberID: id("member", 8), Until: soon}), "of nobody": make(portal.Session{CustomerID: id("none", 9), Until: soon}), "the shop's": shopToken,
	} {
		want := `Bearer error="invalid_token", error_description="` + unknownToken + `"`
		if token == "" {
			want = "Bearer"
		}
		if r := d.want(name, d.own("license-keys/", token), http.StatusUnauthorized); r.Header.Get("WWW-Authenticate") != want || r.Header.Get(licenseCode) != "UNAUTHORIZED" {
			t.Errorf("%s: %v", name, r.Header)
		}
	}
}

func TestDevicesAreShownToWhoMayEndThem(t *testing.T) {
	t.Parallel()
	d, tokens := lobby(t)
	d.fill()
	customer := d.buyer()
	session, err := tokens.Make(t.Context(), portal.Session{CustomerID: customer, Until: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	all, _, err := d.ledger.LicenseKeys(t.Context(), grant.LicenseKeyFilter{}, grant.Page{Number: 1, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	k, one := all[0], int64(1)
	if _, err := d.ledger.ReviseLicenseKey(t.Context(), k.ID, grant.LicenseKeyEdit{LimitActivations: &one, ExpiresAt: &time.Time{}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.ledger.ActivateKey(t.Context(), grant.KeyUse{Key: k.Key, OrganizationID: k.OrganizationID}, grant.Activation{Label: "studio-mac"}); err != nil {
		t.Fatal(err)
	}
	for _, applied := range []string{`{}`, `{"note":"customers may"}`} {
		if _, err := d.ledger.Retry(t.Context(), id("grant", 1)); err != nil {
			t.Fatal(err)
		}
		d.work(k.FulfilmentID, grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true, Applied: json.RawMessage(applied)})
		r := d.want(applied, d.own("license-keys/"+k.ID, session), http.StatusOK)
		if shown := strings.Contains(r.body, `"label":"studio-mac"`); shown != (applied != `{}`) || !shown && !strings.Contains(r.body, `"activations":[]`) {
			t.Errorf("%s: %s", applied, r.body)
		}
	}
}

func TestWithoutDownloadsThereAreNone(t *testing.T) {
	t.Parallel()
	d, tokens := lobby(t)
	d.fill()
	session, err := tokens.Make(t.Context(), portal.Session{CustomerID: d.buyer(), Until: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	d.server.Config.Handler = Public(PublicOptions{Ledger: d.ledger, Webhook: named("webhook"), Health: named("health"), Log: d.Log, Portal: named("portal"), Visits: tokens})
	if r := d.want("files", d.own("downloadables/", session), http.StatusOK); strings.TrimSpace(r.body) != `{"items":[],"pagination":{"total_count":0,"max_page":0}}` {
		t.Errorf("%s", r.body)
	}
	d.want("without a session", d.own("downloadables/", "nobody's"), http.StatusUnauthorized)
}

func TestACustomersProgramSeesTheirFilesWithLinksThatWork(t *testing.T) {
	t.Parallel()
	d, tokens := lobby(t)
	d.hear("msg_customer", "customer.created", grant.News{Customers: []grant.Customer{{ID: id("customer", 1), Version: version(1)}}}, nil)
	d.sold(id("file", 1))
	token, err := tokens.Make(t.Context(), portal.Session{CustomerID: id("customer", 1), Until: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Items []struct {
			BenefitID string `json:"benefit_id"`
			File      struct {
				Name     string
				Download struct{ URL string }
			}
		}
	}
	r := d.want("files", d.own("downloadables/?benefit_id="+id("benefit", 1), token), http.StatusOK)
	if err := json.Unmarshal([]byte(r.body), &list); err != nil || len(list.Items) != 1 || list.Items[0].File.Name != "handbook.pdf" {
		t.Fatalf("%s", r.body)
	}
	if got := d.want("the file", d.get(list.Items[0].File.Download.URL), http.StatusOK); got.body != "read me" {
		t.Errorf("%q", got.body)
	}
	d.says(2, grant.SaysRevoked)
	if r := d.want("files", d.own("downloadables/", token), http.StatusOK); !strings.Contains(r.body, `"items":[]`) {
		t.Errorf("%s", r.body)
	}
}
