package grant

import (
	"encoding/json"
	"time"
)

// The types of what endpoints can be told of. They stay as they are.
const (
	TellsBenefitCreated = "benefit.created"
	TellsBenefitUpdated = "benefit.updated"
	TellsCreated        = "benefit_grant.created"
	TellsUpdated        = "benefit_grant.updated"
	TellsRevoked        = "benefit_grant.revoked"
	TellsCycled         = "benefit_grant.cycled"
)

// Tells lists all of them.
var Tells = [...]string{TellsBenefitCreated, TellsBenefitUpdated, TellsCreated, TellsUpdated, TellsRevoked, TellsCycled}

// Delivery is something that an endpoint is to be told.
type Delivery struct {
	Seq       int64  // counts up; of one grant's, the higher is the newer
	ID        string // the webhook-id: the same however often it is sent
	Endpoint  string
	Type      string
	Subject   string          // the id of the grant, or of the benefit
	Data      json.RawMessage // empty once delivered: it holds what is personal
	CreatedAt time.Time
	DueAt     time.Time // the next try; zero for none
	DoneAt    time.Time // when it was delivered; zero: not yet
	Attempts  int       // failed ones in a row
	Error     string    // the last
	Token     string    // proves the lease
}

// DeliveryState says how far a delivery has come.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryWaiting   DeliveryState = "waiting"
	DeliveryDelivered DeliveryState = "delivered"
	DeliveryFailed    DeliveryState = "failed" // given up; it is kept for a retry
)

// State tells how far it has come.
func (d Delivery) State() DeliveryState {
	switch {
	case !d.DoneAt.IsZero():
		return DeliveryDelivered
	case d.DueAt.IsZero():
		return DeliveryFailed
	}
	return DeliveryWaiting
}

// DeliveryFilter chooses deliveries; an empty field chooses all.
type DeliveryFilter struct {
	States    []DeliveryState
	Endpoints []string
	Types     []string
}
