package portal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"fulfilld/internal/signed"
)

// Tokens are sessions of which nothing is stored: their tokens say it all.
type Tokens struct{ Keys signed.Keys }

type said struct {
	Customer string `json:"customer"`
	Member   string `json:"member,omitempty"`
	Return   string `json:"return,omitempty"`
}

// Make returns a session's token.
func (t Tokens) Make(ctx context.Context, s Session) (string, error) {
	text, err := json.Marshal(said{s.CustomerID, s.MemberID, s.ReturnURL})
	if err != nil {
		return "", err
	}
	return signed.Seal(ctx, t.Keys, text, s.Until)
}

// Open implements Sessions.
func (t Tokens) Open(ctx context.Context, token string) (Session, error) {
	text, until, err := signed.Open(ctx, t.Keys, token)
	if errors.Is(err, signed.ErrForged) || errors.Is(err, signed.ErrExpired) {
		return Session{}, fmt.Errorf("%w: %w", ErrNoSession, err)
	}
	if err != nil {
		return Session{}, fmt.Errorf("portal: keys of sessions: %w", err)
	}
	var s said
	if json.Unmarshal(text, &s) != nil || s.Customer == "" || !time.Now().Before(until) {
		return Session{}, ErrNoSession
	}
	return Session{CustomerID: s.Customer, MemberID: s.Member, ReturnURL: s.Return, Until: until}, nil
}
