package polar

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"fulfilld/grant"
)

// Why an event has no effect.
const (
	NotRaw   = "a chat message, not an event: set the endpoint's format to raw"
	noEffect = "events of this type have no effect"
	unknown  = "events of this type are not known"
)

// envelopeOf is the outer object of every event, its data still to be read.
type envelopeOf[T any] struct {
	Timestamp stamp `json:"timestamp"`
	Data      T     `json:"data"`
}

// reader reads the events of one family.
type reader func(ev grant.Event) (grant.News, error)

// readerOf returns the reader of a family, the first word of an event's type;
// nil for one without effect. The body decides what an event means, not the
// rest of its name.
func readerOf(family string) (r reader, known bool) {
	switch family {
	case "benefit_grant":
		return grantEvent, true
	case "benefit":
		return benefitOrGrant, true
	case "customer":
		return customerEvent, true
	case "customer_seat":
		return read(seatNews), true
	case "member":
		return memberEvent, true
	case "subscription":
		return read(subscriptionNews), true
	case "order":
		return read(orderNews), true
	case "refund":
		return read(refundNews), true
	case "product":
		return read(productNews), true
	case "checkout", "discount", "organization":
		return nil, true
	}
	return nil, false
}

// Decode reads what an event says. An event that says nothing to us comes back
// with the reason in News.Ignored; one that cannot be read with an error that
// names the field and leaves its value out.
func Decode(ev grant.Event) (grant.News, error) {
	family, _, _ := strings.Cut(ev.Type, ".")
	read, known := readerOf(family)
	switch {
	case read == nil && ChatFormat(ev.Body):
		return grant.News{Ignored: NotRaw}, nil
	case !known:
		return grant.News{Ignored: unknown}, nil
	case read == nil:
		return grant.News{Ignored: noEffect}, nil
	case !utf8.Valid(ev.Body):
		return grant.News{}, fmt.Errorf("%s: body: is not UTF-8", ev.Type)
	}
	news, err := read(ev)
	switch {
	case err == nil:
		return news, nil
	case ChatFormat(ev.Body):
		return grant.News{Ignored: NotRaw}, nil
	case !slices.Contains(EventTypes, ev.Type):
		return grant.News{Ignored: unknown}, nil
	}
	return grant.News{}, fmt.Errorf("%s: %w", ev.Type, err)
}

// read makes a reader from what turns a family's data into news.
func read[T any](news func(data T, sent time.Time) (grant.News, error)) reader {
	return func(ev grant.Event) (grant.News, error) {
		var e envelopeOf[T]
		if err := json.Unmarshal(ev.Body, &e); err != nil {
			return grant.News{}, mend("", err)
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
