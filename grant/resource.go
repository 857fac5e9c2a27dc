package grant

import (
	"context"
	"time"
)

// Account is somebody's account at a provider.
type Account struct {
	Provider string // "github", "discord"
	ID       string // the provider's numeric id: the key; empty while only Name is known
	Name     string // its name there when it was linked; it may have changed since
	How      string // who said so: grant, linked, custom_field or customer_metadata
	Verified bool   // its owner has proved that it is theirs
}

// Identity is an account that is known of a customer, or of one of its members.
type Identity struct {
	Account
	MemberID string // empty: the customer alone
	LinkedAt time.Time
}

// Words says where a customer may have written which account is theirs, at one
// provider. Empty is nowhere.
type Words struct {
	CustomField      string // a key of the order's or subscription's custom_field_data
	CustomerMetadata string // a key of the customer's metadata
}

// Resource is something an account can have at a provider.
type Resource struct {
	Provider string
	Name     string // "acme/pro", "<guild>/<role>": lower case, what the provider compares by
	Account  string // the account's numeric id
	Level    int    // a higher one includes the lower; 1 where there is but one
}

// Key is the resource whatever its level.
func (r Resource) Key() Resource {
	r.Level = 0
	return r
}

// Access is what an account has of a resource.
type Access struct {
	Level     int
	Elsewhere bool // it comes with something else, such as a team: the resource itself gives nothing
}

// Origin says where an account's access to a resource comes from.
type Origin string

// The origins.
const (
	FromUs        Origin = "ours"        // there was none before
	FromPlatform  Origin = "platform"    // the platform gave it, for this grant: it goes with it
	FromBefore    Origin = "preexisting" // it was there for another reason: it stays
	FromElsewhere Origin = "elsewhere"   // it was there, not by the resource itself: it stays, and all that was given beside it goes
)

// Hold is a resource as one fulfilment sees it. Level is what this fulfilment
// holds; 0 when it lets go.
type Hold struct {
	Resource
	Others int    // the highest level that other fulfilments hold
	Origin Origin // empty until it has been judged
	Before int    // the level that was there before, and stays
	Worked bool   // a Grant of this fulfilment has succeeded with it
	Since  int64  // the generation in which this fulfilment came to hold it, or last began to let it go
}

// Owed is the level that the account is to have: 0 is no access, beside what
// comes from elsewhere.
func (h Hold) Owed() int {
	if h.Origin == FromElsewhere && h.Level == 0 && h.Others == 0 {
		return 0
	}
	return max(h.Level, h.Others, h.Before)
}

// Limit is how much a provider allows: Calls in any stretch of Per. Spare of
// them are left to what is urgent.
type Limit struct {
	Calls int
	Per   time.Duration
	Spare int
}

// ApprovalCode is the error code of what waits for an operator's approval.
const ApprovalCode = "approval"

// Lane is what rests together when a provider says so: an installation, a bot.
type Lane struct {
	Name  string // "github:installation:7", "discord:guild:1"
	Until time.Time
	Why   string
}

type callerKey struct{}

// WithCaller says for whom a provider is called: whoever waits for a lane keeps
// its place in it.
func WithCaller(ctx context.Context, fulfilmentID string) context.Context {
	return context.WithValue(ctx, callerKey{}, fulfilmentID)
}

// Caller is for whom a provider is called; empty when nobody has said.
func Caller(ctx context.Context) string {
	id, _ := ctx.Value(callerKey{}).(string)
	return id
}
