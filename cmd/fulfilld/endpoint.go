package main

import (
	"errors"
	"net/http"
	"time"

	"fulfilld/config"
	"fulfilld/grant"
	"fulfilld/handlers"
	"fulfilld/internal/alarm"
	"fulfilld/polar"
)

// source names the endpoint in the ledger.
const source = "polar"

// polarEndpoint verifies and reads Polar's deliveries for the receiver.
func polarEndpoint(cfg *config.Config, alarms *alarm.Board) (func([]byte, http.Header) (grant.Event, *handlers.Refusal), error) {
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
		switch {
		case errors.Is(err, polar.ErrNoEnvelope):
			return grant.Event{}, &handlers.Refusal{Status: http.StatusBadRequest, Text: err.Error()}
		case err != nil:
			return grant.Event{}, &handlers.Refusal{Status: http.StatusUnauthorized, Text: err.Error()}
		}
		typ, at, ok := polar.EventType(body)
		if !ok && polar.ChatFormat(body) {
			alarms.Raise("webhook_format", "the endpoint sends chat messages, not events; they are kept, but nothing is fulfilled by them",
				"Set the endpoint's format to raw in Polar.")
			typ, ok = "chat", true
		}
		if !ok {
			return grant.Event{}, &handlers.Refusal{Status: http.StatusBadRequest, Text: "the body is not an event: a JSON object with a type"}
		}
		return grant.Event{Source: source, ID: delivery.ID, Type: typ, OccurredAt: at, Body: polar.StripSecrets(body)}, nil
	}, nil
}
