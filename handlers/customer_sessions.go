package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"fulfilld/grant"
	"fulfilld/handlers/portal"
)

// Sessions make the links by which customers see their purchases.
type Sessions struct {
	Make func(ctx context.Context, s portal.Session) (token string, err error)
	Life time.Duration
	URL  string // of the public listener as customers see it; empty when nobody has said
}

// buyers are who may be sent to the page.
type buyers interface {
	portal.People
	CustomerByExternalID(ctx context.Context, id string) (grant.Customer, error)
	MembersOf(ctx context.Context, customer string) ([]grant.Member, error)
}

func sessionRoutes(l buyers, s Sessions) map[string]route {
	return map[string]route{"POST /v1/customer-sessions/{$}": {[]string{"customer_sessions:write"}, makeSession(l, s)}}
}

// sessionItem is the platform's CustomerSession.
type sessionItem struct {
	CreatedAt  stamp  `json:"created_at"`
	ModifiedAt stamp  `json:"modified_at"`
	ID         string `json:"id"`
	Token      string `json:"token"`
	ExpiresAt  stamp  `json:"expires_at"`
	ReturnURL  text   `json:"return_url"`
	PortalURL  string `json:"customer_portal_url"`
	CustomerID string `json:"customer_id"`
	Customer   any    `json:"customer"`
}

// makeSession answers a link that is good for a while.
func makeSession(l buyers, s Sessions) endpoint {
	return func(r *http.Request) (any, error) {
		f, err := formOf(r)
		if err != nil {
			return nil, err
		}
		f.only("customer_id", "external_customer_id", "customer_external_id", "member_id", "external_member_id", "return_url")
		asked := portal.Session{MemberID: f.id("member_id", true), ReturnURL: returnURL(f)}
		if f.has("external_member_id") {
			f.text("external_member_id")
		}
		c, err := customerIn(r.Context(), f, l)
		if err != nil {
			return nil, err
		}
		asked.CustomerID = c.ID
		if asked.MemberID, err = memberIn(r.Context(), f, l, asked); err != nil {
			return nil, err
		}
		if s.URL == "" {
			return nil, &apiError{status: http.StatusBadRequest, Name: "NoPublicURL", Detail: "public_url is not set in the config, so there is no address that customers could open."}
		}
		now := time.Now()
		asked.Until = now.Add(s.Life)
		token, err := s.Make(r.Context(), asked)
		return answer{status: http.StatusCreated, body: sessionItem{
			CreatedAt: stamp(now), ID: uuid.NewString(), Token: token, ExpiresAt: stamp(asked.Until), ReturnURL: text(asked.ReturnURL),
			PortalURL: s.URL + portal.Prefix + "/enter/" + token, CustomerID: c.ID, Customer: customerItem(c),
		}}, err
	}
}

// maxReturnURL keeps a session's token small enough for a cookie.
const maxReturnURL = 1000

func returnURL(f *form) string {
	if !f.has("return_url") {
		return ""
	}
	address := f.text("return_url")
	if len(address) > maxReturnURL {
		f.refuse("return_url", "string_too_long", "String should have at most 1000 characters", address, map[string]any{"max_length": maxReturnURL})
	}
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		f.refuse("return_url", "url_parsing", "Input should be a valid URL", address, nil)
	}
	return address
}

// customerIn finds the customer that a body names, by one of two ids.
func customerIn(ctx context.Context, f *form, l buyers) (c grant.Customer, err error) {
	const byID = "customer_id"
	name, id, external := byID, "", ""
	for _, other := range []string{"customer_external_id", "external_customer_id"} { // the first is the platform's word of old
		if f.has(other) && !f.has(byID) {
			name, external = other, f.text(other)
		}
	}
	if name == byID {
		f.require(byID)
		id = f.id(byID, false)
	}
	if err := f.err(); err != nil {
		return c, err
	}
	if external != "" {
		c, err = l.CustomerByExternalID(ctx, external)
	} else {
		c, err = l.Customer(ctx, id)
	}
	if publicError(err).status == http.StatusNotFound || err == nil && !c.DeletedAt.IsZero() {
		f.refuse(name, "value_error", "Customer does not exist.", id+external, nil)
		return c, f.err()
	}
	return c, err
}

// memberIn finds the member that a body names, by one of two ids; none where it names
// none. Where it names both they must be one member's: a session never opens more
// than was asked for.
func memberIn(ctx context.Context, f *form, l buyers, asked portal.Session) (id string, err error) {
	const byID, byExternal, nobody = "member_id", "external_member_id", "Member does not exist for this customer."
	if asked.MemberID != "" {
		if _, err := portal.Visitor(ctx, l, asked); errors.Is(err, portal.ErrNoSession) {
			f.refuse(byID, "value_error", nobody, asked.MemberID, nil)
			return "", f.err()
		} else if err != nil {
			return "", err
		}
	}
	if !f.has(byExternal) {
		return asked.MemberID, nil
	}
	external := f.text(byExternal)
	all, err := l.MembersOf(ctx, asked.CustomerID)
	if err != nil {
		return "", err
	}
	for _, m := range all {
		if externalIDOf(m) == external && external != "" && (asked.MemberID == "" || asked.MemberID == m.ID) {
			return m.ID, nil
		}
	}
	f.refuse(byExternal, "value_error", nobody, external, nil)
	return "", f.err()
}

// externalIDOf is the merchant's own id of a member; empty where they have none.
func externalIDOf(m grant.Member) string {
	var body struct {
		ExternalID string `json:"external_id"`
	}
	_ = json.Unmarshal(m.Body, &body) // the platform's own
	return body.ExternalID
}
