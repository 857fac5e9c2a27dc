package handlers

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"fulfilld/grant"
)

// keyStatuses are the platform's.
var keyStatuses = []string{"granted", "revoked", "disabled"}

// licenseKeyItem is the platform's LicenseKeyRead, with the members user_id and
// user that it still sends.
type licenseKeyItem struct {
	ID               string          `json:"id"`
	CreatedAt        stamp           `json:"created_at"`
	ModifiedAt       stamp           `json:"modified_at"`
	OrganizationID   string          `json:"organization_id"`
	UserID           string          `json:"user_id"`
	CustomerID       string          `json:"customer_id"`
	User             licenseUser     `json:"user"`
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

// licenseUser is the customer as the platform's first apps knew it.
type licenseUser struct {
	ID         string `json:"id"`
	Email      text   `json:"email"`
	PublicName string `json:"public_name"`
	AvatarURL  text   `json:"avatar_url"`
}

// keyWithActivations is the platform's LicenseKeyWithActivations.
type keyWithActivations struct {
	licenseKeyItem
	Activations []activationItem `json:"activations"`
}

// validatedKey is the platform's ValidatedLicenseKey.
type validatedKey struct {
	licenseKeyItem
	Activation *activationItem `json:"activation"`
}

// activationItem is the platform's LicenseKeyActivationBase.
type activationItem struct {
	ID           string          `json:"id"`
	LicenseKeyID string          `json:"license_key_id"`
	Label        string          `json:"label"`
	Meta         json.RawMessage `json:"meta"`
	CreatedAt    stamp           `json:"created_at"`
	ModifiedAt   stamp           `json:"modified_at"` // null: nothing changes one
}

// activatedKey is the platform's LicenseKeyActivationRead.
type activatedKey struct {
	activationItem
	LicenseKey licenseKeyItem `json:"license_key"`
}

// licenseKeyOf presents a key. A validation modifies it, as on the platform.
func licenseKeyOf(k grant.LicenseKeyView) licenseKeyItem {
	return licenseKeyItem{
		ID: k.ID, CreatedAt: stamp(k.CreatedAt), ModifiedAt: stamp(grant.Latest(k.ModifiedAt, k.LastValidatedAt)),
		OrganizationID: k.OrganizationID, UserID: k.CustomerID, CustomerID: k.CustomerID,
		User: licenseUserOf(k.Customer), Customer: licenseCustomerOf(k), BenefitID: k.BenefitID,
		Key: k.Key, DisplayKey: k.DisplayKey, Status: k.Status(),
		LimitActivations: k.LimitActivations, Usage: k.Usage, LimitUsage: k.LimitUsage, Validations: k.Validations,
		LastValidatedAt: stamp(k.LastValidatedAt), ExpiresAt: stamp(k.ExpiresAt),
	}
}

func licenseUserOf(c grant.Customer) licenseUser {
	avatar := gjson.GetBytes(c.Body, "avatar_url") // the rest of the body is passed on unread
	return licenseUser{c.ID, text(c.Email), publicName(c), text(avatar.String())}
}

// publicName is the first letter of the name, or else of the address.
func publicName(c grant.Customer) string {
	for _, name := range []string{c.Name, c.Email} {
		if name != "" {
			_, size := utf8.DecodeRuneInString(name)
			return name[:size]
		}
	}
	return "?"
}

// licenseCustomerOf is the platform's own object. Of a customer who is deleted, or
// of whom nothing was said, it has the same members: apps decode them.
func licenseCustomerOf(k grant.LicenseKeyView) json.RawMessage {
	if len(k.Customer.Body) > 0 {
		return k.Customer.Body
	}
	known, err := json.Marshal(struct {
		ID        string `json:"id"`
		CreatedAt stamp  `json:"created_at"`
		DeletedAt stamp  `json:"deleted_at"`
		OrgID     string `json:"organization_id"`
	}{k.CustomerID, stamp(k.CreatedAt), stamp(k.Customer.DeletedAt), k.OrganizationID})
	if err != nil {
		return json.RawMessage("null")
	}
	return append(known[:len(known)-1], unknownCustomer...)
}

const unknownCustomer = `,"modified_at":null,"metadata":{},"external_id":null,"email":null,"email_verified":false,"type":"individual","name":null,` +
	`"billing_name":null,"billing_address":null,"tax_id":null,"locale":null,"default_payment_method_id":null,"first_user_event_at":null,"avatar_url":null}`

func activationOf(a grant.Activation) activationItem {
	return activationItem{ID: a.ID, LicenseKeyID: a.LicenseKeyID, Label: a.Label, Meta: object(a.Meta, "{}"), CreatedAt: stamp(a.CreatedAt)}
}
