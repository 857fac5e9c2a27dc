package handlers

import (
	"context"
	"net/http"
	"time"

	"fulfilld/grant"
)

// LicenseKeyList is where license keys are looked up.
type LicenseKeyList interface {
	LicenseKeys(ctx context.Context, f grant.LicenseKeyFilter, p grant.Page) ([]grant.LicenseKeyView, int64, error)
	LicenseKey(ctx context.Context, id string) (grant.LicenseKeyView, error)
	Activations(ctx context.Context, licenseKeyID string) ([]grant.Activation, error)
}

// LicenseKeyDesk changes license keys for the merchant. What it cannot do fails
// with a [grant.KeyRefusal].
type LicenseKeyDesk interface {
	ReviseLicenseKey(ctx context.Context, id string, e grant.LicenseKeyEdit) (grant.LicenseKeyView, error)
	RotateLicenseKey(ctx context.Context, id string) (grant.LicenseKeyView, error)
}

// licenseKeyRoutes are the merchant's, and the scopes of all that is about keys.
func licenseKeyRoutes(l AdminLedger) map[string]route {
	read, write := []string{"license_keys:read", "license_keys:write"}, []string{"license_keys:write"}
	return map[string]route{
		"GET /v1/license-keys/{$}":          {read, listLicenseKeys(l)},
		"GET /v1/license-keys/{id}":         {read, getLicenseKey(l)},
		"PATCH /v1/license-keys/{id}":       {write, coded(revisions, reviseLicenseKey(l))},
		"POST /v1/license-keys/{id}/rotate": {write, coded(rotations, rotateLicenseKey(l))},

		"GET /v1/license-keys/{id}/activations/{activation_id}": {read, coded(lookups, getActivation(l))},

		"POST /v1/license-keys/validate":   {write, validateKey(l, nil)},
		"POST /v1/license-keys/activate":   {write, activateKey(l, nil)},
		"POST /v1/license-keys/deactivate": {write, deactivateKey(l, nil)},
	}
}

func listLicenseKeys(l LicenseKeyList) endpoint {
	return func(r *http.Request) (any, error) {
		q := queryOf(r)
		f := grant.LicenseKeyFilter{
			OrganizationIDs: q.ids("organization_id"), BenefitIDs: q.ids("benefit_id"), CustomerIDs: q.ids("customer_id"),
			Statuses: words(q, "status", keyStatuses...), Sort: q.sorting("created_at"),
		}
		p := q.page()
		if err := q.err(); err != nil {
			return nil, err
		}
		all, total, err := l.LicenseKeys(r.Context(), f, p)
		return listingOf(all, total, p, licenseKeyOf), err
	}
}

func getLicenseKey(l LicenseKeyList) endpoint {
	return func(r *http.Request) (any, error) {
		k, err := keyInPath(r, l)
		if err != nil {
			return nil, err
		}
		return withActivations(r.Context(), l, k)
	}
}

func withActivations(ctx context.Context, l LicenseKeyList, k grant.LicenseKeyView) (keyWithActivations, error) {
	all, err := l.Activations(ctx, k.ID)
	whole := keyWithActivations{licenseKeyOf(k), make([]activationItem, 0, len(all))}
	for _, a := range all {
		whole.Activations = append(whole.Activations, activationOf(a))
	}
	return whole, err
}

func keyInPath(r *http.Request, l LicenseKeyList) (k grant.LicenseKeyView, err error) {
	id, err := pathID(r)
	if err != nil {
		return k, err
	}
	return l.LicenseKey(r.Context(), id)
}

func getActivation(l LicenseKeyList) endpoint {
	return func(r *http.Request) (any, error) {
		id, err := pathField(r, "activation_id")
		if err != nil {
			return nil, err
		}
		k, err := keyInPath(r, l)
		if err != nil {
			return nil, err
		}
		all, err := l.Activations(r.Context(), k.ID)
		if err != nil {
			return nil, err
		}
		for _, a := range all {
			if a.ID == id {
				return activatedKey{activationOf(a), licenseKeyOf(k)}, nil
			}
		}
		return nil, &grant.KeyRefusal{Code: grant.ActivationNotFound}
	}
}

func reviseLicenseKey(l LicenseKeyDesk) endpoint {
	return func(r *http.Request) (any, error) {
		id, err := pathID(r)
		if err != nil {
			return nil, err
		}
		f, err := licenseForm(r)
		if err != nil {
			return nil, err
		}
		e := editOf(f)
		if err := f.err(); err != nil {
			return nil, err
		}
		k, err := l.ReviseLicenseKey(r.Context(), id, e)
		return licenseKeyOf(k), err
	}
}

// editOf reads what is to be changed: what is not given stays as it is, and a null
// takes a limit away.
func editOf(f *form) (e grant.LicenseKeyEdit) {
	if f.has("status") {
		e.Status = f.choice("status", keyStatuses)
	}
	if f.given("usage", "int_type", "Input should be a valid integer") {
		e.Usage = f.between("usage", minNumber, maxNumber)
	}
	e.LimitActivations, e.LimitUsage = f.limit("limit_activations"), f.limit("limit_usage")
	if _, given := f.fields["expires_at"]; given {
		at := f.moment("expires_at")
		if f.has("expires_at") && at.Before(time.UnixMicro(1)) { // zero is for never
			at = time.UnixMicro(1)
		}
		e.ExpiresAt = &at
	}
	return e
}

// limit reads a limit of at least 1; nil when it is not given.
func (f *form) limit(name string) *int64 {
	if _, given := f.fields[name]; given && !f.has(name) {
		none := int64(grant.Unlimited)
		return &none
	}
	return f.above(name, 0, maxNumber)
}

func rotateLicenseKey(l LicenseKeyDesk) endpoint {
	return func(r *http.Request) (any, error) {
		id, err := pathID(r)
		if err != nil {
			return nil, err
		}
		k, err := l.RotateLicenseKey(r.Context(), id)
		return licenseKeyOf(k), err
	}
}
