package main

import (
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"fulfilld/config"
	"fulfilld/grant"
	"fulfilld/handlers"
	"fulfilld/internal/alarm"
	"fulfilld/polar"
)

// source names the endpoint in the ledger.
const source = "polar"

// quietFor is how long no delivery may be good while others are refused, before
// somebody should know. Anybody can send what is refused.
const quietFor = 10 * time.Minute

// door knows when the last delivery was good.
type door struct {
	alarms *alarm.Board
	good   atomic.Int64 // Unix nanoseconds; 0: none since the start
}

func (d *door) accepted() { d.good.Store(time.Now().UnixNano()) }

// refused raises the alarm for a delivery that looks like one and is not let in.
func (d *door) refused(err error) *handlers.Refusal {
	if !errors.Is(err, polar.ErrNoEnvelope) && time.Since(time.Unix(0, d.good.Load())) > quietFor {
		d.alarms.Raise("webhooks_refused", "webhooks are refused ("+err.Error()+"), and none has been good for a while",
			"Compare webhooks.polar.secrets with the endpoint's page at Polar, and this machine's clock with the time. If neither is wrong, somebody else is knocking.")
	}
	return refusal(err)
}

// admitPolar looks at a delivery's headers before its body is waited for: all
// three must be there, and the time in them must be about now. Whether they are
// true, the signature tells later.
func admitPolar(tolerance time.Duration, d *door) func(http.Header) *handlers.Refusal {
	return func(h http.Header) *handlers.Refusal {
		sent, err := strconv.ParseInt(h.Get("Webhook-Timestamp"), 10, 64)
		switch {
		case err != nil || h.Get("Webhook-Id") == "" || h.Get("Webhook-Signature") == "":
			return d.refused(polar.ErrNoEnvelope)
		case time.Since(time.Unix(sent, 0)).Abs() > tolerance:
			return d.refused(polar.ErrTimestamp)
		}
		return nil
	}
}

func refusal(err error) *handlers.Refusal {
	if errors.Is(err, polar.ErrNoEnvelope) {
		return &handlers.Refusal{Status: http.StatusBadRequest, Text: err.Error()}
	}
	return &handlers.Refusal{Status: http.StatusUnauthorized, Text: err.Error()}
}

// polarEndpoint verifies and reads Polar's deliveries for the receiver.
func polarEndpoint(cfg *config.Config, d *door) (func([]byte, http.Header) (grant.Event, *handlers.Refusal), error) {
	var secrets []string
	for _, s := range cfg.Webhooks.Polar.Secrets {
		secrets = append(secrets, s.Reveal())
	}
	verifier, err := polar.NewVerifier(secrets, cfg.Webhooks.Polar.Tolerance, time.Now)
	if err != nil {
		return nil, err
	}
	return func(body []byte, h http.Header) (grant.Event, *handlers.Refusal) {
		delivery, err := verifier.Verify(body, h)
		if err != nil {
			return grant.Event{}, d.refused(err)
		}
		d.accepted()
		typ, at, ok := polar.EventType(body)
		if !ok && polar.ChatFormat(body) {
			d.alarms.Raise("webhook_format", "the endpoint sends chat messages, not events; they are kept, but nothing is fulfilled by them",
				"Set the endpoint's format to raw in Polar.")
			typ, ok = "chat", true
		}
		if !ok {
			return grant.Event{}, &handlers.Refusal{Status: http.StatusBadRequest, Text: "the body is not an event: a JSON object with a type"}
		}
		return grant.Event{Source: source, ID: delivery.ID, Type: typ, OccurredAt: at, Body: polar.StripSecrets(body)}, nil
	}, nil
}
