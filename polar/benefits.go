package polar

import (
	"encoding/json"
	"time"

	"fulfilld/grant"
)

type wireBenefit struct {
	common
	OrganizationID key             `json:"organization_id"`
	Type           string          `json:"type"`
	Description    string          `json:"description"`
	IsDeleted      bool            `json:"is_deleted"`
	Metadata       map[string]any  `json:"metadata"`
	Properties     json.RawMessage `json:"properties"`
}

func benefitOf(text json.RawMessage, path string, sent time.Time) (grant.Benefit, error) {
	var w wireBenefit
	if err := fill(text, path, &w); err != nil {
		return grant.Benefit{}, err
	}
	b := grant.Benefit{
		ID: string(w.ID), OrganizationID: string(w.OrganizationID), Type: plain(w.Type), Description: plain(w.Description),
		Properties: kept(w.Properties), Metadata: w.Metadata, Body: kept(text), Version: w.version(sent),
	}
	if w.IsDeleted {
		if b.DeletedAt = w.ModifiedAt.Time; b.DeletedAt.IsZero() {
			b.DeletedAt = sent
		}
	}
	return b, need(path, id{"id", w.ID})
}

// benefitNews reads benefit.created and benefit.updated; a deletion is an update, too.
func benefitNews(text json.RawMessage, sent time.Time) (grant.News, error) {
	b, err := benefitOf(text, "data", sent)
	return grant.News{Benefits: []grant.Benefit{b}}, err
}

// benefitOrGrant tells benefit.created and benefit.updated from benefit.granted
// and benefit.revoked, which are about a grant.
func benefitOrGrant(ev grant.Event) (grant.News, error) {
	if ev.Type == "benefit.granted" || ev.Type == "benefit.revoked" {
		return read(grantNews)(ev)
	}
	return read(benefitNews)(ev)
}
