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
	maxBody      = 1 << 20         // the platform's largest bodies are some kilobytes
	maxInFlight  = 512             // beyond, senders are asked to come back
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
	// Open verifies a delivery and reads its envelope, from the raw bytes.
	Open func(body []byte, h http.Header) (grant.Event, *Refusal)
	// Accepted is told of every event that is new. It must not block.
	Accepted func()
	// Reused is told of a known id that came with another body.
	Reused  func(ev grant.Event)
	Metrics *WebhookMetrics
	Log     *slog.Logger
}

// Webhook receives signed events and answers 202 once they are durable.
func Webhook(o WebhookOptions) http.Handler {
	slots := make(chan struct{}, maxInFlight)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			o.answer(w, "", "busy", started, &Refusal{http.StatusServiceUnavailable, "too many deliveries at once; send it again"})
			return
		}
		typ, result, refusal := o.receive(w, r)
		o.answer(w, typ, result, started, refusal)
	})
}

// receive takes one delivery in: read, verify, commit.
func (o WebhookOptions) receive(w http.ResponseWriter, r *http.Request) (typ, result string, refusal *Refusal) {
	body, refusal := readBody(w, r)
	if refusal != nil {
		return "", refusal.result(), refusal
	}
	ev, refusal := o.Open(body, r.Header)
	if refusal != nil {
		return "", refusal.result(), refusal
	}
	ev.ReceivedAt = time.Now().UTC()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), commitWithin)
	defer cancel()
	got, err := o.Store.Accept(ctx, ev)
	if err != nil {
		o.Log.Error("webhook not committed; the sender is asked to come back", slog.String("event", ev.ID), slog.String("type", ev.Type), slog.Any("err", err))
		return ev.Type, "failed", &Refusal{http.StatusServiceUnavailable, "not committed; send it again"}
	}
	switch got {
	case grant.Accepted:
		o.Accepted()
	case grant.Conflict:
		o.Reused(ev)
	}
	return ev.Type, string(got), nil
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *Refusal) {
	if r.ContentLength > maxBody {
		return nil, &Refusal{http.StatusRequestEntityTooLarge, "the body is larger than 1 MiB"}
	}
	body := make([]byte, 0, max(r.ContentLength, 0)+512)
	reader := http.MaxBytesReader(w, r.Body, maxBody)
	for {
		n, err := reader.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		var large *http.MaxBytesError
		switch {
		case err == io.EOF:
			return body, nil
		case errors.As(err, &large):
			return nil, &Refusal{http.StatusRequestEntityTooLarge, "the body is larger than 1 MiB"}
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, &Refusal{http.StatusRequestTimeout, "the body did not arrive in time"}
		case err != nil:
			return nil, &Refusal{http.StatusBadRequest, "the body could not be read"}
		}
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
	}
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
	}
	return "invalid"
}

// answer writes the response; a refusal is plain text for the sender's log.
func (o WebhookOptions) answer(w http.ResponseWriter, typ, result string, started time.Time, refusal *Refusal) {
	if refusal == nil {
		w.WriteHeader(http.StatusAccepted)
	} else {
		if refusal.Status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "5")
		}
		http.Error(w, refusal.Text, refusal.Status)
	}
	o.Metrics.observe(typ, result, time.Since(started))
}
