package grant

import (
	"encoding/json"
	"time"
)

// Product is what can be bought; Benefits are the ids it carries.
type Product struct {
	ID       string
	Benefits []string
	Body     json.RawMessage
	Version  Version
}

// Subscription is a recurring purchase as the platform last described it.
type Subscription struct {
	ID         string
	CustomerID string
	ProductID  string
	Status     string // incomplete … active, past_due, canceled, unpaid, paused
	PastDueAt  time.Time
	CanceledAt time.Time
	EndedAt    time.Time
	PausedAt   time.Time
	Fields     json.RawMessage // custom_field_data: what the buyer answered at checkout
	Body       json.RawMessage // its terms as the platform prints them with a customer's state
	Version    Version
}

// Order is one payment, of a one-time product or of a subscription.
type Order struct {
	ID             string
	CustomerID     string
	ProductID      string
	SubscriptionID string
	Status         string // draft, pending, paid, refunded, partially_refunded, void
	Total          int64  // in the currency's smallest unit
	Fields         json.RawMessage
	Version        Version
}

// Refund is money given back for an order.
type Refund struct {
	ID             string
	OrderID        string
	Status         string // pending, succeeded, failed, canceled
	Amount         int64  // in the currency's smallest unit, tax included
	RevokeBenefits bool
	Version        Version
}
