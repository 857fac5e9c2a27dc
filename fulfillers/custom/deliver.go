package custom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/grant/shape"
	"fulfilld/internal/outbound"
)

const (
	restUnasked = 30 * time.Second // after a 429 that names no wait
	restRefused = 5 * time.Minute  // where the operator has to mend something
)

// message is one thing to be told.
type message struct {
	typ   string
	to    *url.URL
	f     grant.Fulfilment
	cycle string
}

// ids is the namespace of webhook-ids.
var ids = uuid.MustParse("8d6f5a1e-3b0c-5f4e-9c57-1f0d2e7a6b93")

// id is the same however often a message has to be sent, and another one for
// whatever else is told: what is owed, what was delivered before, and what the
// body says all count. A renewal counts once, whatever has changed since it was
// first sent: to act twice on it is worse than to miss a change.
func (m message) id() string {
	if m.cycle != "" {
		return uuid.NewSHA1(ids, fmt.Appendf(nil, "%s %s %s", m.f.ID, m.typ, m.cycle)).String()
	}
	return uuid.NewSHA1(ids, fmt.Appendf(nil, "%s %d %s %v %s", m.f.ID, m.f.Generation, m.typ, m.f.Properties[delivered], digestOf(m.data()))).String()
}

func (m message) data() shape.Grant {
	return dataOf(m.f, m.typ != typeRevoked, shown(m.f.Properties))
}

func (m message) body(now time.Time) ([]byte, error) {
	return json.Marshal(struct {
		Type      string      `json:"type"`
		Timestamp shape.Time  `json:"timestamp"`
		Sequence  int64       `json:"sequence"`
		Data      shape.Grant `json:"data"`
	}{m.typ, shape.Time(now), m.f.Generation, m.data()})
}

// deliver sends a message, unless its host wants to be left alone.
func (c *Fulfiller) deliver(ctx context.Context, m message) (outbound.Answer, error) {
	lane := "custom:" + m.to.Hostname()
	if err := fulfillers.Enter(ctx, c.lanes, lane, nil, m.typ == typeRevoked); err != nil {
		return outbound.Answer{}, err
	}
	now, address := time.Now(), m.to.String()
	body, err := m.body(now)
	if err != nil {
		return outbound.Answer{}, fulfillers.Permanent("bad_body", "custom: the grant cannot be written as JSON")
	}
	header, err := outbound.Sign(c.config.secretsOf(address), m.id(), now, body)
	if err != nil {
		return outbound.Answer{}, fulfillers.Permanent("bad_secret", "custom: "+err.Error())
	}
	answer, err := c.client.Post(ctx, address, header, body)
	return answer, c.judge(ctx, lane, m, answer, err)
}

// unheard reports that nobody has taken what was posted, for sure. Whoever answers
// with a 5xx, or not at all, may have.
func unheard(a outbound.Answer) bool { return !a.Sent || a.Status >= 300 && a.Status < 500 }

// judge makes a classified error of whatever came back but a 2xx.
func (c *Fulfiller) judge(ctx context.Context, lane string, m message, a outbound.Answer, err error) error {
	switch {
	case errors.Is(err, outbound.ErrAddress):
		return &fulfillers.Error{Class: fulfillers.ClassThrottled, Code: "private_address", Lane: lane, Wait: restRefused, Cause: err}
	case err != nil:
		return later("unreachable", a, fmt.Errorf("custom: %s: %w", m.typ, err))
	case a.Good():
		return nil
	case a.Status == http.StatusTooManyRequests, a.Status == http.StatusServiceUnavailable && a.Wait > 0:
		return c.rest(ctx, lane, a)
	case a.Status == http.StatusGone:
		return fulfillers.Permanent("gone", fmt.Sprintf("custom: %s answers 410, it takes no more webhooks; name another URL, then `fulfilld grants retry`", m.to.Host))
	}
	return later("refused", a, fmt.Errorf("custom: %s: %s answered %d", m.typ, m.to.Host, a.Status))
}

// later has one message tried again, no sooner than the answer asks for.
func later(code string, a outbound.Answer, cause error) error {
	return &fulfillers.Error{Class: fulfillers.ClassTransient, Code: code, Wait: a.Wait, Cause: cause}
}

// rest has the host left alone, by all daemons.
func (c *Fulfiller) rest(ctx context.Context, lane string, a outbound.Answer) error {
	wait := a.Wait
	if wait == 0 {
		wait = restUnasked
	}
	why := fmt.Sprintf("it answered %d and wants to be left alone", a.Status)
	if err := c.lanes.Pause(ctx, lane, min(wait, 24*time.Hour), why); err != nil {
		return fulfillers.Transient("lane", err)
	}
	return fulfillers.Throttled(lane, wait, errors.New(lane+": "+why))
}
