package portal

import (
	"encoding/json"
	"net/url"
	"time"

	"fulfilld/grant"
)

// kinds are what customers call them.
var kinds = map[string]string{
	"custom": "Access", "discord": "Discord", "downloadables": "Files", "feature_flag": "Feature",
	"github_repository": "GitHub", "license_keys": "License key", "meter_credit": "Credits",
}

// told is what a state means to a customer.
type told struct{ word, tone, text string }

var states = map[grant.State]told{
	grant.Pending:  {"In preparation", "busy", "This takes a moment. Load the page again to see how far it is."},
	grant.Granted:  {"Ready", "good", ""},
	grant.Waiting:  {"Your turn", "yours", ""},
	grant.Failed:   {"Delayed", "bad", "Something went wrong on the seller's side. They can see it too."},
	grant.Revoking: {"Ending", "over", ""},
	grant.Revoked:  {"Ended", "over", ""},
}

// tell finds the words for a fulfilment.
func tell(f grant.FulfilmentView) told {
	t, ok := states[f.State]
	if !ok {
		return told{}
	}
	if f.State != grant.Waiting {
		return t
	}
	turn := grant.TurnOf(f.LastError.Code)
	if !turn.Yours {
		return told{"In preparation", "busy", turn.Text}
	}
	t.text = turn.Text
	return t
}

// shown is what may be shown of a fulfilment's properties.
type shown struct {
	Note          string `json:"note"`
	InvitationURL string `json:"invitation_url"`
	InviteURL     string `json:"invite_url"`
	InviteExpires string `json:"invite_expires_at"`
	ActivationURL string `json:"activation_url"`
	CreditedUnits *int64 `json:"last_credited_units"`
	Repositories  []repository
}

type repository struct {
	Repository string `json:"repository"`
	Permission string `json:"permission"`
	ExpiresAt  string `json:"expires_at"`
	Accepted   bool   `json:"accepted"`
}

func shownOf(f grant.FulfilmentView) (s shown) {
	_ = json.Unmarshal(f.Properties, &s) // what is of another form is not for here
	return s
}

// invitation is where a customer who is waited for goes on.
func (s shown) invitation() *link {
	for _, l := range []link{{s.InvitationURL, "Accept the invitation"}, {s.InviteURL, "Join the server"}} {
		if leadsOut(l.URL) {
			return &l
		}
	}
	return nil
}

// leadsOut reports whether an address may be offered as a link.
func leadsOut(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "https" && u.Host != ""
}

// date is a day, for people.
func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2 January 2006")
}

func dateOf(text string) string {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return ""
	}
	return date(t)
}
