package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"fulfilld/grant"
)

// BenefitList is where benefits are looked up.
type BenefitList interface {
	Benefits(ctx context.Context, f grant.BenefitFilter, p grant.Page) ([]grant.Benefit, int64, error)
	Benefit(ctx context.Context, id string) (grant.Benefit, error)
}

// GrantList is where grants are looked up.
type GrantList interface {
	Grants(ctx context.Context, f grant.GrantFilter, p grant.Page) ([]grant.View, int64, error)
	Grant(ctx context.Context, id string) (grant.View, error)
	HoldsOf(ctx context.Context, fulfilmentID string) ([]grant.Hold, error)
}

// stamp is a time as the platform writes it: UTC, microseconds unless they are
// zero, null for none.
type stamp time.Time

// MarshalJSON implements json.Marshaler.
func (s stamp) MarshalJSON() ([]byte, error) {
	t := time.Time(s).UTC()
	layout := `"2006-01-02T15:04:05.000000Z"`
	switch {
	case t.IsZero():
		return []byte("null"), nil
	case t.Nanosecond() < 1000:
		layout = `"2006-01-02T15:04:05Z"`
	}
	return []byte(t.Format(layout)), nil
}

// text is a string that is null when there is none.
type text string

// MarshalJSON implements json.Marshaler.
func (t text) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(t))
}

// object is what the platform sent, or otherwise when it sent nothing.
func object(body json.RawMessage, otherwise string) json.RawMessage {
	if len(body) == 0 {
		return json.RawMessage(otherwise)
	}
	return body
}

// benefitTypes are the platform's.
var benefitTypes = []string{
	"custom", "discord", "github_repository", "downloadables", "license_keys", "meter_credit", "feature_flag", "slack_shared_channel",
}

func listBenefits(l BenefitList) endpoint {
	return func(r *http.Request) (any, error) {
		q := queryOf(r)
		f := grant.BenefitFilter{
			IDs: q.ids("id"), ExcludeIDs: q.ids("exclude_id"), OrganizationIDs: q.ids("organization_id"),
			Types: words(q, "type", benefitTypes...), Metadata: q.metadata(),
			Query: q.text("query"), Sort: q.sorting("created_at", "description", "type"),
		}
		p := q.page()
		if err := q.err(); err != nil {
			return nil, err
		}
		all, total, err := l.Benefits(r.Context(), f, p)
		return listingOf(all, total, p, benefitItem), err
	}
}

// getBenefit answers deleted benefits too: their grants may not be gone yet.
func getBenefit(l BenefitList) endpoint {
	return func(r *http.Request) (any, error) {
		id, err := pathID(r)
		if err != nil {
			return nil, err
		}
		b, err := l.Benefit(r.Context(), id)
		return benefitItem(b), err
	}
}

// benefitItem is the platform's own object; of an own benefit, what we know.
func benefitItem(b grant.Benefit) any {
	if len(b.Body) > 0 {
		return b.Body
	}
	return struct {
		ID             string          `json:"id"`
		Type           string          `json:"type"`
		Description    string          `json:"description"`
		IsDeleted      bool            `json:"is_deleted"`
		OrganizationID text            `json:"organization_id"`
		Metadata       map[string]any  `json:"metadata"`
		Properties     json.RawMessage `json:"properties"`
	}{b.ID, b.Type, b.Description, !b.DeletedAt.IsZero(), text(b.OrganizationID), b.Metadata, object(b.Properties, "{}")}
}
