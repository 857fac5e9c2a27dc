package fakediscord

import (
	"cmp"
	"slices"
)

// Role is a set of permissions with a place in the guild's hierarchy.
type Role struct {
	ID          string // given if empty; that of @everyone is the guild's
	Name        string
	Position    int // 0 is 1, just above @everyone; a bot gives roles strictly below its own highest
	Permissions int64
	Managed     bool   // by an integration; nobody else gives or takes it
	BotID       string // whose own role it is
}

// NewRole adds a role to a guild and returns it with its id.
func (s *Server) NewRole(guild string, r Role) Role {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.ID = cmp.Or(r.ID, s.newID())
	r.Name = cmp.Or(r.Name, "new role")
	r.Position = cmp.Or(r.Position, 1)
	s.mustGuild(guild).roles[r.ID] = &r
	return r
}

// MoveRole moves a role up or down the hierarchy.
func (s *Server) MoveRole(guild, role string, position int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustGuild(guild).mustRole(role).Position = position
}

// SetPermissions changes what a role allows; the role of the guild's own id is
// @everyone.
func (s *Server) SetPermissions(guild, role string, permissions int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustGuild(guild).mustRole(role).Permissions = permissions
}

// DeleteRole deletes a role and takes it from all who have it.
func (s *Server) DeleteRole(guild, role string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.mustGuild(guild)
	g.mustRole(role)
	g.dropRole(role)
}

func (g *guild) dropRole(role string) {
	delete(g.roles, role)
	for _, m := range g.members {
		m.take(role)
	}
}

// mustRole is for callers that made the role themselves.
func (g *guild) mustRole(id string) *Role {
	if g.roles[id] == nil {
		panic("fakediscord: guild " + g.ID + " has no role " + id)
	}
	return g.roles[id]
}

// give reports whether it changed anything.
func (m *Member) give(role string) bool {
	if slices.Contains(m.Roles, role) {
		return false
	}
	m.Roles = append(m.Roles, role)
	return true
}

// take reports whether it changed anything.
func (m *Member) take(role string) bool {
	i := slices.Index(m.Roles, role)
	if i < 0 {
		return false
	}
	m.Roles = slices.Delete(m.Roles, i, i+1)
	return true
}

func (s *Server) putMemberRole(c *call) (answer, error) { return s.changeRole(c, (*Member).give) }

func (s *Server) deleteMemberRole(c *call) (answer, error) { return s.changeRole(c, (*Member).take) }

// changeRole answers the same whether or not there was anything to change, but
// only a change is in the audit log.
func (s *Server) changeRole(c *call, change func(*Member, string) bool) (answer, error) {
	role := c.param["role_id"]
	if err := c.guild.mayGive(c.bot.ID, role); err != nil {
		return answer{}, err
	}
	if change(c.member, role) {
		s.log(c.guild, AuditEntry{Action: RoleUpdate, ActorID: c.bot.ID, TargetID: c.member.UserID, RoleID: role, Reason: c.reason})
	}
	return noContent, nil
}
