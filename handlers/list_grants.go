package handlers

import (
	"encoding/json"
	"net/http"
	"time"

	"fulfilld/grant"
)

func listGrants(l GrantList) endpoint {
	return func(r *http.Request) (any, error) {
		q := queryOf(r)
		f := grantFilter(q)
		f.OrganizationIDs, f.BenefitIDs = q.ids("organization_id"), q.ids("benefit_id")
		return grantsBy(r, l, q, f)
	}
}

// listBenefitGrants is the same for one benefit, which must be known.
func listBenefitGrants(b BenefitList, l GrantList) endpoint {
	return func(r *http.Request) (any, error) {
		id, err := pathID(r)
		if err != nil {
			return nil, err
		}
		q := queryOf(r)
		f := grantFilter(q)
		f.BenefitIDs = []string{id}
		if err := q.err(); err != nil {
			return nil, err
		}
		if _, err := b.Benefit(r.Context(), id); err != nil {
			return nil, err
		}
		return grantsBy(r, l, q, f)
	}
}

func grantFilter(q *query) grant.GrantFilter {
	return grant.GrantFilter{
		CustomerIDs: q.ids("customer_id"), ExternalCustomerIDs: q.texts("external_customer_id"), MemberIDs: q.ids("member_id"),
		Granted: q.truth("is_granted"), States: words(q, "state", grant.States[:]...),
		Sort: q.sorting("created_at", "granted_at", "revoked_at"),
	}
}

func grantsBy(r *http.Request, l GrantList, q *query, f grant.GrantFilter) (any, error) {
	p := q.page()
	if err := q.err(); err != nil {
		return nil, err
	}
	all, total, err := l.Grants(r.Context(), f, p)
	return listingOf(all, total, p, grantOf), err
}

// getGrant answers one grant with its journal and what it holds.
func getGrant(l GrantList) endpoint {
	return func(r *http.Request) (any, error) {
		id, err := pathID(r)
		if err != nil {
			return nil, err
		}
		return wholeGrant(r.Context(), l, id)
	}
}

// grantItem is the platform's BenefitGrant: is_granted, is_revoked and the two
// times are the shop's word. Behind it stands what has come of it here.
type grantItem struct {
	CreatedAt      stamp           `json:"created_at"`
	ModifiedAt     stamp           `json:"modified_at"`
	ID             string          `json:"id"`
	GrantedAt      stamp           `json:"granted_at"`
	IsGranted      bool            `json:"is_granted"`
	RevokedAt      stamp           `json:"revoked_at"`
	IsRevoked      bool            `json:"is_revoked"`
	SubscriptionID text            `json:"subscription_id"`
	OrderID        text            `json:"order_id"`
	CustomerID     string          `json:"customer_id"`
	MemberID       text            `json:"member_id"`
	BenefitID      string          `json:"benefit_id"`
	Error          json.RawMessage `json:"error"`
	Customer       json.RawMessage `json:"customer"`
	Member         json.RawMessage `json:"member"`
	Benefit        json.RawMessage `json:"benefit"`
	Properties     json.RawMessage `json:"properties"`

	State       grant.State      `json:"state"`      // the worst of the fulfilments'
	LastError   *lastError       `json:"last_error"` // of the worst of them that has one
	DueAt       stamp            `json:"due_at"`     // the next step of any
	Source      grant.Source     `json:"source"`
	Override    *override        `json:"override"` // the operator's word
	Fulfilments []fulfilmentItem `json:"fulfilments"`
}

type lastError struct {
	Class string `json:"class"`
	Code  string `json:"code"`
	Text  string `json:"text"`
}

type override struct {
	Desired grant.Desired `json:"desired"`
	Until   stamp         `json:"until"`
}

// fulfilmentItem is one kind's part of a grant.
type fulfilmentItem struct {
	ID         string          `json:"id"`
	Kind       string          `json:"kind"`
	State      grant.State     `json:"state"`
	Because    string          `json:"because"`
	Attempts   int             `json:"attempts"`
	Since      stamp           `json:"since"`
	DueAt      stamp           `json:"due_at"`
	DoneAt     stamp           `json:"done_at"`
	LastError  *lastError      `json:"last_error"`
	Properties json.RawMessage `json:"properties"`
	Holds      []holdItem      `json:"holds,omitempty"`
	Journal    []attemptItem   `json:"journal,omitempty"`
}

