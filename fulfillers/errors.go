package fulfillers

import (
	"errors"
	"fmt"
	"time"
)

// Class says who can mend an error, and so what happens next.
type Class string

// The error classes. They are metric labels and stay as they are.
const (
	ClassNone           Class = "ok"              // no error
	ClassTransient      Class = "transient"       // time mends it
	ClassThrottled      Class = "throttled"       // time or our operator; no attempt is counted
	ClassActionRequired Class = "action_required" // the customer
	ClassPermanent      Class = "permanent"       // nobody, by waiting
)

// Classes lists every class, for metrics.
var Classes = [...]Class{ClassNone, ClassTransient, ClassThrottled, ClassActionRequired, ClassPermanent}

// Error is a classified failure. Text is shown to people and may be journalled.
type Error struct {
	Class Class
	Code  string        // stable, for programs; may be empty
	Text  string        // what happened and what to do
	Lane  string        // Throttled: what must rest, for example "github:installation:7"
	Wait  time.Duration // Throttled: for how long; Transient: at least so long
	Cause error
}

// Error implements error.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Text
	}
	if e.Text == "" {
		return e.Cause.Error()
	}
	return fmt.Sprintf("%s: %v", e.Text, e.Cause)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Transient says that trying again later may succeed.
func Transient(code string, cause error) error {
	return &Error{Class: ClassTransient, Code: code, Cause: cause}
}

// CodeThrottled is the code of what time alone mends. Any other of the class
// throttled calls for the operator, and there is an alarm.
const CodeThrottled = "throttled"

// Throttled says that the lane must rest for wait; no attempt is counted.
func Throttled(lane string, wait time.Duration, cause error) error {
	return &Error{Class: ClassThrottled, Code: CodeThrottled, Lane: lane, Wait: wait, Cause: cause}
}

// ActionRequired says, in text, what the customer must do.
func ActionRequired(code, text string) error {
	return &Error{Class: ClassActionRequired, Code: code, Text: text}
}

// Permanent says that waiting will not help; text names the mend.
func Permanent(code, text string) error {
	return &Error{Class: ClassPermanent, Code: code, Text: text}
}

// Classify returns err's classified form; an unknown error is transient, and
// nil stays nil.
func Classify(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Class: ClassTransient, Code: "unknown", Cause: err}
}
