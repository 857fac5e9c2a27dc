package grant

import (
	"encoding/json"
	"strings"
	"time"
)

// Grant is one customer's claim to one benefit, through one purchase (the
// scope: a subscription or an order).
type Grant struct {
	ID             string
	BenefitID      string
	CustomerID     string
	MemberID       string // the person of a team customer; else empty
	SubscriptionID string
	OrderID        string
	Source         Source

	CreatedAt      time.Time
	ModifiedAt     time.Time
	GrantedAt      time.Time
	RevokedAt      time.Time
	FirstGrantedAt time.Time // the earliest GrantedAt ever seen
	Error          json.RawMessage
	Properties     json.RawMessage // the platform's own, for example account_id
	Previous       json.RawMessage // its previous_properties

	Word    Word
	Version Version
	Cycle   string // key of the renewal this event is about; else empty
}

// Source says who decides about a grant.
type Source string

// The sources of grants. A benefit has one source.
const (
	Platform  Source = "platform"  // the platform's benefit_grant.* events
	Catalogue Source = "catalogue" // fulfilld's own catalogue
)

// Word is what the shop says about a grant.
type Word string

// The shop's words. When two have one version, the stronger counts:
// revoked, then granted, then none.
const (
	SaysNone    Word = "none" // neither: the customer must act first
	SaysGranted Word = "granted"
	SaysRevoked Word = "revoked"
)

// Said remembers when the shop last said each word. Keeping the three clocks
// apart makes merging commutative and idempotent.
type Said struct {
	None, Granted, Revoked Version
}

// Hear merges one word into what was said before.
func (s Said) Hear(w Word, v Version) Said {
	switch w {
	case SaysGranted:
		s.Granted = s.Granted.Newer(v)
	case SaysRevoked:
		s.Revoked = s.Revoked.Newer(v)
	default:
		s.None = s.None.Newer(v)
	}
	return s
}

// Word returns what counts. None never takes back what was granted: the
// platform says it when a renewal needs the customer, not when access ends.
func (s Said) Word() Word {
	switch {
	case s.Granted.IsZero() && s.Revoked.IsZero():
		return SaysNone
	case s.Revoked.Compare(s.Granted) >= 0:
		return SaysRevoked
	default:
		return SaysGranted
	}
}

// Gave reports whether the platform itself has given an account the resource, for
// this grant: its own words, in what it says of the grant now or said before.
func (g Grant) Gave(r Resource) bool {
	for _, text := range []json.RawMessage{g.Properties, g.Previous} {
		var p given
		_ = json.Unmarshal(text, &p) // whatever else it holds is not ours to judge
		if r.Account != "" && p.AccountID == r.Account && p.names(r.Name) {
			return true
		}
	}
	return false
}

// given is what the platform has given, in its words.
type given struct {
	AccountID  string `json:"granted_account_id"`
	Owner      string `json:"repository_owner"`
	Repository string `json:"repository_name"`
	Guild      string `json:"guild_id"`
	Role       string `json:"role_id"`
}

func (p given) names(resource string) bool {
	switch {
	case p.Guild != "":
		return resource == p.Guild || resource == p.Guild+"/"+p.Role
	case p.Owner != "":
		return resource == strings.ToLower(p.Owner+"/"+p.Repository)
	}
	return true // it does not say what
}
