//go:build unix

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"fulfilld/polar"
)

// platform sends webhooks as the shop's platform does: signed, the same id again
// with a new timestamp until it is acknowledged.
type platform struct {
	urls   []string
	client *http.Client
	acked  atomic.Int64 // deliveries answered 202
	tries  atomic.Int64
	kept   sync.Map // the ids of events answered 202
}

// webhook is one event to be sent.
type webhook struct {
	id   string
	body []byte
}

func newPlatform(daemons ...*daemon) *platform {
	p := &platform{client: &http.Client{
		Timeout:   10 * time.Second, // as long as the platform waits
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, MaxConnsPerHost: 64},
	}}
	for _, d := range daemons {
		p.urls = append(p.urls, d.hook())
	}
	return p
}

func (d *daemon) hook() string { return "http://" + d.public + "/webhooks/polar" }

// post sends a webhook once, signed now.
func (p *platform) post(ctx context.Context, url string, w webhook) (*http.Response, string, error) {
	headers, err := polar.Sign(webhookSecret, "auto", w.id, time.Now(), w.body)
	if err != nil {
		return nil, "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(w.body))
	if err != nil {
		return nil, "", err
	}
	req.Header = headers
	p.tries.Add(1)
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusAccepted {
		p.acked.Add(1)
		p.kept.Store(w.id, true)
	}
	text, err := io.ReadAll(resp.Body)
	return resp, string(text), err
}

// acknowledged are the ids of the events that were answered 202.
func (p *platform) acknowledged() (ids []string) {
	p.kept.Range(func(id, _ any) bool {
		ids = append(ids, id.(string))
		return true
	})
	return ids
}

// deliver sends a webhook until it is acknowledged; turn says which daemon is
// asked first.
func (p *platform) deliver(ctx context.Context, turn int, w webhook) error {
	for {
		resp, text, err := p.post(ctx, p.urls[turn%len(p.urls)], w)
		switch {
		case err == nil && resp.StatusCode == http.StatusAccepted:
			return nil
		case err == nil && resp.StatusCode != http.StatusServiceUnavailable:
			return fmt.Errorf("%s: answered %d %.200s", w.id, resp.StatusCode, text)
		case ctx.Err() != nil:
			return fmt.Errorf("%s: never acknowledged: %w", w.id, ctx.Err())
		}
		turn++
		if turn%len(p.urls) == 0 { // nobody took it this time round
			select {
			case <-time.After(30 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
}

// deliverAll sends webhooks over several connections, in order but for that.
// The channel returned is closed when all are acknowledged or given up.
func (p *platform) deliverAll(t testing.TB, connections int, webhooks []webhook) <-chan struct{} {
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(webhooks) {
					return
				}
				if err := p.deliver(ctx, i, webhooks[i]); err != nil {
					t.Errorf("%v\n%.300s", err, webhooks[i].body)
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() {
		wg.Wait()
		cancel()
		close(done)
	}()
	return done
}

// send delivers one webhook now, or fails the test.
func (p *platform) send(t testing.TB, w webhook) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.deliver(ctx, 0, w); err != nil {
		t.Fatal(err)
	}
}

// fact is one thing the platform says about a grant.
type fact struct {
	typ   string // created, updated, revoked or cycled
	grant int    // its number
	word  string // granted, revoked or none
	at    time.Time
	sent  time.Time // of the envelope; at when zero
}

// example is the platform's published body of a grant.
var example = sync.OnceValue(func() map[string]any {
	text, err := polar.Template("benefit_grant.created", "license_keys")
	if err != nil {
		panic(err)
	}
	var e map[string]any
	if err := json.Unmarshal(text, &e); err != nil {
		panic(err)
	}
	return e
})

// number makes ids that can be told apart.
func number(what string, n int) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "e2e/%s/%d", what, n)).String()
}

func grantID(n int) string { return number("grant", n) }

// customerMail is an address that must not be seen anywhere it does not belong.
func customerMail(n int) string { return fmt.Sprintf("customer-%d@e2e.example", n/2) }

func wire(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z")
}

// body spells a fact as the platform does. Two grants share a customer.
func (f fact) body() []byte {
	e, old := map[string]any{}, example()
	data, customer, benefit := map[string]any{}, map[string]any{}, map[string]any{}
	copyInto(e, old)
	copyInto(data, old["data"])
	copyInto(customer, old["data"].(map[string]any)["customer"])
	copyInto(benefit, old["data"].(map[string]any)["benefit"])
	id, customerID, benefitID := grantID(f.grant), number("customer", f.grant/2), number("benefit", f.grant%5)
	born := f.at.Add(-time.Hour)
	if f.typ == "created" {
		born = f.at
	}
	copyInto(customer, map[string]any{"id": customerID, "email": customerMail(f.grant), "name": "A Customer", "external_id": fmt.Sprint("e2e-", f.grant/2)})
	copyInto(benefit, map[string]any{"id": benefitID})
	copyInto(data, map[string]any{
		"id": id, "customer_id": customerID, "user_id": customerID, "benefit_id": benefitID,
		"subscription_id": number("subscription", f.grant), "order_id": nil, "member_id": nil, "member": nil,
		"customer": customer, "benefit": benefit, "properties": map[string]any{},
		"created_at": wire(born), "modified_at": wire(f.at), "granted_at": nil, "revoked_at": nil,
		"is_granted": f.word == "granted", "is_revoked": f.word == "revoked",
	})
	switch f.word {
	case "granted":
		data["granted_at"] = wire(born)
	case "revoked":
		data["revoked_at"] = wire(f.at)
	}
	sent := f.sent
	if sent.IsZero() {
		sent = f.at
	}
	copyInto(e, map[string]any{"type": "benefit_grant." + f.typ, "timestamp": wire(sent), "data": data})
	text, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return text
}

func copyInto(to map[string]any, from any) {
	for k, v := range from.(map[string]any) {
		to[k] = v
	}
}

// webhook makes a new event of a fact.
func (f fact) webhook() webhook { return webhook{uuid.NewString(), f.body()} }

// buys is the event by which a grant comes to be.
func buys(n int) webhook {
	return fact{typ: "created", grant: n, word: "granted", at: time.Now()}.webhook()
}
