package handlers

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"fulfilld/grant"
)

// licenseCode is the header with the reason of a refusal, as a word that does not
// change: [grant.KeyCode], or one of these.
const (
	licenseCode    = "X-License-Code"
	invalidRequest = "INVALID_REQUEST"
	rateLimited    = "RATE_LIMITED"
	noToken        = "UNAUTHORIZED"
	notInScope     = "FORBIDDEN"
	ownFault       = "INTERNAL_ERROR"
)

// aboutKeys reports whether a request is one whose refusal has a code.
func aboutKeys(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/v1/license-keys/") || strings.HasPrefix(r.URL.Path, "/v1/customer-portal/license-keys/")
}

// codeOf is the code of a refusal that is about no key in particular.
func codeOf(e *apiError) string {
	switch {
	case e.status == http.StatusUnauthorized:
		return noToken
	case e.status == http.StatusForbidden:
		return notInScope
	case e.status == http.StatusNotFound && e.Name != "": // else the address is nobody's
		return string(grant.KeyNotFound)
	case e.status >= http.StatusInternalServerError:
		return ownFault
	}
	return invalidRequest
}

// telling is how the platform tells a refusal.
type telling struct {
	status       int
	name, detail string
}

// tellings are those of one route.
type tellings map[grant.KeyCode]telling

func (t tellings) and(more tellings) tellings {
	all := maps.Clone(t)
	maps.Copy(all, more)
	return all
}

func missing(detail string) telling { return telling{http.StatusNotFound, "ResourceNotFound", detail} }

func forbidden(detail string) telling { return telling{http.StatusForbidden, "NotPermitted", detail} }

const noMore = "License key is no longer active."

var (
	lookups = tellings{
		grant.KeyNotFound:        missing("Not found"),
		grant.ActivationNotFound: missing("Not found"),
	}
	validations = lookups.and(tellings{
		grant.KeyRevoked:         missing(noMore),
		grant.KeyDisabled:        missing(noMore),
		grant.KeyExpired:         missing("License key has expired."),
		grant.ConditionsMismatch: missing("License key does not match required conditions"),
		grant.BenefitMismatch:    missing("License key does not match given benefit."),
		grant.CustomerMismatch:   missing("License key does not match given user."),
		grant.KeyLimitReached:    {http.StatusBadRequest, "BadRequest", "License key only has %d more usages."},
	})
	activations = lookups.and(tellings{
		grant.KeyRevoked:            forbidden(noMore + " This license key can not be activated."),
		grant.KeyDisabled:           forbidden(noMore + " This license key can not be activated."),
		grant.KeyExpired:            forbidden("License key has expired."),
		grant.KeyLimitReached:       forbidden("License key activation limit already reached"),
		grant.ActivationUnsupported: forbidden("This license key does not support activations. Use the /validate endpoint instead to check license validity."),
	})
	rotations = tellings{
		grant.KeyRevoked: {http.StatusBadRequest, "RotateNotPermitted", "License key cannot be rotated in its current status. Allowed statuses: disabled, granted."},
	}
	revisions = tellings{
		grant.KeyRevoked: {http.StatusBadRequest, "UpdateNotPermitted", "The grant behind this license key has ended, so it cannot be granted here. Once the platform grants it again, the key comes back."},
	}
)

// coded answers as the endpoint does, its refusals in the platform's words and with
// their code in a header.
func coded(told tellings, e endpoint) endpoint {
	return func(r *http.Request) (any, error) {
		v, err := e(r)
		var refusal *grant.KeyRefusal
		if errors.As(err, &refusal) {
			return nil, told.tell(refusal)
		}
		return v, err
	}
}

// tell spells a refusal out. One that the route does not know is a fault of ours.
func (t tellings) tell(r *grant.KeyRefusal) error {
	told, ok := t[r.Code]
	if !ok {
		return fmt.Errorf("handlers: answer a license key: %w", r)
	}
	detail := told.detail
	if r.Code == grant.KeyLimitReached && told.status == http.StatusBadRequest {
		detail = fmt.Sprintf(detail, r.Left)
	}
	return withCode(&apiError{status: told.status, Name: told.name, Detail: detail}, string(r.Code))
}

func withCode(e *apiError, code string) *apiError {
	if e.header == nil {
		e.header = map[string]string{}
	}
	e.header[licenseCode] = code
	return e
}
