package fulfillertest

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"fulfilld/fulfillers"
)

const (
	wait     = 90 * time.Second // longer than the shortest pause a provider asks for
	deadline = 200 * time.Millisecond
	patience = 5 * time.Second // beyond the deadline, for a busy machine
)

// broken breaks the provider, first before anything was granted and then
// after, and hands what Grant and Revoke say to check. Afterwards the
// provider is healed and both must succeed.
func (s *stage) broken(t *testing.T, fault func(), check func(call string, err error)) {
	t.Helper()
	fault()
	_, err := s.Fulfiller.Grant(t.Context(), s.f)
	check("Grant", err)
	s.Faults.Heal()
	s.grant(t)

	fault()
	check("Revoke", s.Fulfiller.Revoke(t.Context(), s.owed(false)))
	s.Faults.Heal()
	s.revoke(t)
	s.wantCount(t, 0)
}

func serverError(t *testing.T, s *stage) {
	if s.Faults.ServerError == nil {
		t.Fatal("the harness must set Faults.ServerError; the store of a local kind can fail")
	}
	s.broken(t, s.Faults.ServerError, func(call string, err error) {
		wantClass(t, call, err, fulfillers.ClassTransient)
	})
}

func tooManyRequests(t *testing.T, s *stage) {
	s.require(t, s.Faults.TooManyRequests != nil, "TooManyRequests")
	s.broken(t, func() { s.Faults.TooManyRequests(wait) }, func(call string, err error) {
		e := wantClass(t, call, err, fulfillers.ClassThrottled)
		if e.Wait < wait || e.Wait > wait+time.Minute {
			t.Errorf("%s: waits %v, the provider asked for %v", call, e.Wait, wait)
		}
		if e.Lane == "" {
			t.Errorf("%s: names no lane that must rest", call)
		}
	})
}

func hang(t *testing.T, s *stage) {
	s.require(t, s.Faults.Hang != nil, "Hang")
	s.Faults.Hang()
	returnsInTime(t, "Grant", func(ctx context.Context) error {
		_, err := s.Fulfiller.Grant(ctx, s.f)
		return err
	})
	s.Faults.Heal()
	s.grant(t)

	s.Faults.Hang()
	returnsInTime(t, "Revoke", func(ctx context.Context) error { return s.Fulfiller.Revoke(ctx, s.owed(false)) })
	s.Faults.Heal()
	s.revoke(t)
	s.wantCount(t, 0)
}

func returnsInTime(t *testing.T, call string, do func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- do(ctx) }()
	select {
	case err := <-done:
		wantClass(t, call, err, fulfillers.ClassTransient)
	case <-time.After(deadline + patience):
		t.Fatalf("%s: did not return, the deadline was %v", call, deadline)
	}
}

// malformed wants an answer that cannot be read to count as no answer.
func malformed(t *testing.T, s *stage) {
	if s.Faults.Malformed == nil {
		t.Skip("the kind reads no bodies")
	}
	s.broken(t, s.Faults.Malformed, func(call string, err error) {
		if err != nil || call == "Grant" || s.Count() > 0 {
			wantClass(t, call, err, fulfillers.ClassTransient)
		}
	})
}

// noSecret provokes every error the harness can show, and reads the chain of
// causes too: any part of it may be printed.
func noSecret(t *testing.T, s *stage) {
	clean := func(call string, err error) {
		for ; err != nil; err = errors.Unwrap(err) {
			s.wantNoSecret(t, call, err.Error())
		}
	}
	for _, params := range s.Bad {
		clean("Check", s.Fulfiller.Check(json.RawMessage(params)))
	}
	for _, fault := range s.Faults.all() {
		s.broken(t, fault, clean)
		s.wantNoSecret(t, "Properties", text(t, s.f.Properties))
	}
}

func (s *stage) wantNoSecret(t *testing.T, where, text string) {
	t.Helper()
	secrets := []string{s.f.Customer.Email}
	if s.Secrets != nil {
		secrets = append(secrets, s.Secrets()...)
	}
	for _, secret := range secrets {
		if secret != "" && strings.Contains(text, secret) {
			t.Errorf("%s: names the secret %q: %s", where, secret, text)
		}
	}
}

// all returns the faults that answer at once.
func (f Faults) all() []func() {
	var all []func()
	for _, fault := range []func(){f.ServerError, f.Malformed} {
		if fault != nil {
			all = append(all, fault)
		}
	}
	if f.TooManyRequests != nil {
		all = append(all, func() { f.TooManyRequests(wait) })
	}
	return all
}
