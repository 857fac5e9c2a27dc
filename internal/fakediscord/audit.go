package fakediscord

import (
	"slices"
	"time"
)

// Action is what an entry of the audit log is about, in Discord's words.
type Action string

// The actions that are logged.
const (
	RoleUpdate      Action = "MEMBER_ROLE_UPDATE"
	MemberUpdate    Action = "MEMBER_UPDATE"
	MemberKick      Action = "MEMBER_KICK"
	MemberBanAdd    Action = "MEMBER_BAN_ADD"
	MemberBanRemove Action = "MEMBER_BAN_REMOVE"
	InviteCreate    Action = "INVITE_CREATE"
	InviteDelete    Action = "INVITE_DELETE"
)

// AuditEntry is one change to a guild, as its owner reads it.
type AuditEntry struct {
	At       time.Time
	Action   Action
	ActorID  string // the bot, or the owner for what is done by hand
	TargetID string // a user, or an invite's code
	RoleID   string // of a RoleUpdate
	Reason   string // as decoded from X-Audit-Log-Reason
}

// AuditLog are the changes to a guild, oldest first. What changed nothing is not
// in it, nor who joins and leaves.
func (s *Server) AuditLog(guild string) []AuditEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mustGuild(guild).audit)
}

func (s *Server) log(g *guild, e AuditEntry) {
	e.At = s.now()
	g.audit = keepLast(append(g.audit, e), s.keep)
}
