package grant

import (
	"encoding/json"
	"time"
)

// Acceptance says what came of handing an event to the ledger.
type Acceptance string

// What can come of it.
const (
	Accepted  Acceptance = "accepted"
	Duplicate Acceptance = "duplicate" // known already: the same fact sent again
	Conflict  Acceptance = "conflict"  // its id is known, with another body
)

// Decoded is an event with what it says, or why it could not be read.
type Decoded struct {
	Event Event
	News  News
	Err   error
}

// Due names a fulfilment that wants work.
type Due struct {
	ID         string
	Kind       string
	Generation int64
	Starts     int64 // leases taken so far
	Revoke     bool
}

// Held is a fulfilment under a lease, with what is owed for it.
type Held struct {
	Fulfilment
	Verdict Verdict
	Token   string    // proves the lease
	Starts  int64     // leases taken so far, this one included
	Seen    bool      // the generation was seen through to its end before
	EventAt time.Time // when the event that caused the generation happened, or came to us; zero when not known
	Cycles  []string  // renewals still to be acted on, in order
}

// Outcome is what a worker saw and did, to be recorded.
type Outcome struct {
	Action     Action
	State      State
	Properties Properties      // of a Grant that succeeded; nil leaves what is there
	Applied    json.RawMessage // the parameters of that Grant
	LetGo      []Resource      // what is not held any more
	Worked     bool            // what is held works
	CycleDone  string          // the renewal that was acted on
	Done       bool            // what the generation stands for is true now
	Attempts   int
	Since      time.Time
	DueAt      time.Time // the next step; zero for none
	Class      string    // of the error; empty for none
	Code       string
	Text       string
	Took       time.Duration
}

// Action is what a worker does about a fulfilment.
type Action string

// The actions. They are metric labels and stay as they are.
const (
	DoNothing Action = "none"
	DoGrant   Action = "grant"
	DoRevoke  Action = "revoke"
	DoCycle   Action = "cycle"
)
