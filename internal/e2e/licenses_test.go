//go:build unix

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const licenseToken = "e2e-app-token-0123456789abcdef"

// app is a merchant's program, with a token or without one.
type app struct {
	t     testing.TB
	d     *daemon
	token string
	key   licenseItem
}

type licenseItem struct {
	ID             string `json:"id"`
	Key            string `json:"key"`
	OrganizationID string `json:"organization_id"`
	Validations    int    `json:"validations"`
	Activations    []struct {
		ID string `json:"id"`
	} `json:"activations"`
}

// call asks about the key, and reads the answer into v.
func (a *app) call(method, path string, more map[string]any, v any) (status int, code string) {
	a.t.Helper()
	ask := map[string]any{"key": a.key.Key, "organization_id": a.key.OrganizationID}
	for k, value := range more {
		ask[k] = value
	}
	text, err := json.Marshal(ask)
	if err != nil {
		a.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(a.t.Context(), method, "http://"+a.d.public+path, bytes.NewReader(text))
	if err != nil {
		a.t.Fatal(err)
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && v != nil {
		err = json.Unmarshal(body, v)
	}
	if err != nil {
		a.t.Fatalf("%s: %v: %.300s", path, err, body)
	}
	return resp.StatusCode, resp.Header.Get("X-License-Code")
}

// wants checks how the key's route answers.
func (a *app) wants(what string, more map[string]any, status int, code string) {
	a.t.Helper()
	path := "/v1/customer-portal/license-keys/"
	if a.token != "" {
		path = "/v1/license-keys/"
	}
	if got, said := a.call(http.MethodPost, path+what, more, nil); got != status || said != code {
		a.t.Errorf("%s: %d %q, want %d %q", path+what, got, said, status, code)
	}
}

// bought is a daemon that has issued a key, and two apps: one with a token.
func bought(t *testing.T, settings ...string) (d *daemon, p *platform, server, desktop *app) {
	t.Helper()
	d = started(t, "", "", append(settings, fmt.Sprintf(`FULFILLD_TOKENS=[{name: app, token: %s, scopes: ["license_keys:write"]}]`, licenseToken))...)
	p = newPlatform(d)
	p.send(t, buys(0))
	d.issued(0, patience)
	keys, err := all[licenseItem](d, "/v1/license-keys/")
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	return d, p, &app{t, d, licenseToken, keys[0]}, &app{t, d, "", keys[0]}
}

func TestALicenseKeyFromPurchaseToItsEnd(t *testing.T) {
	t.Parallel()
	d, p, server, desktop := bought(t, "FULFILLD_LICENSE_API_RATE=1000")
	server.wants("validate", nil, 200, "")
	desktop.wants("validate", nil, 200, "")
	for n := range 3 { // as many as the benefit allows
		desktop.wants("activate", map[string]any{"label": fmt.Sprint("machine ", n), "conditions": map[string]any{"major": n}}, 200, "")
	}
	desktop.wants("activate", map[string]any{"label": "one more"}, 403, "LIMIT_REACHED")
	var whole licenseItem
	if status, _ := server.call(http.MethodGet, "/v1/license-keys/"+server.key.ID, nil, &whole); status != 200 || len(whole.Activations) != 3 {
		t.Fatalf("%d %+v", status, whole)
	}
	first := map[string]any{"activation_id": whole.Activations[0].ID, "conditions": map[string]any{"major": 0}}
	desktop.wants("validate", first, 200, "")
	desktop.wants("validate", map[string]any{"activation_id": whole.Activations[0].ID}, 404, "CONDITIONS_MISMATCH")

	var rotated licenseItem
	if status, _ := server.call(http.MethodPost, "/v1/license-keys/"+server.key.ID+"/rotate", nil, &rotated); status != 200 || rotated.ID != server.key.ID {
		t.Fatalf("%d %+v", status, rotated)
	}
	desktop.wants("validate", first, 404, "NOT_FOUND")
	server.key, desktop.key = rotated, rotated
	desktop.wants("validate", first, 200, "")

	p.send(t, fact{typ: "revoked", grant: 0, word: "revoked", at: time.Now()}.webhook())
	within(t, patience, "revoked", func() error { return d.shows(0, "revoked") })
	desktop.wants("validate", first, 404, "REVOKED")
	server.wants("activate", map[string]any{"label": "too late"}, 403, "REVOKED")
	desktop.wants("deactivate", map[string]any{"activation_id": whole.Activations[1].ID}, 204, "")
	p.send(t, fact{typ: "updated", grant: 0, word: "granted", at: time.Now()}.webhook())
	d.issued(0, patience)
	desktop.wants("validate", first, 200, "")

	d.signal(syscall.SIGTERM)
	if code := d.ended(patience); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if n, err := one(openLedger(t, "sqlite://"+filepath.Join(d.dir, "fulfilld.db")), `SELECT validations FROM license_keys`); err != nil || n != 5 {
		t.Errorf("%d validations are written down, want 5, %v", n, err)
	}
}

func TestAnAppWithoutATokenIsLimited(t *testing.T) {
	t.Parallel()
	_, _, server, desktop := bought(t, "FULFILLD_LICENSE_API_RATE=1")
	desktop.wants("validate", nil, 200, "")
	within(t, patience, "limited", func() error {
		if status, code := desktop.call(http.MethodPost, "/v1/customer-portal/license-keys/validate", nil, nil); status != 429 || code != "RATE_LIMITED" {
			return fmt.Errorf("%d %s", status, code)
		}
		return nil
	})
	for range 5 {
		server.wants("validate", nil, 200, "")
	}
	server.token = "nobody's-token-0123456789"
	server.wants("validate", nil, 401, "UNAUTHORIZED")
}
