package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fulfilld/grant"
)

// display is the platform's example of a key, as a ledger.
type display struct {
	AdminLedger
	key        grant.LicenseKeyView
	activation grant.Activation
}

func newDisplay(t *testing.T) display {
	t.Helper()
	type example struct {
		ID             string
		OrganizationID string    `json:"organization_id"`
		CustomerID     string    `json:"customer_id"`
		BenefitID      string    `json:"benefit_id"`
		CreatedAt      time.Time `json:"created_at"`
		ModifiedAt     time.Time `json:"modified_at"`
		Key            string
		DisplayKey     string `json:"display_key"`
		Limit          int64  `json:"limit_activations"`
		Validations    int64
		Customer       json.RawMessage
		Activations    []struct {
			ID, Label string
			Meta      json.RawMessage
			CreatedAt time.Time `json:"created_at"`
		}
	}
	e := decode[example](t, read(t, "license_keys/license_keys.get.200.json"))
	a := e.Activations[0]
	k := grant.LicenseKeyView{LicenseKey: grant.LicenseKey{
		ID: e.ID, BenefitID: e.BenefitID, CustomerID: e.CustomerID, OrganizationID: e.OrganizationID, Key: e.Key, DisplayKey: e.DisplayKey, Active: true,
		LimitActivations: &e.Limit, Validations: e.Validations, LastValidatedAt: e.ModifiedAt, CreatedAt: e.CreatedAt,
	}, Customer: grant.Customer{ID: e.CustomerID, Email: "ada@example.com", Name: "Ada Lovelace", Body: e.Customer}}
	return display{key: k, activation: grant.Activation{ID: a.ID, LicenseKeyID: e.ID, Label: a.Label, Meta: a.Meta, CreatedAt: a.CreatedAt}}
}

func (d display) LicenseKey(context.Context, string) (grant.LicenseKeyView, error) { return d.key, nil }

func (d display) LicenseKeys(context.Context, grant.LicenseKeyFilter, grant.Page) ([]grant.LicenseKeyView, int64, error) {
	return []grant.LicenseKeyView{d.key}, 1, nil
}

func (d display) Activations(context.Context, string) ([]grant.Activation, error) {
	return []grant.Activation{d.activation}, nil
}

func (d display) ValidateKey(_ context.Context, u grant.KeyUse) (grant.LicenseKeyView, *grant.Activation, error) {
	if u.ActivationID == "" {
		return d.key, nil, nil
	}
	return d.key, &d.activation, nil
}

func (d display) ActivateKey(context.Context, grant.KeyUse, grant.Activation) (grant.LicenseKeyView, grant.Activation, error) {
	return d.key, d.activation, nil
}

// aKey begins the body of a request about any key.
const aKey = `{"key":"ACME-1C285B2D-E304DA","organization_id":"00000000-0000-4000-806f-000000000001"`

func TestLicenseKeysAreThePlatformsByteForByte(t *testing.T) {
	t.Parallel()
	d := &desk{t: t}
	d.Handler = Public(PublicOptions{Ledger: newDisplay(t), Tokens: []Token{{"app", token, []string{"license_keys:write"}}}, Webhook: named("webhook"), Health: named("health")})
	whole := string(read(t, "license_keys/license_keys.get.200.json"))
	unactivated := strings.TrimSpace(whole[:strings.Index(whole, `,"activations"`)])
	for request, want := range map[string]string{
		"GET /v1/license-keys/" + id("key", 1): whole,
		"GET /v1/license-keys/":                `{"items":[` + unactivated + `}],"pagination":{"total_count":1,"max_page":1}}`,
		"GET /v1/license-keys/" + id("key", 1) + "/activations/8e422e70-b829-4245-8f87-6c50f2844aeb": string(read(t, "license_keys/license_keys.activate.200.json")),
		"POST /v1/license-keys/validate\n\n" + aKey + `}`:                                            unactivated + `,"activation":null}`,
		"POST /v1/license-keys/validate\n\n" + aKey + `,"activation_id":"` + id("a", 1) + `"}`:       string(read(t, "license_keys/license_keys.validate.200.json")),
		"POST /v1/license-keys/activate\n\n" + aKey + `,"label":"laptop"}`:                           string(read(t, "license_keys/license_keys.activate.200.json")),
		"POST /v1/customer-portal/license-keys/activate\n\n" + aKey + `,"label":"laptop"}`:           string(read(t, "license_keys/license_keys.activate.200.json")),
	} {
		w := d.ask(request)
		if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(w.Body.String())); w.Code != http.StatusOK || diff != "" {
			t.Errorf("%s: %d (-want +got)\n%s", request, w.Code, diff)
		}
	}
}

func TestAnUnknownCustomerHasThePlatformsMembers(t *testing.T) {
	t.Parallel()
	k := newDisplay(t).key
	want := map[string]bool{}
	for _, m := range members(t, k.Customer.Body) {
		want[m.name] = true
	}
	k.Customer = grant.Customer{ID: k.CustomerID, DeletedAt: day(1)}
	item := licenseKeyOf(k)
	got := map[string]bool{}
	for _, m := range members(t, item.Customer) {
		got[m.name] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	user, err := json.Marshal(item.User)
	if want := `{"id":"` + k.CustomerID + `","email":null,"public_name":"?","avatar_url":null}`; string(user) != want || err != nil {
		t.Errorf("%s, %v", user, err)
	}
}

func TestAPublicNameIsTheFirstLetter(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]grant.Customer{"É": {Name: "Élodie", Email: "e@example.com"}, "e": {Email: "e@example.com"}, "?": {}} {
		if got := publicName(c); got != want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
