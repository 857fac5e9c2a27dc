// Package signed makes and reads tokens: a payload that anybody may read, until
// when it is good, and a signature by a key that rotates. They are JSON Web Tokens
// (RFC 7519) with HMAC-SHA-256.
//
// It knows neither where keys are kept nor what a payload means.
package signed

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// Keys are the keys of one purpose. A token of one purpose is forged for another.
type Keys interface {
	// Current returns the key to sign with, and its id, a UUID.
	Current(ctx context.Context) (id string, secret []byte, err error)

	// Find returns a key that may still verify; nil when there is none.
	Find(ctx context.Context, id string) (secret []byte, err error)
}

// Why a token is not good. Any other error is the keys'.
var (
	ErrForged  = errors.New("signed: no token of ours")
	ErrExpired = errors.New("signed: expired")
)

// method is the only one that is taken.
var method = jwt.SigningMethodHS256

type claims struct {
	jwt.RegisteredClaims
	Payload []byte `json:"payload"`
}

// Seal makes a token of a payload that is good until a time, to the second.
func Seal(ctx context.Context, k Keys, payload []byte, until time.Time) (string, error) {
	id, secret, err := k.Current(ctx)
	if err != nil {
		return "", err
	}
	token := jwt.NewWithClaims(method, claims{jwt.RegisteredClaims{ExpiresAt: jwt.NewNumericDate(until)}, payload})
	token.Header["kid"] = id
	return token.SignedString(secret)
}

// Open returns the payload of a token that is good, and until when. Nothing is
// known of a forged one; an expired one was good.
func Open(ctx context.Context, k Keys, token string) (payload []byte, until time.Time, err error) {
	var c claims
	var keyErr error
	find := func(t *jwt.Token) (any, error) {
		id, _ := t.Header["kid"].(string)
		var secret []byte
		if uuid.Validate(id) != nil { // whatever else a stranger writes is not looked up
			return nil, ErrForged
		}
		if secret, keyErr = k.Find(ctx, id); secret == nil {
			return nil, ErrForged
		}
		return secret, nil
	}
	if strings.ContainsAny(token, "\r\n") { // which the decoder overlooks
		return nil, until, ErrForged
	}
	_, err = jwt.ParseWithClaims(token, &c, find, jwt.WithValidMethods([]string{method.Alg()}), jwt.WithExpirationRequired(), jwt.WithStrictDecoding())
	switch {
	case keyErr != nil:
		return nil, until, keyErr
	case errors.Is(err, jwt.ErrTokenExpired): // its signature was looked at first
		return nil, c.ExpiresAt.Time, ErrExpired
	case err != nil:
		return nil, until, ErrForged
	}
	return c.Payload, c.ExpiresAt.Time, nil
}
