package polar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"fulfilld/grant"
)

// NotRaw is why an event in a chat format has no effect.
const NotRaw = "a chat message, not an event: set the endpoint's format to raw"

// EventTypes are the types that Polar sends, for metrics.
var EventTypes = []string{
	"benefit.created", "benefit.updated",
	"benefit_grant.created", "benefit_grant.cycled", "benefit_grant.revoked", "benefit_grant.updated",
	"checkout.created", "checkout.expired", "checkout.updated",
	"customer.created", "customer.deleted", "customer.state_changed", "customer.updated",
	"customer_seat.assigned", "customer_seat.claimed", "customer_seat.revoked",
	"discount.created", "discount.deleted", "discount.updated",
	"member.created", "member.deleted", "member.updated",
	"order.created", "order.paid", "order.refunded", "order.updated",
	"organization.updated", "product.created", "product.updated", "refund.created", "refund.updated",
	"subscription.active", "subscription.canceled", "subscription.created", "subscription.cycled", "subscription.migrated",
	"subscription.past_due", "subscription.paused", "subscription.resumed", "subscription.revoked", "subscription.uncanceled",
	"subscription.updated",
}

// EventType reads an event's type and time from its envelope. It is not ok when
// the body is not a JSON object with a well-formed type.
func EventType(body []byte) (typ string, at time.Time, ok bool) {
	var e struct {
		Type      string          `json:"type"`
		Timestamp json.RawMessage `json:"timestamp"`
	}
	if json.Unmarshal(body, &e) != nil || !typeName(e.Type) {
		return "", time.Time{}, false
	}
	var s stamp
	_ = s.UnmarshalJSON(e.Timestamp) // an event without a time counts from its arrival
	return e.Type, s.Time, true
}

func typeName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '.' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 64
}

// ChatFormat reports whether a body is what Polar sends to an endpoint with the
// format discord or slack.
func ChatFormat(body []byte) bool {
	var m map[string]json.RawMessage
	if json.Unmarshal(body, &m) != nil || m["type"] != nil {
		return false
	}
	for _, key := range [...]string{"content", "embeds", "text", "blocks"} {
		if m[key] != nil {
			return true
		}
	}
	return false
}

// envelopeOf is the outer object of every event, its data still to be read.
type envelopeOf[T any] struct {
	Timestamp stamp `json:"timestamp"`
	Data      T     `json:"data"`
}

// reader reads the events of one family.
type reader func(ev grant.Event) (grant.News, error)

// families maps the first word of an event's type to its reader. The body
// decides what an event means, not the rest of its name.
var families = map[string]reader{
	"benefit_grant": grantEvent,
	"benefit":       benefitOrGrant,
	"customer":      customerEvent,
	"customer_seat": read(seatNews),
	"member":        memberEvent,
	"subscription":  read(subscriptionNews),
	"order":         read(orderNews),
	"refund":        read(refundNews),
	"product":       read(productNews),
}

// Decode reads what an event says. An event that says nothing to us comes back
// with the reason in News.Ignored; one that cannot be read with an error that
// names the field.
func Decode(ev grant.Event) (grant.News, error) {
	if ChatFormat(ev.Body) {
		return grant.News{Ignored: NotRaw}, nil
	}
	family, _, _ := strings.Cut(ev.Type, ".")
	read, ok := families[family]
	if !ok {
		return grant.News{Ignored: "events of this type have no effect"}, nil
	}
	news, err := read(ev)
	if err != nil {
		return grant.News{}, fmt.Errorf("%s: %w", ev.Type, err)
	}
	return news, nil
}

// read makes a reader from what turns a family's data into news.
func read[T any](news func(data T, sent time.Time) (grant.News, error)) reader {
	return func(ev grant.Event) (grant.News, error) {
		var e envelopeOf[T]
		if err := json.Unmarshal(ev.Body, &e); err != nil {
			return grant.News{}, mend(err)
		}
		return news(e.Data, sentAt(e.Timestamp, ev))
	}
}

// sentAt is when the event was made: the platform once sent none.
func sentAt(s stamp, ev grant.Event) time.Time {
	if s.IsZero() {
		return ev.ReceivedAt
	}
	return s.Time
}

// mend names the field in what encoding/json says.
func mend(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("%s: is a JSON %s, want %s", wrong.Field, wrong.Value, wrong.Type)
	}
	return err
}

// benefitOrGrant tells benefit.created and benefit.updated from the merchant
// webhook's benefit.granted and benefit.revoked, which are about a grant.
func benefitOrGrant(ev grant.Event) (grant.News, error) {
	if ev.Type == "benefit.granted" || ev.Type == "benefit.revoked" {
		return read(grantNews)(ev)
	}
	return read(benefitNews)(ev)
}

// StripSecrets removes what must not be kept from a body: the short-lived token
// that Polar puts beside a Discord guild's id.
func StripSecrets(body []byte) []byte {
	const key = `"guild_token":"`
	for {
		at := bytes.Index(body, []byte(key))
		if at < 0 || at+len(key) >= len(body) || body[at+len(key)] == '"' {
			return body
		}
		end := bytes.IndexByte(body[at+len(key):], '"')
		if end < 0 {
			return body
		}
		out := append([]byte{}, body[:at+len(key)]...)
		out = append(out, body[at+len(key)+end:]...)
		return append(out[:at+len(key)], StripSecrets(out[at+len(key):])...)
	}
}
