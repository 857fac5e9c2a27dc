package handlers

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"fulfilld/grant"
)

const (
	maxBody   = 1 << 20  // the platform's largest bodies are some kilobytes
	firstRoom = 16 << 10 // what a sender is given room for by its word alone
	smallBody = 64 << 10 // the platform's bodies are no larger, as a rule

	maxReading  = 4096 // bodies on their way in; beyond, senders are asked to come back
	maxLarge    = 256  // of them, those that are not small: so many fit into the memory
	maxInFlight = 512  // deliveries that are being verified and committed

	commitWithin = 5 * time.Second // the platform gives up after ten
)

// EventStore commits an event before it is answered.
type EventStore interface {
	Accept(ctx context.Context, ev grant.Event) (grant.Acceptance, error)
}

// Refusal is why a delivery is not taken in. Text is public; it says what to
// mend and nothing that was sent.
type Refusal struct {
	Status int
	Text   string
}

// WebhookOptions is what the receiver is made of.
type WebhookOptions struct {
	Store EventStore
	// Admit refuses, by its headers alone, a delivery that Open would refuse:
	// nobody waits for its body.
	Admit func(h http.Header) *Refusal
	// Open verifies a delivery and reads its envelope, from the raw bytes.
	Open func(body []byte, h http.Header) (grant.Event, *Refusal)
	// Accepted is told of every event that is new. It must not block.
	Accepted func()
	// Reused is told of a known id that came with another body.
	Reused  func(ev grant.Event)
	Metrics *WebhookMetrics
	Log     *slog.Logger
}

// slots bounds how many do something at once.
type slots chan struct{}

func (s slots) take() bool {
	select {
	case s <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s slots) give() { <-s }

// receiver is the endpoint. A sender has proven nothing until its body is
// there, so the few places for work are taken only then: however slow and many
// such senders are, they keep nobody else out of those.
type receiver struct {
	WebhookOptions
	reading, large, working slots
}

// Webhook receives signed events and answers 202 once they are durable.
func Webhook(o WebhookOptions) http.Handler {
	return &receiver{o, make(slots, maxReading), make(slots, maxLarge), make(slots, maxInFlight)}
}

// ServeHTTP implements http.Handler.
func (d *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	typ, result, refusal := d.receive(w, r)
	d.answer(w, typ, result, started, refusal)
}

// receive takes one delivery in: read, verify, commit.
func (d *receiver) receive(w http.ResponseWriter, r *http.Request) (typ, result string, refusal *Refusal) {
	body, refusal := d.body(w, r)
	if refusal != nil {
		return "", refusal.result(), refusal
	}
	if !d.working.take() {
		return "", "busy", busy()
	}
	defer d.working.give()
	ev, refusal := d.Open(body, r.Header)
	if refusal != nil {
		return "", refusal.result(), refusal
	}
	result, refusal = d.commit(r.Context(), ev)
	return ev.Type, result, refusal
}

// commit makes an event durable; a sender that hangs up does not stop it.
func (d *receiver) commit(ctx context.Context, ev grant.Event) (result string, refusal *Refusal) {
	ev.ReceivedAt = time.Now().UTC()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitWithin)
	defer cancel()
	got, err := d.Store.Accept(ctx, ev)
	if err != nil {
		d.Log.Error("webhook not committed; the sender is asked to come back", slog.String("event", ev.ID), slog.String("type", ev.Type), slog.Any("err", err))
		return "failed", &Refusal{http.StatusServiceUnavailable, "not committed; send it again"}
	}
	switch got {
	case grant.Accepted:
		d.Accepted()
	case grant.Conflict:
		d.Reused(ev)
	}
	return string(got), nil
}

// body reads the body of a delivery whose headers are in order. After a refusal
// nobody waits for what has not come yet.
func (d *receiver) body(w http.ResponseWriter, r *http.Request) (body []byte, refusal *Refusal) {
	if refusal = d.Admit(r.Header); refusal == nil {
		body, refusal = d.readBody(w, r)
	}
	if refusal != nil {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now()) // else the server's own stands
	}
	return body, refusal
}

// readBody lets the room grow with what really comes, whatever was announced.
// The server's deadline cuts a sender that dribbles.
func (d *receiver) readBody(w http.ResponseWriter, r *http.Request) ([]byte, *Refusal) {
	if r.ContentLength > maxBody {
		return nil, tooLarge()
	}
	if !d.reading.take() {
		return nil, busy()
	}
	defer d.reading.give()
	reader := http.MaxBytesReader(w, r.Body, maxBody)
	room := min(max(r.ContentLength, 0), firstRoom) + 512
	body, all, refusal := readUpTo(reader, make([]byte, 0, room), smallBody)
	if all || refusal != nil {
		return body, refusal
	}
	if !d.large.take() {
		return nil, busy()
	}
	defer d.large.give()
	body, _, refusal = readUpTo(reader, body, maxBody+1)
	return body, refusal
}

// readUpTo appends to body until it has enough, or all that there is.
func readUpTo(from io.Reader, body []byte, enough int) (_ []byte, all bool, _ *Refusal) {
	for len(body) < enough {
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err == io.EOF {
			return body, true, nil
		}
		if err != nil {
			return nil, false, unreadable(err)
		}
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
	}
	return body, false, nil
}

func unreadable(err error) *Refusal {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &Refusal{http.StatusRequestTimeout, "the body did not arrive in time"}
	}
	return &Refusal{http.StatusBadRequest, "the body could not be read"}
}

func tooLarge() *Refusal {
	return &Refusal{http.StatusRequestEntityTooLarge, "the body is larger than 1 MiB"}
}

func busy() *Refusal {
	return &Refusal{http.StatusServiceUnavailable, "too many deliveries at once; send it again"}
}

// result is the metric's word for a refusal.
func (r *Refusal) result() string {
	switch r.Status {
	case http.StatusUnauthorized:
		return "unauthorized"
	case http.StatusRequestTimeout:
		return "timeout"
	case http.StatusRequestEntityTooLarge:
		return "too_large"
	case http.StatusServiceUnavailable:
		return "busy"
	}
	return "invalid"
}

// answer writes the response; a refusal is plain text for the sender's log.
func (d *receiver) answer(w http.ResponseWriter, typ, result string, started time.Time, refusal *Refusal) {
	if refusal == nil {
		w.WriteHeader(http.StatusAccepted)
	} else {
		if refusal.Status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "5")
		}
		http.Error(w, refusal.Text, refusal.Status)
	}
	d.Metrics.observe(typ, result, time.Since(started))
}
