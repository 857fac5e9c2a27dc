package grant

import (
	"encoding/json"
	"time"
)

// Activation is one place where a license key is used.
type Activation struct {
	ID           string
	LicenseKeyID string
	Label        string          // the app's name for the place, such as a machine's
	Conditions   string          // a JSON object in one spelling; empty for none
	Meta         json.RawMessage // the app's own
	CreatedAt    time.Time
}

// KeyUse is what an app asks of a license key. Empty fields ask nothing.
type KeyUse struct {
	Key            string
	OrganizationID string
	ActivationID   string
	BenefitID      string
	CustomerID     string
	Increment      int64  // of the usage
	Conditions     string // a JSON object in one spelling
}

// KeyRefusal is why a license key is not good for what was asked.
type KeyRefusal struct {
	Code KeyCode
	Left int64 // with LimitReached: how many usages are left
}

// KeyCode is a stable word that apps can tell a refusal by.
type KeyCode string

// The codes of refusals.
const (
	KeyNotFound           KeyCode = "NOT_FOUND"
	KeyRevoked            KeyCode = "REVOKED"
	KeyDisabled           KeyCode = "DISABLED"
	KeyExpired            KeyCode = "EXPIRED"
	KeyLimitReached       KeyCode = "LIMIT_REACHED"
	ConditionsMismatch    KeyCode = "CONDITIONS_MISMATCH"
	BenefitMismatch       KeyCode = "BENEFIT_MISMATCH"
	CustomerMismatch      KeyCode = "CUSTOMER_MISMATCH"
	ActivationNotFound    KeyCode = "ACTIVATION_NOT_FOUND"
	ActivationUnsupported KeyCode = "ACTIVATIONS_NOT_SUPPORTED"
)

// Error implements error.
func (r *KeyRefusal) Error() string { return "license key refused: " + string(r.Code) }

// alive refuses a key that is good for nothing at the moment.
func (k LicenseKey) alive(now time.Time) *KeyRefusal {
	switch status := k.Status(); {
	case status == "disabled":
		return &KeyRefusal{Code: KeyDisabled}
	case status != "granted":
		return &KeyRefusal{Code: KeyRevoked}
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		return &KeyRefusal{Code: KeyExpired}
	}
	return nil
}

// Valid decides, in the platform's order, whether the key is good for a use now.
// The activation is the one the use names; nil when the key has none such.
func (k LicenseKey) Valid(u KeyUse, a *Activation, now time.Time) *KeyRefusal {
	if refusal := k.alive(now); refusal != nil {
		return refusal
	}
	switch {
	case u.ActivationID != "" && a == nil:
		return &KeyRefusal{Code: ActivationNotFound}
	case a != nil && a.Conditions != "" && a.Conditions != u.Conditions:
		return &KeyRefusal{Code: ConditionsMismatch}
	case u.BenefitID != "" && u.BenefitID != k.BenefitID:
		return &KeyRefusal{Code: BenefitMismatch}
	case u.CustomerID != "" && u.CustomerID != k.CustomerID:
		return &KeyRefusal{Code: CustomerMismatch}
	case u.Increment > 0 && k.LimitUsage != nil && u.Increment > *k.LimitUsage-k.Usage:
		return &KeyRefusal{Code: KeyLimitReached, Left: *k.LimitUsage - k.Usage}
	}
	return nil
}

// Activates decides whether the key may be used in one more place than it has.
func (k LicenseKey) Activates(has int64, now time.Time) *KeyRefusal {
	if refusal := k.alive(now); refusal != nil {
		return refusal
	}
	switch {
	case k.LimitActivations == nil:
		return &KeyRefusal{Code: ActivationUnsupported}
	case has >= *k.LimitActivations:
		return &KeyRefusal{Code: KeyLimitReached}
	}
	return nil
}
