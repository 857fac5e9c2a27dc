package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"unicode/utf8"

	"fulfilld/grant"
)

const (
	// maxLicenseBody is more than two full maps and a label need.
	maxLicenseBody = 256 << 10
	maxLabel       = 500 // characters; as much as a text in a map
)

// LicenseKeyUse answers apps. What it refuses fails with a [grant.KeyRefusal].
type LicenseKeyUse interface {
	ValidateKey(ctx context.Context, u grant.KeyUse) (grant.LicenseKeyView, *grant.Activation, error)
	ActivateKey(ctx context.Context, u grant.KeyUse, a grant.Activation) (grant.LicenseKeyView, grant.Activation, error)
	DeactivateKey(ctx context.Context, u grant.KeyUse) error
}

// publicKeyRoutes are for apps on their users' machines, which have no token.
func publicKeyRoutes(l LicenseKeyUse, c *clients) map[string]endpoint {
	return map[string]endpoint{
		"POST /v1/customer-portal/license-keys/validate":   validateKey(l, c),
		"POST /v1/customer-portal/license-keys/activate":   activateKey(l, c),
		"POST /v1/customer-portal/license-keys/deactivate": deactivateKey(l, c),
	}
}

// licenseForm reads a body of no more than there is to say of a key.
func licenseForm(r *http.Request) (*form, error) {
	r.Body = http.MaxBytesReader(nil, r.Body, maxLicenseBody)
	return formOf(r)
}

// aboutKey reads what every request about a key has, and asks the clients' limits,
// if there are any, before anything else is done.
func aboutKey(c *clients, told tellings, do func(r *http.Request, f *form, u grant.KeyUse) (any, error)) endpoint {
	return coded(told, func(r *http.Request) (any, error) {
		if err := c.shutOut(r); err != nil {
			return nil, err
		}
		f, err := licenseForm(r)
		if err != nil {
			return nil, err
		}
		f.require("key", "organization_id")
		u := grant.KeyUse{Key: f.text("key"), OrganizationID: f.id("organization_id", false)}
		if err := f.err(); err != nil && c != nil { // it names no key that could be counted
			c.guessing.Enter(c.address(r))
			return nil, err
		}
		return c.admit(r, u.Key, func() (any, error) { return do(r, f, u) })
	})
}

func validateKey(l LicenseKeyUse, c *clients) endpoint {
	return aboutKey(c, validations, func(r *http.Request, f *form, u grant.KeyUse) (any, error) {
		u.ActivationID, u.BenefitID, u.CustomerID = f.id("activation_id", true), f.id("benefit_id", true), f.id("customer_id", true)
		if n := f.between("increment_usage", 0, maxNumber); n != nil {
			u.Increment = *n
		}
		u.Conditions = f.pairs("conditions")
		if err := f.err(); err != nil {
			return nil, err
		}
		k, a, err := l.ValidateKey(r.Context(), u)
		if err != nil {
			return nil, err
		}
		valid := validatedKey{licenseKeyItem: licenseKeyOf(k)}
		if a != nil {
			item := activationOf(*a)
			valid.Activation = &item
		}
		return valid, nil
	})
}

func activateKey(l LicenseKeyUse, c *clients) endpoint {
	return aboutKey(c, activations, func(r *http.Request, f *form, u grant.KeyUse) (any, error) {
		f.require("label")
		a := grant.Activation{Label: f.text("label"), Conditions: f.pairs("conditions"), Meta: object(json.RawMessage(f.pairs("meta")), "{}")}
		if utf8.RuneCountInString(a.Label) > maxLabel {
			f.refuse("label", "string_too_long", "String should have at most 500 characters", a.Label, map[string]any{"max_length": maxLabel})
		}
		if err := f.err(); err != nil {
			return nil, err
		}
		k, a, err := l.ActivateKey(r.Context(), u, a)
		return activatedKey{activationOf(a), licenseKeyOf(k)}, err
	})
}

func deactivateKey(l LicenseKeyUse, c *clients) endpoint {
	return aboutKey(c, lookups, func(r *http.Request, f *form, u grant.KeyUse) (any, error) {
		f.require("activation_id")
		u.ActivationID = f.id("activation_id", false)
		if err := f.err(); err != nil {
			return nil, err
		}
		return answer{status: http.StatusNoContent}, l.DeactivateKey(r.Context(), u)
	})
}
