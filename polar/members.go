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

func memberOf(text json.RawMessage, sent time.Time) (grant.Member, error) {
	var w wireMember
	if err := json.Unmarshal(text, &w); err != nil {
		return grant.Member{}, mend(err)
	}
	return grant.Member{ID: string(w.ID), CustomerID: string(w.CustomerID), Body: kept(text), Version: w.version(sent)}, need("id", w.ID)
}

// memberEvent reads member.*. The body of a deletion does not say so: its name
// does, and its time is the envelope's.
func memberEvent(ev grant.Event) (grant.News, error) {
	return read(func(text json.RawMessage, sent time.Time) (grant.News, error) {
		m, err := memberOf(text, sent)
		if ev.Type == "member.deleted" {
			m.DeletedAt = sent
		}
		return grant.News{Members: []grant.Member{m}}, err
	})(ev)
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
	if err := need("id", w.ID); err != nil {
		return grant.News{}, err
	}
	news := grant.News{Members: embedded(w.Member, sent, memberOf)}
	member := string(w.MemberID)
	if member == "" && len(news.Members) > 0 {
		member = news.Members[0].ID
	}
	v := w.version(sent)
	v.At = grant.Latest(v.At, w.RevokedAt.Time)
	news.Seats = []grant.Seat{{
		ID: string(w.ID), SubscriptionID: string(w.SubscriptionID), OrderID: string(w.OrderID), MemberID: member,
		Status: w.Status, RevokedAt: w.RevokedAt.Time, Version: v,
	}}
	return news, nil
}
