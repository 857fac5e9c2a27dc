// Package fulfillertest is the conformance suite every fulfiller must pass.
//
// It knows the contract only: a kind brings its own fake provider in a
// [Harness], and [Run] puts both through what happens in production: repeats,
// races, cancelled calls and a provider that fails.
package fulfillertest

import (
	"testing"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// Harness says how one kind is exercised.
type Harness struct {
	// New makes a fresh world. It is called once a subtest, and subtests run
	// in parallel, so worlds share nothing.
	New func(t *testing.T) World

	// Bad holds parameters that Check must refuse, by what is wrong with them.
	Bad map[string]string

	// Local says that the kind calls no provider over a network: faults it
	// cannot have are skipped. Any other kind must be able to show them.
	Local bool
}

// World is a fulfiller and the fake provider behind it.
type World struct {
	Fulfiller fulfillers.Fulfiller

	// Fulfilment is a sample whose Grant succeeds: the fake provider accepts
	// invitations at once and knows the sample's account.
	Fulfilment grant.Fulfilment

	// Count asks the provider, around any fault, how many times the sample's
	// customer has now what the sample grants: 0 is no access, 1 is granted.
	Count func() int

	// Secrets returns what no error and no property may contain, including
	// what was made during the test. The customer's address is always one.
	Secrets func() []string

	Faults Faults
}

// Faults break the provider until it is healed. Each applies to every call
// that follows.
type Faults struct {
	ServerError     func()                   // answers 5xx; the store of a local kind fails
	TooManyRequests func(wait time.Duration) // answers 429 and names that wait
	Hang            func()                   // answers nothing until the caller gives up
	Malformed       func()                   // answers success with a broken body; nil for a kind that reads none
	Heal            func()
}

// Run checks that the harness's fulfiller keeps the contract of
// [fulfillers.Fulfiller].
func Run(t *testing.T, h Harness) {
	t.Helper()
	for _, s := range []struct {
		name string
		test func(*testing.T, *stage)
	}{
		{"GrantTwiceGrantsOnce", grantTwice},
		{"EightConcurrentGrantsGrantOnce", grantConcurrently},
		{"RevokeUndoes", revokeUndoes},
		{"RevokeTwice", revokeTwice},
		{"RevokeWithoutGrant", revokeWithoutGrant},
		{"GrantAfterRevoke", grantAfterRevoke},
		{"CancelledContext", cancelledContext},
		{"CheckRejectsBadInput", checkRejects},
		{"ServerErrorIsTransient", serverError},
		{"TooManyRequestsCarriesItsWait", tooManyRequests},
		{"HangReturnsByTheDeadline", hang},
		{"MalformedAnswerIsTransient", malformed},
		{"NoSecretInAnyError", noSecret},
		{"PropertiesSurviveJSON", propertiesSurvive},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w := h.New(t)
			s.test(t, &stage{Harness: h, World: w, f: w.Fulfilment})
		})
	}
}
