package fakediscord

// The methods here are what people do in their clients, past the API: they need
// no permission and count against no limit.

// Join makes a user a member, as if by an invite of the guild's own. The error
// is an *Error: banned, full, too many guilds, unknown user.
func (s *Server) Join(guild, user string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.mustGuild(guild)
	if g.members[user] != nil {
		return nil
	}
	_, err := s.join(g, user)
	return err
}

// JoinBy lets a user follow an invite. It gives its roles also to one who is a
// member already; only a join counts as a use. The error is an *Error: what has
// expired or was used up is an unknown invite.
func (s *Server) JoinBy(code, user string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	in, err := s.invite(code)
	if err != nil {
		return err
	}
	g := s.guilds[in.GuildID]
	m := g.members[user]
	if m == nil {
		if m, err = s.join(g, user); err != nil {
			return err
		}
		s.use(in)
	}
	for _, role := range in.Roles {
		if g.roles[role] != nil {
			m.give(role)
		}
	}
	return nil
}

// use counts; the last use ends the invite.
func (s *Server) use(in *Invite) {
	in.Uses++
	if in.Uses == in.MaxUses {
		delete(s.invites, in.Code)
	}
}

// Agree accepts a guild's rules: the member is pending no longer.
func (s *Server) Agree(guild, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustGuild(guild).mustMember(user).Pending = false
}

// Leave takes a user out of a guild by their own will; their roles are gone.
func (s *Server) Leave(guild, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustGuild(guild).remove(user)
}

// Ban bans a user in the owner's name, who need not be a member.
func (s *Server) Ban(guild, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.mustGuild(guild)
	s.ban(g, g.OwnerID, s.mustUser(user).ID, "")
}

// Unban lifts a ban in the owner's name.
func (s *Server) Unban(guild, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.mustGuild(guild)
	s.unban(g, g.OwnerID, user, "")
}

// AddRoleByHand gives a member a role in the owner's name.
func (s *Server) AddRoleByHand(guild, user, role string) {
	s.byHand(guild, user, role, (*Member).give)
}

// RemoveRoleByHand takes a role from a member in the owner's name.
func (s *Server) RemoveRoleByHand(guild, user, role string) {
	s.byHand(guild, user, role, (*Member).take)
}

func (s *Server) byHand(guild, user, role string, change func(*Member, string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.mustGuild(guild)
	if change(g.mustMember(user), g.mustRole(role).ID) {
		s.log(g, AuditEntry{Action: RoleUpdate, ActorID: g.OwnerID, TargetID: user, RoleID: role})
	}
}

// mustMember is for callers that let the user join themselves.
func (g *guild) mustMember(user string) *Member {
	if g.members[user] == nil {
		panic("fakediscord: guild " + g.ID + " has no member " + user)
	}
	return g.members[user]
}
