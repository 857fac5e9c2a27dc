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
	Key            string // secret: never in lists, journal or logs
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
