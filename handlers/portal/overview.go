package portal

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"fulfilld/grant"
)

// overview is the page.
func (s *site) overview(w http.ResponseWriter, r *http.Request) {
	session, customer, err := s.visitor(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p, err := s.gather(r.Context(), session)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p.Name = cmp.Or(customer.Name, customer.Email)
	if leadsOut(session.ReturnURL) {
		p.Back = session.ReturnURL
	}
	s.render(w, http.StatusOK, "overview", p)
}

// page is what the template shows.
type page struct {
	Name  string
	Back  string // where they came from
	Cards []card // what is owed, or about to be
	Ended []card
	More  int64 // grants that found no room
}

// card is one grant.
type card struct {
	Title string
	Parts []part
}

// part is one kind's share of a grant.
type part struct {
	Kind   string // for people
	State  string // a word
	Tone   string // good, busy, yours, bad or over: for the eye
	Text   string // what is happening, or is to be done
	Link   *link
	Note   string
	Key    *key
	Files  []File
	Facts  []fact
	ended  bool
	hidden bool
}

// link leads to where the customer goes on.
type link struct{ URL, Text string }

// fact is a line of a part.
type fact struct{ Name, Value string }

func (s *site) gather(ctx context.Context, session Session) (p page, err error) {
	all, total, err := s.grants(ctx, session)
	if err != nil {
		return p, err
	}
	p.More = total - int64(len(all))
	for _, v := range all {
		c, err := s.card(ctx, v)
		if err != nil {
			return p, err
		}
		switch {
		case len(c.Parts) == 0:
		case slices.ContainsFunc(c.Parts, func(p part) bool { return !p.ended }):
			p.Cards = append(p.Cards, c)
		default:
			p.Ended = append(p.Ended, c)
		}
	}
	return p, nil
}

// grants are the visitor's own.
func (s *site) grants(ctx context.Context, session Session) ([]grant.View, int64, error) {
	f := grant.GrantFilter{CustomerIDs: []string{session.CustomerID}}
	if session.MemberID != "" {
		f.MemberIDs = []string{session.MemberID}
	}
	return s.Purchases.Grants(ctx, f, grant.Page{Number: 1, Limit: mostGrants})
}

func (s *site) card(ctx context.Context, v grant.View) (card, error) {
	c := card{Title: cmp.Or(v.Benefit.Description, "Purchase")}
	for _, f := range v.Fulfilments {
		p, err := s.part(ctx, v, f)
		if err != nil {
			return c, err
		}
		if !p.hidden {
			c.Parts = append(c.Parts, p)
		}
	}
	return c, nil
}
