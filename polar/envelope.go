package polar

import (
	"bytes"
	"encoding/json"
	"time"
	"unicode/utf8"
)

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
	if !utf8.Valid(body) || !json.Valid(body) {
		return "", time.Time{}, false
	}
	typ, sent, ok := head(json.NewDecoder(bytes.NewReader(body)))
	if !ok || !typeName(typ) {
		return "", time.Time{}, false
	}
	var s stamp
	_ = s.UnmarshalJSON(sent) // an event without a time counts from its arrival
	return typ, s.Time, true
}

// head reads as far as type and timestamp, which Polar puts first.
func head(d *json.Decoder) (typ string, sent json.RawMessage, ok bool) {
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return "", nil, false
	}
	for d.More() && (typ == "" || sent == nil) {
		key, err := d.Token()
		if err != nil {
			return "", nil, false
		}
		var into any = new(json.RawMessage)
		switch key {
		case "type":
			into = &typ
		case "timestamp":
			into = &sent
		}
		if d.Decode(into) != nil {
			return "", nil, false
		}
	}
	return typ, sent, true
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
