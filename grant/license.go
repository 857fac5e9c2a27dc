package grant

import "time"

// LicenseKey is one issued key. Limits of nil mean none. The merchant's own
// status and limits stand beside what the benefit says and win over it.
type LicenseKey struct {
	ID             string
	FulfilmentID   string
	BenefitID      string
	CustomerID     string
	OrganizationID string
	Key            string // secret: only in the API, never in properties, journal or logs
	DisplayKey     string
	Active         bool // false once revoked

	LimitActivations *int64
	LimitUsage       *int64
	ExpiresAt        time.Time

	Usage           int64
	Validations     int64
	LastValidatedAt time.Time
	CreatedAt       time.Time
	ModifiedAt      time.Time

	MerchantStatus string // "", "revoked" or "disabled"
}

// Status is the platform's word for the key's state.
func (k LicenseKey) Status() string {
	switch {
	case !k.Active:
		return "revoked"
	case k.MerchantStatus != "":
		return k.MerchantStatus
	default:
		return "granted"
	}
}

// Unlimited is the merchant's word that there is no limit.
const Unlimited = -1

// LicenseKeyEdit is what the merchant changes of a key; nil and empty leave a
// field as it is.
type LicenseKeyEdit struct {
	Status           string // granted, revoked or disabled
	Usage            *int64
	LimitActivations *int64 // or Unlimited
	LimitUsage       *int64
	ExpiresAt        *time.Time // zero: never
}
