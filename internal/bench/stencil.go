package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"math/rand/v2"
	"strconv"
	"time"

	"fulfilld/polar"
)

// field is what differs from event to event.
type field int

const (
	webhookID field = iota
	grantID
	customerID
	memberID
	subscriptionID
	keyID
	email
	wireTime // when it is sent
	fields
)

// slot is a place where a field stands.
type slot struct {
	at   int
	what field
}

// stencil is a text with places for fields, all of a fixed length.
type stencil struct {
	text  []byte
	slots []slot
}

// cut makes a stencil of a text by the values its fields have there.
func cut(text []byte, values map[field]string) stencil {
	s := stencil{text: bytes.Clone(text)}
	for what, v := range values {
		for at, n := 0, 0; ; at += n + len(v) {
			if n = bytes.Index(text[at:], []byte(v)); n < 0 || v == "" {
				break
			}
			s.slots = append(s.slots, slot{at + n, what})
		}
	}
	return s
}

// put writes the fields of an event where they stand.
func (s *stencil) put(into []byte, e *event) {
	for _, p := range s.slots {
		copy(into[p.at:], e.values[p.what])
	}
}

// event is one event's fields.
type event struct{ values [fields][]byte }

func newEvent() *event {
	e := &event{}
	for f := range e.values {
		e.values[f] = make([]byte, 36)
	}
	e.values[email] = []byte("c000000000000@example.com")
	e.values[wireTime] = make([]byte, 0, 27)
	return e
}

// renew makes it the event of another customer's purchase.
func (e *event) renew(random *rand.ChaCha8, now time.Time) {
	for f := webhookID; f <= keyID; f++ {
		newUUID(random, e.values[f])
	}
	copy(e.values[email][1:13], e.values[customerID][24:])
	e.values[wireTime] = now.UTC().AppendFormat(e.values[wireTime][:0], wireLayout)
}

const wireLayout = "2006-01-02T15:04:05.000000Z"

// newUUID writes a random one; the load is no secret.
func newUUID(random *rand.ChaCha8, into []byte) {
	var b [16]byte
	_, _ = random.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	layUUID(b, into)
}

func layUUID(b [16]byte, into []byte) {
	hex.Encode(into, b[:4])
	hex.Encode(into[9:], b[4:6])
	hex.Encode(into[14:], b[6:8])
	hex.Encode(into[19:], b[8:10])
	hex.Encode(into[24:], b[10:])
	into[8], into[13], into[18], into[23] = '-', '-', '-', '-'
}

// example is the platform's event of a granted license key, and its fields.
func example() (body []byte, values map[field]string, err error) {
	body, err = polar.Template("benefit_grant.created", "license_keys")
	if err != nil {
		return nil, nil, err
	}
	var b struct {
		Timestamp string
		Data      struct {
			ID             string
			SubscriptionID string `json:"subscription_id"`
			CustomerID     string `json:"customer_id"`
			MemberID       string `json:"member_id"`
			CreatedAt      string `json:"created_at"`
			GrantedAt      string `json:"granted_at"`
			Customer       struct{ Email string }
			Properties     struct {
				LicenseKeyID string `json:"license_key_id"`
			}
		}
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, nil, err
	}
	d, e := b.Data, newEvent()
	body = bytes.TrimSpace(body)
	body = bytes.ReplaceAll(body, []byte(d.Customer.Email), e.values[email])
	for _, t := range []string{d.CreatedAt, d.GrantedAt} { // all of it happens now
		body = bytes.ReplaceAll(body, []byte(t), []byte(b.Timestamp))
	}
	return body, map[field]string{
		grantID: d.ID, customerID: d.CustomerID, memberID: d.MemberID, subscriptionID: d.SubscriptionID,
		keyID: d.Properties.LicenseKeyID, email: string(e.values[email]), wireTime: b.Timestamp,
	}, nil
}

// request is a signed HTTP request that is made anew in place.
type request struct {
	bytes                        []byte
	body                         stencil
	idAt, stampAt, signAt, start int // offsets; start is the body's
	mac                          hash.Hash
	event                        *event
	random                       *rand.ChaCha8
}

func newRequest(key []byte, host string) (*request, error) {
	body, values, err := example()
	if err != nil {
		return nil, err
	}
	const id, stamp, sign = "00000000-0000-0000-0000-000000000000", "1111111111", "v1,2222222222222222222222222222222222222222222="
	head := fmt.Sprintf("POST /webhooks/polar HTTP/1.1\r\nHost: %s\r\nUser-Agent: polar.sh webhooks\r\nContent-Type: application/json\r\n"+
		"Webhook-Id: %s\r\nWebhook-Timestamp: %s\r\nWebhook-Signature: %s\r\nWebhook-Api-Version: 2026-04\r\nContent-Length: %d\r\n\r\n",
		host, id, stamp, sign, len(body))
	at := func(s string) int { return bytes.Index([]byte(head), []byte(s)) }
	return &request{
		bytes: append([]byte(head), body...), body: cut(body, values),
		idAt: at(id), stampAt: at(stamp), signAt: at(sign), start: len(head),
		mac: hmac.New(sha256.New, key), event: newEvent(), random: newRandom(),
	}, nil
}

func newRandom() *rand.ChaCha8 {
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(rand.Uint32())
	}
	return rand.NewChaCha8(seed)
}

var dot = []byte(".")

// renew makes it another event, sent now, and signs it.
func (r *request) renew(now time.Time) []byte {
	r.event.renew(r.random, now)
	copy(r.bytes[r.idAt:], r.event.values[webhookID])
	var seconds [20]byte
	stamp := strconv.AppendInt(seconds[:0], now.Unix(), 10)
	copy(r.bytes[r.stampAt:], stamp)
	body := r.bytes[r.start:]
	r.body.put(body, r.event)
	r.mac.Reset()
	for _, part := range [][]byte{r.event.values[webhookID], dot, stamp, dot, body} {
		r.mac.Write(part)
	}
	var sum [sha256.Size]byte
	base64.StdEncoding.Encode(r.bytes[r.signAt+3:], r.mac.Sum(sum[:0]))
	return r.bytes
}
