package fakediscord

import (
	"slices"
	"time"
)

// maxGuilds is how many guilds an account can be in.
const maxGuilds = 100

// Member is a user in a guild.
type Member struct {
	UserID   string
	Nick     string
	Roles    []string
	JoinedAt time.Time
	Pending  bool // has not yet agreed to the guild's rules
}

// Member is what a guild knows of a user; false if not a member.
func (s *Server) Member(guild, user string) (Member, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mustGuild(guild).members[user]
	if m == nil {
		return Member{}, false
	}
	out := *m
	out.Roles = slices.Clone(m.Roles)
	return out, true
}

// Roles are the ids of a member's roles, sorted; nil if not a member.
func (s *Server) Roles(guild, user string) []string {
	m, _ := s.Member(guild, user)
	slices.Sort(m.Roles)
	return m.Roles
}

// findMember tells an account that is elsewhere from one that is not.
func (s *Server) findMember(c *call) error {
	id := c.param["user_id"]
	if c.member = c.guild.members[id]; c.member != nil {
		return nil
	}
	if _, err := s.user(id); err != nil {
		return err
	}
	return unknownMember
}

// join makes a user a member unless the guild or the account forbids it.
func (s *Server) join(g *guild, id string) (*Member, error) {
	u, err := s.user(id)
	if err != nil {
		return nil, err
	}
	if _, isBanned := g.bans[id]; isBanned {
		return nil, banned
	}
	if u.Elsewhere+s.guildsOf(id) >= maxGuilds {
		return nil, tooManyGuilds
	}
	if len(g.members) >= g.MaxMembers {
		return nil, guildFull
	}
	m := &Member{UserID: id, JoinedAt: s.now(), Pending: g.Screening}
	g.members[id] = m
	return m, nil
}

func (s *Server) guildsOf(user string) int {
	n := 0
	for _, g := range s.guilds {
		if g.members[user] != nil {
			n++
		}
	}
	return n
}

// remove takes someone out of the guild. A bot's own role goes with it.
func (g *guild) remove(user string) {
	if r := g.roleOf(user); r != nil {
		g.dropRole(r.ID)
	}
	delete(g.members, user)
}

func (s *Server) getMember(c *call) (answer, error) { return ok(s.memberBody(c.member)), nil }

// putMember adds a user who agreed to it. For one who is a member already it
// changes nothing, roles included.
func (s *Server) putMember(c *call) (answer, error) {
	var in struct {
		AccessToken string   `json:"access_token"`
		Nick        string   `json:"nick"`
		Roles       []string `json:"roles"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	user := c.param["user_id"]
	if err := s.agreed(c.bot, user, in.AccessToken); err != nil {
		return answer{}, err
	}
	if c.guild.members[user] != nil {
		return noContent, nil
	}
	if err := c.guild.mayAddWith(c.bot, in.Nick, in.Roles); err != nil {
		return answer{}, err
	}
	m, err := s.join(c.guild, user)
	if err != nil {
		return answer{}, err
	}
	m.Nick, m.Roles = in.Nick, distinct(in.Roles)
	return created(s.memberBody(m)), nil
}

func (g *guild) mayAddWith(b *Bot, nick string, roles []string) error {
	if nick != "" {
		if err := g.allows(b, ManageNicknames); err != nil {
			return err
		}
	}
	if len(roles) == 0 {
		return nil
	}
	return g.mayReplace(b, nil, roles)
}

// patchMember knows a nick and roles, of which the latter are replaced as a
// whole; what is not given stays.
func (s *Server) patchMember(c *call) (answer, error) {
	var in struct {
		Nick  *string   `json:"nick"`
		Roles *[]string `json:"roles"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	m := c.member
	if err := c.guild.mayEdit(c.bot, m, in.Nick, in.Roles); err != nil {
		return answer{}, err
	}
	if in.Nick != nil {
		m.Nick = *in.Nick
	}
	if in.Roles != nil {
		m.Roles = distinct(*in.Roles)
	}
	s.log(c.guild, AuditEntry{Action: MemberUpdate, ActorID: c.bot.ID, TargetID: m.UserID, Reason: c.reason})
	return ok(s.memberBody(m)), nil
}

func distinct(ids []string) []string { return slices.Compact(slices.Sorted(slices.Values(ids))) }

func (g *guild) mayEdit(b *Bot, m *Member, nick *string, roles *[]string) error {
	if nick != nil {
		if err := g.allows(b, ManageNicknames); err != nil {
			return err
		}
		if !g.outranks(b.ID, m.UserID) {
			return missingPermissions
		}
	}
	if roles == nil {
		return nil
	}
	return g.mayReplace(b, m.Roles, *roles)
}

// deleteMember kicks.
func (s *Server) deleteMember(c *call) (answer, error) {
	user := c.member.UserID
	if !c.guild.outranks(c.bot.ID, user) {
		return answer{}, missingPermissions
	}
	c.guild.remove(user)
	s.log(c.guild, AuditEntry{Action: MemberKick, ActorID: c.bot.ID, TargetID: user, Reason: c.reason})
	return noContent, nil
}
