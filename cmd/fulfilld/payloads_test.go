package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fulfilld/grant"
)

const payloads = "../../polar/examples"

func payload(t *testing.T, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(payloads, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// Every example body is accepted and applied. What has no effect is ignored, and
// says why.
func TestEveryPayloadIsAcceptedAndAppliedOrIgnored(t *testing.T) {
	files, err := os.ReadDir(payloads)
	if err != nil || len(files) < 62 {
		t.Fatalf("%d payloads, %v", len(files), err)
	}
	bodies, want := map[string][]byte{}, map[string]grant.EventState{}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".json")
		bodies[name], want[name] = payload(t, name), grant.EventApplied
	}
	for _, typ := range []string{"checkout.created", "discount.updated", "organization.updated", "benefit_grant.from_a_newer_platform", "brand.new"} {
		bodies[typ], want[typ] = []byte(`{"type":"`+typ+`","timestamp":"2026-10-01T12:00:00Z","data":{}}`), grant.EventIgnored
	}
	onEachLedger(t, func(t *testing.T, c *counter) {
		ids := map[string]string{}
		for name, body := range bodies {
			ids[name] = c.send(body)
		}
		c.apply()
		for name, id := range ids {
			c.ended(name, id, want[name])
		}
	})
}

// The examples' grant of a license key.
const (
	exampleGrant    = "2017d130-6fbe-4bc3-8b4e-54d58be046b0"
	exampleMember   = "72485191-245e-4262-a012-22d654504ace"
	exampleCustomer = "0b1c6a96-b1f5-4ab2-8f4a-a46764e29b77"
)

// edit changes keys of an example's data, and of its envelope where it has them.
func edit(t *testing.T, name string, changes map[string]any) []byte {
	t.Helper()
	var e map[string]any
	if err := json.Unmarshal(payload(t, name), &e); err != nil {
		t.Fatal(err)
	}
	data, _ := e["data"].(map[string]any)
	for k, v := range changes {
		if k == "type" || k == "timestamp" {
			e[k] = v
		} else {
			data[k] = v
		}
	}
	body, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// The body decides what becomes of a key, whatever the event is called.
func TestPayloadsGrantAndRevokeAKey(t *testing.T) {
	created, revoked := payload(t, "benefit_grant.created.license_keys"), payload(t, "benefit_grant.revoked.license_keys")
	pending := edit(t, "benefit_grant.created.license_keys", map[string]any{"is_granted": false, "granted_at": nil})
	updated := edit(t, "benefit_grant.created.license_keys", map[string]any{
		"type": "benefit_grant.updated", "timestamp": "2026-09-15T10:00:01Z", "modified_at": "2026-09-15T10:00:00Z", "granted_at": "2026-09-15T10:00:00Z",
	})
	again := edit(t, "benefit_grant.created.license_keys", map[string]any{
		"timestamp": "2026-11-15T10:00:01Z", "modified_at": "2026-11-15T10:00:00Z", "granted_at": "2026-11-15T10:00:00Z",
	})
	memberOf := edit(t, "benefit_grant.created.license_keys", map[string]any{"member": map[string]any{
		"id": exampleMember, "customer_id": exampleCustomer, "created_at": "2026-09-14T09:12:03Z", "modified_at": "2026-10-20T12:00:00Z",
	}})
	memberDeleted := edit(t, "member.deleted", map[string]any{"id": exampleMember, "customer_id": exampleCustomer, "modified_at": "2026-09-01T00:00:00Z"})
	type step struct {
		body         []byte
		key, because string
	}
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"CreatedButNotGranted", []step{{pending, "none", "not_granted"}}},
		{"UpdatedGrants", []step{{pending, "none", "not_granted"}, {updated, "active", "granted"}}},
		{"RevokedRevokes", []step{{created, "active", "granted"}, {revoked, "inactive", "revoked"}}},
		{"SameIDRevives", []step{{created, "active", "granted"}, {revoked, "inactive", "revoked"}, {again, "active", "granted"}}},
		{"RevokedBeforeItWasCreated", []step{{revoked, "none", "revoked"}, {created, "none", "revoked"}}},
		{"MemberDeletedWithAnOldTime", []step{{memberOf, "active", "granted"}, {memberDeleted, "inactive", "member_deleted"}}},
		{"GrantedAfterItsCustomerWasDeleted", []step{{payload(t, "customer.deleted"), "none", ""}, {again, "none", "customer_deleted"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onEachLedger(t, func(t *testing.T, c *counter) {
				var issued string
				for i, s := range tt.steps {
					c.ended(tt.name, c.sent(s.body), grant.EventApplied)
					c.work()
					state, text := c.key()
					if state != s.key || s.because != "" && c.because() != s.because {
						t.Errorf("step %d: the key is %s because %q, want %s because %q", i+1, state, c.because(), s.key, s.because)
					}
					if issued != "" && text != issued {
						t.Errorf("step %d: another key than before", i+1)
					}
					issued = text
				}
			})
		})
	}
}
