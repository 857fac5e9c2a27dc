package github

import (
	"encoding/json"
	"fmt"
	"time"

	"fulfilld/grant"
)

// note is what is remembered, and shown, of one repository.
type note struct {
	Repository    string `json:"repository"`
	Permission    string `json:"permission"`
	Accepted      bool   `json:"accepted,omitempty"`
	Access        string `json:"access,omitempty"` // why there was nothing to do
	Also          string `json:"also,omitempty"`   // what remained after a role was set: others give it
	InvitationID  int64  `json:"invitation_id,omitempty"`
	InvitationURL string `json:"invitation_url,omitempty"`
	InvitedAt     string `json:"invited_at,omitempty"`
	ExpiresAt     string `json:"expires_at,omitempty"`
	Invitations   int    `json:"invitations,omitempty"` // sent so far
}

// Why there can be nothing to do.
const (
	accessProtected = "protected"
	accessOther     = "other" // owner, team or base role
)

// memory is what the properties hold.
type memory struct {
	AccountID     string  `json:"account_id"`
	Generation    int64   `json:"generation"`
	InvitationURL string  `json:"invitation_url,omitempty"` // the first that waits
	Repositories  []*note `json:"repositories"`
}

// recall reads what the last Grant remembered. It is worth nothing for another
// account, when the operator asks for a new beginning, or when access may have
// been revoked since, which takes a generation of its own: then what is not
// there was taken by us.
func recall(f grant.Fulfilment) *memory {
	var m memory
	text, _ := json.Marshal(f.Properties)
	if json.Unmarshal(text, &m) != nil || f.Asked || m.AccountID != f.Account.ID || f.Generation > m.Generation+1 {
		m = memory{}
	}
	m.AccountID, m.Generation = f.Account.ID, f.Generation
	return &m
}

// of finds or begins the note of a hold.
func (m *memory) of(h grant.Hold) *note {
	for _, n := range m.Repositories {
		if n.Repository == h.Name {
			return n
		}
	}
	n := &note{Repository: h.Name}
	m.Repositories = append(m.Repositories, n)
	return n
}

// properties keeps the notes of what is still wanted.
func (m *memory) properties(wanted []*note) grant.Properties {
	m.Repositories, m.InvitationURL = wanted, ""
	for _, n := range wanted {
		if m.InvitationURL == "" && n.pending() {
			m.InvitationURL = n.InvitationURL
		}
	}
	var p grant.Properties
	text, _ := json.Marshal(m)
	_ = json.Unmarshal(text, &p) // it was JSON a moment ago
	return p
}

func (n *note) pending() bool { return n.InvitationID != 0 && !n.Accepted }

// accept forgets the invitation, but not how many it took.
func (n *note) accept(level int) {
	*n = note{Repository: n.Repository, Permission: permissionOf(level), Accepted: true, Also: n.Also, Invitations: n.Invitations}
}

func (n *note) nothingToDo(why string, level int) {
	*n = note{Repository: n.Repository, Permission: permissionOf(level), Access: why}
}

// invited writes an invitation down.
func (n *note) invited(i *invitation, level int) {
	n.Permission, n.Accepted, n.Access = permissionOf(level), false, ""
	n.InvitationID, n.InvitationURL = i.GetID(), i.GetHTMLURL()
	n.InvitedAt = i.GetCreatedAt().UTC().Format(time.RFC3339)
	n.ExpiresAt = i.GetCreatedAt().Add(invitationLife).UTC().Format(time.RFC3339)
	n.Invitations = max(n.Invitations, 1)
}

// over says whether the invitation written down has come to its end.
func (n *note) over(now time.Time) bool {
	end, err := time.Parse(time.RFC3339, n.ExpiresAt)
	return err == nil && !now.Before(end)
}

func (n *note) text(u user) string {
	end, _ := time.Parse(time.RFC3339, n.ExpiresAt)
	return fmt.Sprintf("%s is invited to %s; the invitation expires on %s; accept at %s as %s",
		u.login, n.Repository, end.Format(time.DateOnly), n.InvitationURL, u.login)
}
