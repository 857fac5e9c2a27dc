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

func benefitOf(text json.RawMessage, sent time.Time) (grant.Benefit, error) {
	var w wireBenefit
	if err := json.Unmarshal(text, &w); err != nil {
		return grant.Benefit{}, mend(err)
	}
	if err := need("id", w.ID); err != nil {
		return grant.Benefit{}, err
	}
	b := grant.Benefit{
		ID: string(w.ID), OrganizationID: string(w.OrganizationID), Type: w.Type, Description: w.Description,
		Properties: kept(w.Properties), Metadata: w.Metadata, Body: kept(text), Version: w.version(sent),
	}
	if w.IsDeleted {
		b.DeletedAt = grant.Latest(w.ModifiedAt.Time, w.CreatedAt.Time)
		if b.DeletedAt.IsZero() {
			b.DeletedAt = sent
		}
	}
	return b, nil
}

// benefitNews reads benefit.created and benefit.updated; a deletion is an update, too.
func benefitNews(text json.RawMessage, sent time.Time) (grant.News, error) {
	b, err := benefitOf(text, sent)
	return grant.News{Benefits: []grant.Benefit{b}}, err
}
