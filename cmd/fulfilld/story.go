package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"fulfilld/grant"
	"fulfilld/polar"
)

// story is the demo's plot: real signed events, sent over real HTTP.
type story struct {
	url, secret string
	board       *board
	world       *world
	again       func(ctx context.Context, grantID string) error // look at once whether a person has acted
	start       time.Time
}

// buyer is one of the story's people, with the grant they end up with.
type buyer struct {
	name, email              string
	customer, grant, benefit string
	ends                     grant.State
}

func newBuyer(name, email string, ends grant.State) buyer {
	return buyer{name, email, uuid.NewString(), uuid.NewString(), "", ends}
}

var (
	ada      = newBuyer("Ada Lovelace", "ada@example.com", grant.Granted)
	grace    = newBuyer("Grace Hopper", "grace@example.com", grant.Granted)
	linus    = newBuyer("Linus Berg", "linus@example.com", grant.Revoked)
	margaret = newBuyer("Margaret Hill", "margaret@example.com", grant.Revoked)
	edsger   = newBuyer("Edsger Visser", "edsger@example.com", grant.Granted)
	niklaus  = newBuyer("Niklaus Keller", "niklaus@example.com", grant.Granted)
	kathrin  = newBuyer("Kathrin Johnsen", "kathrin@example.com", grant.Revoked)
	barbara  = newBuyer("Barbara Stein", "barbara@example.com", grant.Revoked)
	alan     = newBuyer("Alan Weber", "alan@example.com", grant.Granted)
	radia    = newBuyer("Radia Novak", "radia@example.com", grant.Granted)
)

// beat is one event of the story. Template names an example body; At is when
// the shop says it happened, in seconds of the story: it decides, not the order
// of arrival. Acts is what a person does, instead of an event.
type beat struct {
	says     string
	buyer    buyer
	template string
	kind     string
	at       int
	twice    bool
	acts     func(*world, context.Context) error
}

var plot = []beat{
	{"Ada buys a license by subscription", ada, "benefit_grant.created", "license_keys", 1, false, nil},
	{"Ada's event is delivered a second time", ada, "benefit_grant.created", "license_keys", 1, true, nil},
	{"Grace buys one, too", grace, "benefit_grant.created", "license_keys", 2, false, nil},
	{"Linus buys one", linus, "benefit_grant.created", "license_keys", 3, false, nil},
	{"Margaret's refund arrives before her purchase …", margaret, "benefit_grant.revoked", "license_keys", 9, false, nil},
	{"… and then the purchase, which is older", margaret, "benefit_grant.created", "license_keys", 4, false, nil},
	{"Ada's subscription renews", ada, "benefit_grant.cycled", "license_keys", 10, false, nil},
	{"Linus cancels", linus, "benefit_grant.revoked", "license_keys", 11, false, nil},
	{"Niklaus buys access to a repository", niklaus, "benefit_grant.created", "github_repository", 5, false, nil},
	{"Barbara buys a Discord role, and is not on the server yet", barbara, "benefit_grant.created", "discord", 6, false, nil},
	{"Alan buys 1,000 API credits a month", alan, "benefit_grant.created", "meter_credit", 6, false, nil},
	{"Radia buys a plan with a feature flag", radia, "benefit_grant.created", "feature_flag", 6, false, nil},
	{"Alan's program uses 250 credits", alan, "", "", 0, false, (*world).useCredits},
	{"Niklaus accepts his invitation", niklaus, "", "", 0, false, (*world).acceptInvitation},
	{"Barbara joins by hers", barbara, "", "", 0, false, (*world).joinServer},
	{"Alan's subscription renews, and his credits are refilled", alan, "benefit_grant.cycled", "meter_credit", 12, false, nil},
	{"Kathrin books a call, which your own server sees to", kathrin, "benefit_grant.created", "custom", 8, false, nil},
	{"Kathrin is refunded", kathrin, "benefit_grant.revoked", "custom", 13, false, nil},
	{"Edsger buys a download, before its files are there", edsger, "benefit_grant.created", "downloadables", 7, false, nil},
	{"The merchant puts them", edsger, "", "", 0, false, (*world).putFiles},
	{"Barbara cancels", barbara, "benefit_grant.revoked", "discord", 12, false, nil},
}

// play sends the events one after another, slowly enough to watch.
func (s *story) play(ctx context.Context) error {
	s.start = time.Now().Add(-time.Minute)
	var last []byte
	var lastID string
	for _, b := range plot {
		s.board.about(b.says, b.buyer.grant)
		if b.acts != nil {
			if err := s.act(ctx, b); err != nil {
				return fmt.Errorf("%s: %w", b.says, err)
			}
			continue
		}
		body, id := last, lastID
		if !b.twice {
			var err error
			if body, err = s.body(b); err != nil {
				return fmt.Errorf("%s: %w", b.says, err)
			}
			id = uuid.NewString()
		}
		status, answer, err := send(ctx, s.url, s.secret, "auto", id, body)
		if err != nil {
			return err
		}
		if status != http.StatusAccepted {
			return fmt.Errorf("%s: answered %d %s", b.says, status, answer)
		}
		last, lastID = body, id
		select {
		case <-time.After(400 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// act has a person do something, and the daemon look at once.
func (s *story) act(ctx context.Context, b beat) error {
	if err := b.acts(s.world, ctx); err != nil {
		return err
	}
	if err := s.again(ctx, b.buyer.grant); err != nil {
		return err
	}
	return s.board.is(ctx, b.buyer.grant, grant.Granted)
}

func (s *story) body(b beat) ([]byte, error) {
	template, err := polar.Template(b.template, b.kind)
	if b.template == "benefit_grant.cycled" { // the example of a renewal is another kind's; what it is about is not
		template, err = polar.Template("benefit_grant.created", b.kind)
	}
	if err != nil {
		return nil, err
	}
	return polar.Personalise(template, polar.Personal{
		Type: b.template, CustomerID: b.buyer.customer, Name: b.buyer.name, Email: b.buyer.email, GrantID: b.buyer.grant,
		At: s.start.Add(time.Duration(b.at) * time.Second),
	})
}

// ends is what each grant must come to.
func (s *story) ends() map[string]grant.State {
	out := map[string]grant.State{}
	for _, b := range plot {
		out[b.buyer.grant] = b.buyer.ends
	}
	return out
}
