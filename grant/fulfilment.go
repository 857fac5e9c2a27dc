package grant

import (
	"encoding/json"
	"strings"
	"time"
)

// Fulfilment is one kind's part of one grant: what a fulfiller is asked to
// bring about. It is read under a lease and never changes while it is held.
type Fulfilment struct {
	ID         string // "<grant id>.<kind>"
	Kind       string
	Generation int64
	State      State
	Grant      Grant
	Benefit    Benefit
	Customer   Customer
	Member     *Member
	Target     Target
	Applied    json.RawMessage // the parameters of the last Grant that succeeded
	Properties Properties      // what the last Grant returned
	Attempts   int             // failed attempts in a row
	Since      time.Time       // the first of them

	Account Account // of a kind that deals with accounts, once it is known
	Holds   []Hold  // the resources it holds, is about to, or is to let go
	Asked   bool    // the operator asked for it to be tried again
}

// FulfilmentID names the fulfilment of a grant by a kind.
func FulfilmentID(grantID, kind string) string { return grantID + "." + kind }

// KindOf is the kind in a fulfilment's id.
func KindOf(id string) string { return id[strings.LastIndexByte(id, '.')+1:] }

// GrantOf is the grant in a fulfilment's id.
func GrantOf(id string) string { return strings.TrimSuffix(id, "."+KindOf(id)) }

// Properties is what a fulfiller wants remembered and shown about a grant:
// JSON values only, no secret.
type Properties map[string]any

// Unshown reports whether a property is remembered only: its name begins with _.
func Unshown(property string) bool { return strings.HasPrefix(property, "_") }

// Shows reports whether any property is not only remembered.
func (p Properties) Shows() bool {
	for name := range p {
		if !Unshown(name) {
			return true
		}
	}
	return false
}

// State says how far a fulfilment has come.
type State string

// The states of a fulfilment.
const (
	Pending   State = "pending"   // owed or undecided, not yet done
	Granted   State = "granted"   // done and recorded
	Waiting   State = "waiting"   // the customer must act
	Failed    State = "failed"    // a person must look
	Revoking  State = "revoking"  // owed to be gone, not yet confirmed
	Revoked   State = "revoked"   // confirmed gone
	Unmanaged State = "unmanaged" // no fulfiller of its kind is switched on
)

// States lists every state, the one most in need of a person first. A grant
// shows the first that any of its fulfilments is in.
var States = [...]State{Failed, Revoking, Waiting, Pending, Granted, Revoked, Unmanaged}

// Worst returns the state a grant shows for its fulfilments' states.
func Worst(states ...State) State {
	for _, s := range States {
		for _, have := range states {
			if have == s {
				return s
			}
		}
	}
	return Unmanaged
}
