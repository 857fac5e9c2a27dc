package portal

import (
	"context"
	"errors"
	"net/http"
	"time"

	"fulfilld/grant"
)

// cookie is the session's name. With https its prefix has browsers keep it to
// this host and to secure connections.
func (s *site) cookie() string {
	if s.Secure {
		return "__Host-fulfilld"
	}
	return "fulfilld"
}

// enter takes the link's token into a cookie, so that it is in no address from
// then on.
func (s *site) enter(w http.ResponseWriter, r *http.Request) {
	token := r.PathValue("token")
	session, err := s.Sessions.Open(r.Context(), token)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.keep(w, token, time.Until(session.Until))
	goTo(w, "../")
}

// goTo sends the browser to another address, relative to this one: a proxy may
// have put a path before ours.
func goTo(w http.ResponseWriter, address string) {
	w.Header().Set("Location", address)
	w.WriteHeader(http.StatusSeeOther)
}

func (s *site) keep(w http.ResponseWriter, token string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: s.cookie(), Value: token, Path: "/", MaxAge: int(life.Seconds()),
		Secure: s.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func (s *site) leave(w http.ResponseWriter, _ *http.Request) {
	s.keep(w, "", -time.Second)
	s.say(w, http.StatusOK, message{"You have left", "The link you came by works until it expires."})
}

// visitor is whose session the request belongs to.
func (s *site) visitor(r *http.Request) (Session, grant.Customer, error) {
	c, err := r.Cookie(s.cookie())
	if err != nil {
		return Session{}, grant.Customer{}, ErrNoSession
	}
	session, err := s.Sessions.Open(r.Context(), c.Value)
	if err != nil {
		return session, grant.Customer{}, err
	}
	customer, err := Visitor(r.Context(), s.Purchases, session)
	return session, customer, err
}

// People are who may have sessions.
type People interface {
	Customer(ctx context.Context, id string) (grant.Customer, error)
	Member(ctx context.Context, id string) (grant.Member, error)
}

// Visitor is the customer whose session it is. It fails with ErrNoSession for
// nobody, and for whoever is deleted: the customer, or the member.
func Visitor(ctx context.Context, p People, s Session) (grant.Customer, error) {
	c, err := p.Customer(ctx, s.CustomerID)
	if err == nil && s.MemberID != "" {
		var m grant.Member
		if m, err = p.Member(ctx, s.MemberID); err == nil && (m.CustomerID != c.ID || !m.DeletedAt.IsZero()) {
			err = ErrNoSession
		}
	}
	if errors.Is(err, grant.ErrNotFound) || err == nil && !c.DeletedAt.IsZero() {
		err = ErrNoSession
	}
	return c, err
}
