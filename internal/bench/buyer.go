package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/google/uuid"

	"fulfilld/polar"
)

// buyer has bought access for one account, and may lose it again.
type buyer struct {
	kind    string // of the benefit
	account string
	lane    int
	sold    map[string]any // the benefit's properties
	path    string         // of the requests that give it, by PUT, and take it, by DELETE
	read    string         // path of the requests that look at the member; empty: such have no limit of their own
	has     func() bool

	grant, customer, subscription, benefit string
	bought, left                           time.Time // when each webhook was sent
}

func newBuyer(kind, account string, lane int, sold map[string]any) *buyer {
	what := uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, kind, sold)) // one benefit for all who buy the same
	return &buyer{
		kind: kind, account: account, lane: lane, sold: sold,
		grant: uuid.NewString(), customer: uuid.NewString(), subscription: uuid.NewString(), benefit: what.String(),
	}
}

func (b *buyer) buys(now time.Time) ([]byte, error) {
	b.bought = now
	return b.webhook("benefit_grant.created", now, map[string]any{
		"is_granted": true, "granted_at": wire(now), "is_revoked": false, "revoked_at": nil,
	})
}

func (b *buyer) leaves(now time.Time) ([]byte, error) {
	b.left = now
	return b.webhook("benefit_grant.revoked", now, map[string]any{
		"is_granted": false, "granted_at": nil, "is_revoked": true, "revoked_at": wire(now),
	})
}

// webhook is the platform's example, of this buyer. It names the account, and
// leaves it to the daemon to give access.
func (b *buyer) webhook(event string, now time.Time, said map[string]any) ([]byte, error) {
	text, err := polar.Template("benefit_grant.created", b.kind)
	if err != nil {
		return nil, err
	}
	var e map[string]any
	if err := json.Unmarshal(text, &e); err != nil {
		return nil, err
	}
	data := e["data"].(map[string]any)
	maps.Copy(data["customer"].(map[string]any), map[string]any{"id": b.customer, "email": b.customer + "@example.com", "external_id": nil})
	maps.Copy(data["benefit"].(map[string]any), map[string]any{"id": b.benefit, "properties": b.sold})
	maps.Copy(data, map[string]any{
		"id": b.grant, "customer_id": b.customer, "user_id": b.customer, "benefit_id": b.benefit,
		"subscription_id": b.subscription, "member_id": nil, "member": nil,
		"properties": map[string]any{"account_id": b.account}, "previous_properties": map[string]any{},
		"created_at": wire(b.bought), "modified_at": wire(now),
	})
	maps.Copy(data, said)
	e["type"], e["timestamp"] = event, wire(now)
	return json.Marshal(e)
}

func wire(t time.Time) string { return t.UTC().Format(wireLayout) }

// post sends a webhook, signed now.
func (s *subject) post(ctx context.Context, body []byte) error {
	header, err := polar.Sign(s.secret, "auto", uuid.NewString(), time.Now(), body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.address+"/webhooks/polar", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("answered %d %.200s", resp.StatusCode, said)
	}
	return err
}
