package grant

import "time"

// Event is one webhook as the ledger keeps it. Source and ID together are
// unique: the same fact sent twice is one event.
type Event struct {
	Seq        int64  // order of arrival in this ledger
	Source     string // the endpoint it came in by, for example "polar"
	ID         string // webhook-id
	Type       string // for example "benefit_grant.created"
	OccurredAt time.Time
	ReceivedAt time.Time
	State      EventState
	Error      string // why it is failed, or why it was ignored
	Body       []byte // raw bytes as received; empty once past retention
}

// EventState says how far an event has come.
type EventState string

// The states of an event.
const (
	EventAccepted EventState = "accepted" // committed, not yet applied
	EventApplied  EventState = "applied"
	EventIgnored  EventState = "ignored" // kept; it has no effect, and Error says why
	EventFailed   EventState = "failed"  // could not be applied; `events replay` tries again
)

// News is what one event says, in this project's words. Every row carries its
// own [Version], so applying news twice or in another order changes nothing.
type News struct {
	Ignored string // why the event has no effect; empty when it has one

	Customers     []Customer
	Members       []Member
	Seats         []Seat
	Benefits      []Benefit
	Products      []Product
	Subscriptions []Subscription
	Orders        []Order
	Refunds       []Refund
	Grants        []Grant
}
