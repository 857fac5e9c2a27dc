package polar

import (
	"encoding/json"
	"time"

	"fulfilld/grant"
)

type wireMember struct {
	common
	CustomerID key `json:"customer_id"`
}

func memberOf(text json.RawMessage, path string, sent time.Time) (grant.Member, error) {
	var w wireMember
	if err := fill(text, path, &w); err != nil {
		return grant.Member{}, err
	}
	return grant.Member{ID: string(w.ID), CustomerID: string(w.CustomerID), Body: kept(text), Version: w.version(sent)},
		need(path, id{"id", w.ID}, id{"customer_id", w.CustomerID})
}

// memberEvent reads member.*. The body of a deletion does not say so: its name
// does, and its time is the envelope's.
func memberEvent(ev grant.Event) (grant.News, error) {
	if ev.Type == "member.deleted" {
		return read(memberGone)(ev)
	}
	return read(memberNews)(ev)
}

func memberNews(text json.RawMessage, sent time.Time) (grant.News, error) {
	m, err := memberOf(text, "data", sent)
	return grant.News{Members: []grant.Member{m}}, err
}

func memberGone(text json.RawMessage, sent time.Time) (grant.News, error) {
	m, err := memberOf(text, "data", sent)
	m.DeletedAt, m.Version.At = sent, grant.Latest(m.Version.At, sent)
	return grant.News{Members: []grant.Member{m}}, err
}

type wireSeat struct {
	common
	SubscriptionID key             `json:"subscription_id"`
	OrderID        key             `json:"order_id"`
	Status         string          `json:"status"`
	MemberID       key             `json:"member_id"`
	Member         json.RawMessage `json:"member"`
	RevokedAt      stamp           `json:"revoked_at"`
}

// seatNews reads customer_seat.*: a revoked seat's member_id is null, and its
// member may be.
func seatNews(w wireSeat, sent time.Time) (grant.News, error) {
	news := grant.News{Members: embedded(w.Member, sent, memberOf)}
	s := grant.Seat{
		ID: string(w.ID), SubscriptionID: string(w.SubscriptionID), OrderID: string(w.OrderID), MemberID: string(w.MemberID),
		Status: plain(w.Status), RevokedAt: w.RevokedAt.Time, Version: w.version(sent, w.RevokedAt.Time),
	}
	if s.MemberID == "" && len(news.Members) > 0 {
		s.MemberID = news.Members[0].ID
	}
	if s.Status == "revoked" && s.RevokedAt.IsZero() {
		s.RevokedAt = sent
	}
	news.Seats = []grant.Seat{s}
	return news, need("data", id{"id", w.ID})
}
