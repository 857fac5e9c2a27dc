package grant

import (
	"encoding/json"
	"time"
)

// Page is a part of a list: number counts from 1, limit is its size.
type Page struct{ Number, Limit int }

// Offset is how many items come before the page.
func (p Page) Offset() int64 { return int64(p.Number-1) * int64(p.Limit) }

// Sorting is one criterion of a list's order.
type Sorting struct {
	By         string
	Descending bool
}

// BenefitFilter chooses benefits; an empty field chooses all.
type BenefitFilter struct {
	IDs, ExcludeIDs, Types, OrganizationIDs []string
	Metadata                                map[string][]string // for each key, the values it may have, as text
	Query                                   string              // part of the description, in either case
	Sort                                    []Sorting
}

// GrantFilter chooses grants; an empty field chooses all.
type GrantFilter struct {
	BenefitIDs, CustomerIDs, ExternalCustomerIDs, MemberIDs, OrganizationIDs []string
	States                                                                   []State // as the grant shows them, see [Worst]
	Granted                                                                  *bool   // whether the shop's word is granted
	Sort                                                                     []Sorting
}

// LicenseKeyFilter chooses license keys; an empty field chooses all.
type LicenseKeyFilter struct {
	OrganizationIDs, BenefitIDs, CustomerIDs, MemberIDs []string
	Statuses                                            []string // see [LicenseKey.Status]
	Sort                                                []Sorting
}

// EventFilter chooses events; an empty field chooses all.
type EventFilter struct {
	States []EventState
	Types  []string
}

// CustomerFilter chooses customers; an empty field chooses all.
type CustomerFilter struct {
	OrganizationIDs []string
	Query           string // an id, an external id, or how the e-mail address begins
}

// View is a grant as people look at it: what the shop said, and what has come
// of it.
type View struct {
	Grant
	Benefit     Benefit
	Customer    Customer // its body is empty when nothing is known but the id
	Member      *Member
	Override    Override
	State       State // the worst of its fulfilments'
	Fulfilments []FulfilmentView
}

// FulfilmentView is one kind's part of it.
type FulfilmentView struct {
	ID         string
	GrantID    string
	Kind       string
	State      State
	Because    string // why it is owed so: a stable word
	Generation int64
	Attempts   int       // failed ones in a row
	Since      time.Time // the first of them
	DueAt      time.Time // the next step; zero for none
	DoneAt     time.Time // when what is owed was last seen to be so
	UpdatedAt  time.Time
	LastError  Trouble
	Properties json.RawMessage
	Applied    json.RawMessage // the parameters of the last Grant that succeeded
	Journal    []Attempt       // the latest, oldest first; only where one grant is asked for
}

// Trouble is why an attempt failed; the zero value is that it did not.
type Trouble struct{ Class, Code, Text string }

// Attempt is an entry of the journal: one attempt, or several in a row that
// ended alike.
type Attempt struct {
	FulfilmentID string
	Action       Action
	Trouble      Trouble
	Took         time.Duration // the last one
	Count        int64
	First, Last  time.Time
}

// LicenseKeyView is a license key with whose it is.
type LicenseKeyView struct {
	LicenseKey
	Customer Customer
}

// Workload is how much of a kind's work waits.
type Workload struct {
	Due     int64 // wants work now
	Overdue int64 // and has for more than a minute
}
