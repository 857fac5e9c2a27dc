package handlers

import (
	"encoding/json"
	"net/http"
	"time"

	"fulfilld/grant"
	"fulfilld/grant/shape"
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
	shape.Grant

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
	Remark       string       `json:"remark,omitempty"` // on what succeeded
	Count        int64        `json:"count"`
	FirstAt      stamp        `json:"first_at"`
	LastAt       stamp        `json:"last_at"`
	Milliseconds int64        `json:"took_ms"`
}

func grantOf(v grant.View) grantItem {
	item := grantItem{Grant: shape.OfGrant(v), State: v.State, Source: v.Source, Fulfilments: make([]fulfilmentItem, 0, len(v.Fulfilments))}
	if v.Override.Desired != "" {
		item.Override = &override{v.Override.Desired, stamp(v.Override.Until)}
	}
	item.LastError, item.DueAt = errorOf(worst(v.Fulfilments)), stamp(earliest(v.Fulfilments))
	for _, f := range v.Fulfilments {
		item.Fulfilments = append(item.Fulfilments, fulfilmentOf(f))
	}
	return item
}

func fulfilmentOf(f grant.FulfilmentView) fulfilmentItem {
	item := fulfilmentItem{
		ID: f.ID, Kind: f.Kind, State: f.State, Because: f.Because, Attempts: f.Attempts, Since: stamp(f.Since),
		DueAt: stamp(f.DueAt), DoneAt: stamp(f.DoneAt), LastError: errorOf(f.LastError), Properties: shape.Shown(f),
	}
	for _, a := range f.Journal {
		it := attemptItem{Action: a.Action, Count: a.Count, FirstAt: stamp(a.First), LastAt: stamp(a.Last), Milliseconds: a.Took.Milliseconds()}
		if a.Trouble.Class == "" {
			it.Remark = a.Trouble.Text
		} else {
			it.Error = errorOf(a.Trouble)
		}
		item.Journal = append(item.Journal, it)
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
