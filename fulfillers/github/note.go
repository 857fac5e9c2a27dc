package github

import (
	"encoding/json"
	"fmt"
	"slices"
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

// given is what is remembered of one account in one repository and not shown: of
// what is to be let go, too.
type given struct {
	Repository string `json:"repository"`
	Account    string `json:"account"`
	Since      int64  `json:"since"`                // of the hold that the note is about
	Permission string `json:"permission,omitempty"` // the last that GitHub took from us, or may have
}

// admin says that we have made an administrator of the account.
func (g *given) admin() bool { return levelOf(g.Permission) == admin }

// memory is what the properties hold.
type memory struct {
	AccountID     string   `json:"account_id"`
	InvitationURL string   `json:"invitation_url,omitempty"` // the first that waits
	Repositories  []*note  `json:"repositories"`
	Given         []*given `json:"_given"`
}

// recall reads what the last Grant remembered. The notes are worth nothing for
// another account, or when the operator asks for a new beginning.
func recall(f grant.Fulfilment) *memory {
	var m memory
	text, _ := json.Marshal(f.Properties)
	if json.Unmarshal(text, &m) != nil {
		m = memory{}
	}
	if f.Asked || m.AccountID != f.Account.ID {
		m.Repositories = nil
	}
	m.AccountID = f.Account.ID
	return &m
}

// of finds or begins what is remembered of a hold. When access may have been
// revoked since, what is not there was taken by us, and the note says nothing of
// it; what was given may still be there.
func (m *memory) of(h grant.Hold) (*note, *given) {
	g := m.given(h)
	if g == nil {
		g = &given{Repository: h.Name, Account: h.Account}
		m.Given = append(m.Given, g)
	}
	i := slices.IndexFunc(m.Repositories, func(n *note) bool { return n.Repository == h.Name })
	if i < 0 || g.Since != h.Since {
		g.Since = h.Since
		return &note{Repository: h.Name}, g
	}
	return m.Repositories[i], g
}

// given is nil where nothing is known.
func (m *memory) given(h grant.Hold) *given {
	for _, g := range m.Given {
		if g.Repository == h.Name && g.Account == h.Account {
			return g
		}
	}
	return nil
}

// keep forgets all but the notes of what is still wanted, and what was given of
// all that is held.
func (m *memory) keep(wanted []*note, held []grant.Hold) {
	m.Repositories = wanted
	m.Given = slices.DeleteFunc(m.Given, func(g *given) bool {
		return !slices.ContainsFunc(held, func(h grant.Hold) bool { return h.Name == g.Repository && h.Account == g.Account })
	})
}

// properties is the memory as it is stored and shown.
func (m *memory) properties() grant.Properties {
	m.InvitationURL = ""
	for _, n := range m.Repositories {
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

// begun says that an invitation may have been sent that nobody wrote down.
func (n *note) begun() bool { return n.InvitationID == 0 && !n.Accepted && n.Access == "" }

// accept forgets the invitation, but not how many it took.
func (n *note) accept(level int) {
	*n = note{Repository: n.Repository, Permission: permissionOf(level), Accepted: true, Also: n.Also, Invitations: n.Invitations}
}

func (n *note) nothingToDo(why string, level int) {
	*n = note{Repository: n.Repository, Permission: permissionOf(level), Access: why, Invitations: n.Invitations}
}

// invited writes an invitation down.
func (n *note) invited(i *invitation, level int) {
	n.Permission, n.Accepted, n.Access = permissionOf(level), false, ""
	n.InvitationID, n.InvitationURL = i.GetID(), i.GetHTMLURL()
	n.InvitedAt = i.GetCreatedAt().UTC().Format(time.RFC3339)
	n.ExpiresAt = i.GetCreatedAt().Add(invitationLife).UTC().Format(time.RFC3339)
	n.Invitations = max(n.Invitations, 1)
}

func (n *note) text(u user) string {
	end, _ := time.Parse(time.RFC3339, n.ExpiresAt)
	return fmt.Sprintf("%s is invited to %s; the invitation expires on %s; accept at %s as %s",
		u.login, n.Repository, end.Format(time.DateOnly), n.InvitationURL, u.login)
}
