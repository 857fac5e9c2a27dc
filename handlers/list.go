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

// LicenseKeyList is where license keys are looked up.
type LicenseKeyList interface {
	LicenseKeys(ctx context.Context, f grant.LicenseKeyFilter, p grant.Page) ([]grant.LicenseKeyView, int64, error)
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

func listLicenseKeys(l LicenseKeyList) endpoint {
	return func(r *http.Request) (any, error) {
		q := queryOf(r)
		f := grant.LicenseKeyFilter{
			OrganizationIDs: q.ids("organization_id"), BenefitIDs: q.ids("benefit_id"),
			Statuses: words(q, "status", "granted", "revoked", "disabled"),
		}
		p := q.page()
		if err := q.err(); err != nil {
			return nil, err
		}
		all, total, err := l.LicenseKeys(r.Context(), f, p)
		return listingOf(all, total, p, licenseKeyOf), err
	}
}

// licenseKeyItem is the platform's LicenseKeyRead, except that a list never
// shows a whole key: key is the display key, such as ****-E304DA.
type licenseKeyItem struct {
	ID               string          `json:"id"`
	CreatedAt        stamp           `json:"created_at"`
	ModifiedAt       stamp           `json:"modified_at"`
	OrganizationID   string          `json:"organization_id"`
	CustomerID       string          `json:"customer_id"`
	Customer         json.RawMessage `json:"customer"`
	BenefitID        string          `json:"benefit_id"`
	Key              string          `json:"key"`
	DisplayKey       string          `json:"display_key"`
	Status           string          `json:"status"`
	LimitActivations *int64          `json:"limit_activations"`
	Usage            int64           `json:"usage"`
	LimitUsage       *int64          `json:"limit_usage"`
	Validations      int64           `json:"validations"`
	LastValidatedAt  stamp           `json:"last_validated_at"`
	ExpiresAt        stamp           `json:"expires_at"`
}

func licenseKeyOf(k grant.LicenseKeyView) licenseKeyItem {
	return licenseKeyItem{
		ID: k.ID, CreatedAt: stamp(k.CreatedAt), ModifiedAt: stamp(k.ModifiedAt), OrganizationID: k.OrganizationID,
		CustomerID: k.CustomerID, Customer: object(k.Customer.Body, "null"), BenefitID: k.BenefitID,
		Key: k.DisplayKey, DisplayKey: k.DisplayKey, Status: k.Status(),
		LimitActivations: k.LimitActivations, Usage: k.Usage, LimitUsage: k.LimitUsage, Validations: k.Validations,
		LastValidatedAt: stamp(k.LastValidatedAt), ExpiresAt: stamp(k.ExpiresAt),
	}
}
