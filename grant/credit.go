package grant

import "time"

// Meter is what credits are counted in, as the operator has set it up.
type Meter struct {
	ID        string // the platform's UUID, or one made from a slug
	Name      string
	Event     string // the name of the events that consume it
	Units     string // the metadata key that says how many; empty: one an event
	Overdraft bool   // events may consume more than there is
}

// MaxUnits is the most that one grant credits or one event consumes: the platform's int32.
const MaxUnits = 1<<31 - 1

// Credit is what a fulfilment gives of a meter.
type Credit struct {
	FulfilmentID string
	CustomerID   string
	MemberID     string
	MeterID      string
	Units        int64
	Rollover     bool          // a renewal adds to what is left, which else lapses
	Lasts        time.Duration // after which the units expire; 0: never
}

// Credited is what a fulfilment was last credited; less than zero is what was taken back.
type Credited struct {
	MeterID string
	Units   int64
	At      time.Time
}

// Properties are the platform's own of such a grant.
func (c Credited) Properties() Properties {
	if c.MeterID == "" {
		return Properties{}
	}
	return Properties{
		"last_credited_meter_id": c.MeterID,
		"last_credited_units":    c.Units,
		"last_credited_at":       c.At.UTC().Format("2006-01-02T15:04:05.999999-07:00"),
	}
}

// Usage is one event of the merchant's, and what it consumes.
type Usage struct {
	EventID            string // the merchant's own; one that is known already consumes nothing. Empty: none
	CustomerID         string
	ExternalCustomerID string // counts where CustomerID is empty
	At                 time.Time
	Draws              []Draw
}

// Draw is what an event takes from one meter.
type Draw struct {
	MeterID   string
	Units     int64 // at least 0
	Overdraft bool  // more than there is may be taken
}

// Consumption is what came of events: all were recorded, or none was.
type Consumption struct {
	Inserted, Duplicates int
	Refused              *Shortage // why none was; nil when all were
}

// Shortage is why events cannot be recorded: one takes more than there is, or the
// customers of some are not known.
type Shortage struct {
	Index     int // of the event, or of the first
	MeterID   string
	Balance   int64
	Units     int64 // that it would take
	Strangers []int // all events whose customers are not known
}

// CustomerMeter is what a customer has of a meter. Its balance is Credited less
// Consumed, which is the sum of its entries but for what has expired.
type CustomerMeter struct {
	ID         string
	MeterID    string
	Customer   Customer
	Credited   int64
	Consumed   int64
	CreatedAt  time.Time
	ModifiedAt time.Time
	MeterSince time.Time // when the meter was first used by anybody
}

// Balance is what is left; less than zero is overdrawn.
func (m CustomerMeter) Balance() int64 { return m.Credited - m.Consumed }

// CustomerMeterFilter chooses customers' meters; an empty field chooses all.
type CustomerMeterFilter struct {
	OrganizationIDs, CustomerIDs, ExternalCustomerIDs, MeterIDs []string
	Names                                                       []Meter // by whose names they may be sorted
	Sort                                                        []Sorting
}

// CreditEntry is one change of a customer's meter. Entries are never changed but
// in what remains of them, and never deleted.
type CreditEntry struct {
	ID           int64
	MeterID      string
	Kind         EntryKind
	Units        int64 // added; less than zero: taken
	Remaining    int64 // of what was added
	Source       int64 // the entry it takes from; 0: none
	FulfilmentID string
	MemberID     string
	EventID      string // the merchant's own
	ExpiresAt    time.Time
	OccurredAt   time.Time
	CreatedAt    time.Time
}

// EntryKind says why an entry was made.
type EntryKind string

// The kinds of entries.
const (
	EntryGrant   EntryKind = "grant"
	EntryCycle   EntryKind = "cycle"
	EntryLapse   EntryKind = "lapse"
	EntryRevoke  EntryKind = "revoke"
	EntryConsume EntryKind = "consume"
)
