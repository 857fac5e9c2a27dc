// Package portal is the page on which customers see what they have bought and
// what has come of it: their keys, files and invitations, and what they have to
// do themselves. It is rendered here and needs no script.
//
// It knows what a customer may see and how to say it. It must not know SQL, nor
// how any kind is fulfilled.
package portal

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"fulfilld/grant"
)

// Prefix is where the page is mounted.
const Prefix = "/customer"

const (
	answerWithin = 20 * time.Second
	mostGrants   = 100 // on one page; more are counted
)

// Session is whose page it is: a customer's, or that of one member of theirs.
type Session struct {
	CustomerID string
	MemberID   string // empty: all that is the customer's
	ReturnURL  string // where they came from; may be empty
	Until      time.Time
}

// Sessions open the tokens that links carry.
type Sessions interface {
	// Open returns ErrNoSession for a token that is forged or expired.
	Open(ctx context.Context, token string) (Session, error)
}

// ErrNoSession is what a token that opens nothing comes to.
var ErrNoSession = errors.New("portal: no such session, or it is over")

// Purchases are what the page shows.
type Purchases interface {
	Customer(ctx context.Context, id string) (grant.Customer, error)
	Member(ctx context.Context, id string) (grant.Member, error)
	Grant(ctx context.Context, id string) (grant.View, error)
	Grants(ctx context.Context, f grant.GrantFilter, p grant.Page) ([]grant.View, int64, error)
}

// Keys are the license keys among it.
type Keys interface {
	LicenseKeyOf(ctx context.Context, fulfilmentID string) (grant.LicenseKey, error)
	Activations(ctx context.Context, keyID string) ([]grant.Activation, error)
	// DeactivateKey fails with a grant.KeyRefusal when there is no such activation.
	DeactivateKey(ctx context.Context, u grant.KeyUse) error
}

// File is one to download.
type File struct {
	Name string
	Size int64
	URL  string
}

// Options is what the page is made of.
type Options struct {
	Sessions  Sessions
	Purchases Purchases
	Keys      Keys

	// Files makes the links to a grant's files.
	Files func(ctx context.Context, v grant.View) ([]File, error)

	// Admin reports whether the customer may end activations, by the parameters
	// that the license key was issued with.
	Admin func(applied json.RawMessage) bool

	Name    string // of the shop; may be empty
	Support string // where to ask, an https or mailto URL; may be empty
	Secure  bool   // customers come by https
	Log     *slog.Logger
}

// Handler serves everything below Prefix.
func Handler(o Options) http.Handler {
	s := &site{o}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Prefix+"/enter/{token}", s.enter)
	mux.HandleFunc("GET "+Prefix+"/{$}", s.overview)
	mux.HandleFunc("POST "+Prefix+"/keys/{fulfilment}/devices/{activation}/end", s.end)
	mux.HandleFunc("POST "+Prefix+"/leave", s.leave)
	mux.HandleFunc(Prefix+"/", func(w http.ResponseWriter, _ *http.Request) {
		s.say(w, http.StatusNotFound, message{"There is nothing here", "The address is not complete, or not right."})
	})
	return guarded(mux)
}

// guarded keeps the page from being framed, sniffed, cached and leaked, and lets
// nobody else's page post to it.
func guarded(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(http.MaxBytesHandler(next, 4<<10))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-Robots-Tag", "noindex")
		ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

type site struct{ Options }

// fail answers an error; what happened is for the log.
func (s *site) fail(w http.ResponseWriter, r *http.Request, err error) {
	var refusal *grant.KeyRefusal
	switch {
	case errors.Is(err, ErrNoSession):
		s.say(w, http.StatusUnauthorized, message{"This link is no longer valid", "Links to this page are good for a while only. Ask for a new one where you got it."})
	case errors.Is(err, grant.ErrNotFound), errors.As(err, &refusal):
		s.say(w, http.StatusNotFound, message{"There is nothing here", "It may have ended meanwhile."})
	case r.Context().Err() != nil && !errors.Is(r.Context().Err(), context.DeadlineExceeded): // nobody is left to tell
	default:
		s.Log.ErrorContext(r.Context(), "customer page failed", slog.String("route", r.Pattern), slog.Any("err", err))
		s.say(w, http.StatusInternalServerError, message{"That did not work", "Try again in a few minutes. Nothing of yours is lost."})
	}
}
