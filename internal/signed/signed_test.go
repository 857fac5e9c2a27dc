package signed

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// ring is keys in memory; the last signs.
type ring struct {
	ids  []string
	keys map[string][]byte
	err  error
}

func newRing(n int) *ring {
	r := &ring{keys: map[string][]byte{}}
	for range n {
		id := uuid.NewString()
		r.ids, r.keys[id] = append(r.ids, id), []byte("secret of "+id)
	}
	return r
}

func (r *ring) Current(context.Context) (string, []byte, error) {
	id := r.ids[len(r.ids)-1]
	return id, r.keys[id], r.err
}

func (r *ring) Find(_ context.Context, id string) ([]byte, error) { return r.keys[id], r.err }

func sealed(t *testing.T, k Keys, payload string, until time.Time) string {
	t.Helper()
	token, err := Seal(t.Context(), k, []byte(payload), until)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestATokenTellsItsPayload(t *testing.T) {
	r := newRing(2)
	until := time.Now().Add(time.Hour).Truncate(time.Second)
	for _, payload := range []string{"", "a payload"} {
		got, when, err := Open(t.Context(), r, sealed(t, r, payload, until))
		if string(got) != payload || !when.Equal(until) || err != nil {
			t.Errorf("%q: %q until %v, %v", payload, got, when, err)
		}
	}
}

func TestATokenSignedBeforeARotationIsGood(t *testing.T) {
	r := newRing(1)
	token := sealed(t, r, "p", time.Now().Add(time.Hour))
	more := newRing(1)
	more.keys[r.ids[0]] = r.keys[r.ids[0]]
	if _, _, err := Open(t.Context(), more, token); err != nil {
		t.Error(err)
	}
	if _, _, err := Open(t.Context(), newRing(1), token); !errors.Is(err, ErrForged) {
		t.Errorf("by a key that is forgotten: %v", err)
	}
}

func TestATokenIsGoodForItsTime(t *testing.T) {
	r := newRing(1)
	if _, _, err := Open(t.Context(), r, sealed(t, r, "p", time.Now())); !errors.Is(err, ErrExpired) {
		t.Errorf("at its end: %v", err)
	}
	if _, _, err := Open(t.Context(), r, sealed(t, r, "p", time.Now().Add(2*time.Second))); err != nil {
		t.Errorf("before its end: %v", err)
	}
}

func TestEveryChangedCharacterIsForged(t *testing.T) {
	r := newRing(1)
	token := sealed(t, r, "payload", time.Now().Add(time.Hour))
	for i := range token {
		for _, other := range "Az0-_.=" {
			changed := token[:i] + string(other) + token[i+1:]
			if _, _, err := Open(t.Context(), r, changed); changed != token && !errors.Is(err, ErrForged) {
				t.Fatalf("%q at %d: %v", other, i, err)
			}
		}
	}
	for _, text := range []string{"", "x", token + "A", token[1:], token + "=", "../" + token, token + "\n", strings.Replace(token, ".", ".\n", 1)} {
		if _, _, err := Open(t.Context(), r, text); !errors.Is(err, ErrForged) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestOnlyOurMethodAndATimeAreTaken(t *testing.T) {
	r := newRing(1)
	exp := time.Now().Add(time.Hour).Unix()
	for name, token := range map[string]*jwt.Token{
		"Unsigned":      jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"exp": exp}),
		"AnotherMethod": jwt.NewWithClaims(jwt.SigningMethodHS512, jwt.MapClaims{"exp": exp}),
		"NoEnd":         jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{}),
	} {
		token.Header["kid"] = r.ids[0]
		var key any = r.keys[r.ids[0]]
		if name == "Unsigned" {
			key = jwt.UnsafeAllowNoneSignatureType
		}
		text, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := Open(t.Context(), r, text); !errors.Is(err, ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeysThatCannotBeReadAreNoForgery(t *testing.T) {
	r := newRing(1)
	token := sealed(t, r, "p", time.Now().Add(time.Hour))
	r.err = errors.New("the ledger is away")
	if _, _, err := Open(t.Context(), r, token); !errors.Is(err, r.err) {
		t.Error(err)
	}
	if _, err := Seal(t.Context(), r, nil, time.Now()); !errors.Is(err, r.err) {
		t.Error(err)
	}
}

func FuzzOpenNeverTakesWhatWasNotSealed(f *testing.F) {
	r := newRing(1)
	f.Add("")
	f.Add("eyJhbGciOiJIUzI1NiJ9.e30.AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		if _, _, err := Open(t.Context(), r, token); !errors.Is(err, ErrForged) {
			t.Error(err)
		}
	})
}
