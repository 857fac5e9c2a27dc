// Package shape has the nouns as the platform writes them in JSON, for whoever
// answers or sends them.
//
// It does not know to whom, nor where they come from.
package shape

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"fulfilld/grant"
)

// Time is a time as the platform writes it: UTC, microseconds unless they are
// zero, null for none.
type Time time.Time

// MarshalJSON implements json.Marshaler.
func (s Time) MarshalJSON() ([]byte, error) {
	t := time.Time(s).UTC()
	layout := `"2006-01-02T15:04:05.000000Z"`
	switch {
	case t.IsZero():
		return []byte("null"), nil
	case t.Nanosecond() < 1000:
		layout = `"2006-01-02T15:04:05Z"`
	}
	return []byte(t.Format(layout)), nil
}

// Text is a string that is null when there is none.
type Text string

// MarshalJSON implements json.Marshaler.
func (t Text) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(t))
}

// Object is what the platform sent, or otherwise when it sent nothing.
func Object(body json.RawMessage, otherwise string) json.RawMessage {
	if len(body) == 0 {
		return json.RawMessage(otherwise)
	}
	return body
}

// Grant is the platform's BenefitGrant.
type Grant struct {
	CreatedAt      Time            `json:"created_at"`
	ModifiedAt     Time            `json:"modified_at"`
	ID             string          `json:"id"`
	GrantedAt      Time            `json:"granted_at"`
	IsGranted      bool            `json:"is_granted"`
	RevokedAt      Time            `json:"revoked_at"`
	IsRevoked      bool            `json:"is_revoked"`
	SubscriptionID Text            `json:"subscription_id"`
	OrderID        Text            `json:"order_id"`
	CustomerID     string          `json:"customer_id"`
	MemberID       Text            `json:"member_id"`
	BenefitID      string          `json:"benefit_id"`
	Error          json.RawMessage `json:"error"`
	Customer       json.RawMessage `json:"customer"`
	Member         json.RawMessage `json:"member"`
	Benefit        json.RawMessage `json:"benefit"`
	Properties     json.RawMessage `json:"properties"`
}

// OfGrant writes a grant: is_granted, is_revoked and the two times are the shop's
// word.
func OfGrant(v grant.View) Grant {
	g := Grant{
		CreatedAt: Time(v.CreatedAt), ModifiedAt: Time(v.ModifiedAt), ID: v.ID,
		GrantedAt: Time(v.GrantedAt), IsGranted: v.Word == grant.SaysGranted,
		RevokedAt: Time(v.RevokedAt), IsRevoked: v.Word == grant.SaysRevoked,
		SubscriptionID: Text(v.SubscriptionID), OrderID: Text(v.OrderID),
		CustomerID: v.CustomerID, MemberID: Text(v.MemberID), BenefitID: v.BenefitID,
		Error: Object(v.Error, "null"), Customer: Object(v.Customer.Body, "null"), Member: json.RawMessage("null"),
		Benefit: Object(v.Benefit.Body, "null"), Properties: Properties(v),
	}
	if v.Member != nil {
		g.Member = Object(v.Member.Body, "null")
	}
	return g
}

// theirs are the properties in which the platform says which account is the
// customer's, and what it has itself given it. They belong together, and stay its
// word whatever we gave to whom: a role of theirs in a server of ours is none.
var theirs = [...]string{"account_id", "granted_account_id", "guild_id", "role_id", "repository_owner", "repository_name", "permission"}

// Properties is what the shop says of a grant, and what its fulfilments add to
// show: where an invitation waits, which key was issued. What is theirs is the
// shop's word. Of all else that both name, a key, files, credits, only ours is to be
// had here: the platform's own key is one that we do not know.
func Properties(v grant.View) json.RawMessage {
	ours := map[string]json.RawMessage{}
	for i := len(v.Fulfilments) - 1; i >= 0; i-- { // of two, the first counts
		maps.Copy(ours, shown(v.Fulfilments[i]))
	}
	if len(ours) == 0 {
		return Object(v.Properties, "{}")
	}
	all := map[string]json.RawMessage{}
	_ = json.Unmarshal(v.Properties, &all) // whatever else it holds adds nothing
	for key, value := range ours {
		if _, said := all[key]; !said || !slices.Contains(theirs[:], key) {
			all[key] = value
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return Object(v.Properties, "{}")
	}
	return text
}

// Shown is a fulfilment's properties without what is only remembered.
func Shown(f grant.FulfilmentView) json.RawMessage {
	text, err := json.Marshal(shown(f))
	if err != nil {
		return json.RawMessage("{}")
	}
	return text
}

func shown(f grant.FulfilmentView) map[string]json.RawMessage {
	p := map[string]json.RawMessage{}
	_ = json.Unmarshal(f.Properties, &p) // our own marshalling
	maps.DeleteFunc(p, func(key string, _ json.RawMessage) bool { return grant.Unshown(key) })
	return p
}

// Benefit is the platform's, as far as we know one without its own object.
type Benefit struct {
	ID             string          `json:"id"`
	Type           string          `json:"type"`
	Description    string          `json:"description"`
	IsDeleted      bool            `json:"is_deleted"`
	OrganizationID Text            `json:"organization_id"`
	Metadata       map[string]any  `json:"metadata"`
	Properties     json.RawMessage `json:"properties"`
}

// OfBenefit is the platform's own object; of an own benefit, what we know.
func OfBenefit(b grant.Benefit) any {
	if len(b.Body) > 0 {
		return b.Body
	}
	return Benefit{b.ID, b.Type, b.Description, !b.DeletedAt.IsZero(), Text(b.OrganizationID), b.Metadata, Object(b.Properties, "{}")}
}
