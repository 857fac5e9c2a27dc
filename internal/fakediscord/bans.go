package fakediscord

// Banned reports whether a user is banned from a guild.
func (s *Server) Banned(guild, user string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, is := s.mustGuild(guild).bans[user]
	return is
}

func (s *Server) ban(g *guild, by, user, why string) {
	g.remove(user)
	g.bans[user] = why
	s.log(g, AuditEntry{Action: MemberBanAdd, ActorID: by, TargetID: user, Reason: why})
}

func (s *Server) unban(g *guild, by, user, why string) {
	delete(g.bans, user)
	s.log(g, AuditEntry{Action: MemberBanRemove, ActorID: by, TargetID: user, Reason: why})
}

func (s *Server) getBan(c *call) (answer, error) {
	user := c.param["user_id"]
	why, is := c.guild.bans[user]
	if !is {
		return answer{}, unknownBan
	}
	return ok(object{"reason": nilIfEmpty(why), "user": s.users[user].body()}), nil
}

func (s *Server) putBan(c *call) (answer, error) {
	u, err := s.user(c.param["user_id"])
	if err != nil {
		return answer{}, err
	}
	if !c.guild.outranks(c.bot.ID, u.ID) {
		return answer{}, missingPermissions
	}
	s.ban(c.guild, c.bot.ID, u.ID, c.reason)
	return noContent, nil
}

func (s *Server) deleteBan(c *call) (answer, error) {
	user := c.param["user_id"]
	if _, is := c.guild.bans[user]; !is {
		return answer{}, unknownBan
	}
	s.unban(c.guild, c.bot.ID, user, c.reason)
	return noContent, nil
}
