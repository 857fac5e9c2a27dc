package grant

import (
	"encoding/json"
	"time"
)

// Customer is who bought.
type Customer struct {
	ID             string
	OrganizationID string
	ExternalID     string // the merchant's own id of the customer
	Email          string
	Name           string
	DeletedAt      time.Time       // non-zero: gone for good
	Body           json.RawMessage // the platform's object, for API answers
	Version        Version
}

// Member is a person on a team customer's account.
type Member struct {
	ID         string
	CustomerID string
	DeletedAt  time.Time // non-zero: gone for good
	Body       json.RawMessage
	Version    Version
}

// Seat is a place in a seat-based purchase. The body of a revoked seat no
// longer names its member, so the ledger remembers who sat there.
type Seat struct {
	ID             string
	SubscriptionID string
	OrderID        string
	MemberID       string // empty when the body does not say
	Status         string // pending, claimed, revoked
	RevokedAt      time.Time
	Version        Version
}
