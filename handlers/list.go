package handlers

import (
	"context"
	"encoding/json"
	"net/http"

	"fulfilld/grant"
	"fulfilld/grant/shape"
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

// The platform's spellings.
type (
	stamp = shape.Time
	text  = shape.Text
)

func object(body json.RawMessage, otherwise string) json.RawMessage {
	return shape.Object(body, otherwise)
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
		return listingOf(all, total, p, shape.OfBenefit), err
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
		return shape.OfBenefit(b), err
	}
}