type attemptItem struct {
	Action       grant.Action `json:"action"`
	Error        *lastError   `json:"error"`
	Count        int64        `json:"count"`
	FirstAt      stamp        `json:"first_at"`
	LastAt       stamp        `json:"last_at"`
	Milliseconds int64        `json:"took_ms"`
}

func grantOf(v grant.View) grantItem {
	item := grantItem{
		CreatedAt: stamp(v.CreatedAt), ModifiedAt: stamp(v.ModifiedAt), ID: v.ID,
		GrantedAt: stamp(v.GrantedAt), IsGranted: v.Word == grant.SaysGranted,
		RevokedAt: stamp(v.RevokedAt), IsRevoked: v.Word == grant.SaysRevoked,
		SubscriptionID: text(v.SubscriptionID), OrderID: text(v.OrderID),
		CustomerID: v.CustomerID, MemberID: text(v.MemberID), BenefitID: v.BenefitID,
		Error: object(v.Error, "null"), Customer: object(v.Customer.Body, "null"), Member: json.RawMessage("null"),
		Benefit: object(v.Benefit.Body, "null"), Properties: propertiesOf(v),
		State: v.State, Source: v.Source, Fulfilments: make([]fulfilmentItem, 0, len(v.Fulfilments)),
	}
	if v.Member != nil {
		item.Member = object(v.Member.Body, "null")
	}
	if v.Override.Desired != "" {
		item.Override = &override{v.Override.Desired, stamp(v.Override.Until)}
	}
	item.LastError, item.DueAt = errorOf(worst(v.Fulfilments)), stamp(earliest(v.Fulfilments))
	for _, f := range v.Fulfilments {
		item.Fulfilments = append(item.Fulfilments, fulfilmentOf(f))
	}
	return item
}

// propertiesOf is what the shop says of a grant, and what its fulfilments add:
// where an invitation waits, which key was issued.
func propertiesOf(v grant.View) json.RawMessage {
	all := map[string]json.RawMessage{}
	for i := len(v.Fulfilments) - 1; i >= 0; i-- { // of two, the first counts
		_ = json.Unmarshal(v.Fulfilments[i].Properties, &all) // our own marshalling
	}
	if len(all) == 0 {
		return object(v.Properties, "{}")
	}
	_ = json.Unmarshal(v.Properties, &all) // whatever else it holds adds nothing
	text, err := json.Marshal(all)
	if err != nil {
		return object(v.Properties, "{}")
	}
	return text
}

func fulfilmentOf(f grant.FulfilmentView) fulfilmentItem {
	item := fulfilmentItem{
		ID: f.ID, Kind: f.Kind, State: f.State, Because: f.Because, Attempts: f.Attempts, Since: stamp(f.Since),
		DueAt: stamp(f.DueAt), DoneAt: stamp(f.DoneAt), LastError: errorOf(f.LastError), Properties: object(f.Properties, "{}"),
	}
	for _, a := range f.Journal {
		item.Journal = append(item.Journal, attemptItem{
			Action: a.Action, Error: errorOf(a.Trouble), Count: a.Count, FirstAt: stamp(a.First), LastAt: stamp(a.Last), Milliseconds: a.Took.Milliseconds(),
		})
	}
	return item
}

func errorOf(t grant.Trouble) *lastError {
	if t == (grant.Trouble{}) {
		return nil
	}
	return &lastError{t.Class, t.Code, t.Text}
}

// worst is the last error of the fulfilment most in need of a person.
func worst(fs []grant.FulfilmentView) grant.Trouble {
	for _, s := range grant.States {
		for _, f := range fs {
			if f.State == s && f.LastError != (grant.Trouble{}) {
				return f.LastError
			}
		}
	}
	return grant.Trouble{}
}

func earliest(fs []grant.FulfilmentView) (due time.Time) {
	for _, f := range fs {
		if !f.DueAt.IsZero() && (due.IsZero() || f.DueAt.Before(due)) {
			due = f.DueAt
		}
	}
	return due
}
