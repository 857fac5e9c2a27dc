package fakediscord

import (
	"cmp"
	"maps"
	"slices"
)

// What Discord allows a new guild.
const (
	defaultMaxMembers = 500_000
	defaultMaxInvites = 1000
)

// Guild is what Discord's users call a server.
type Guild struct {
	ID          string // given if empty
	Name        string
	OwnerID     string // a new user if empty; a member in any case
	ChannelID   string // its text channel and system channel; given if empty
	MaxMembers  int    // 0 is 500,000
	MaxInvites  int    // that can be used at one time; 0 is 1,000
	Requires2FA bool   // moderation needs an owner with two-factor authentication
	Screening   bool   // who joins is pending until they agree to the rules
}

type guild struct {
	Guild
	roles    map[string]*Role
	members  map[string]*Member
	bans     map[string]string // user to reason
	channels []*channel
	audit    []AuditEntry
}

const (
	textChannel     = 0
	categoryChannel = 4
)

type channel struct {
	id, name, parent string
	kind             int
	guild            *guild
}

// NewGuild adds a guild with its owner, an @everyone role that sees channels and
// may do nothing else, a category and in it a text channel.
func (s *Server) NewGuild(in Guild) Guild {
	s.mu.Lock()
	defer s.mu.Unlock()
	in.ID = cmp.Or(in.ID, s.newID())
	in.Name = cmp.Or(in.Name, "Guild "+in.ID)
	in.MaxMembers = cmp.Or(in.MaxMembers, defaultMaxMembers)
	in.MaxInvites = cmp.Or(in.MaxInvites, defaultMaxInvites)
	in.OwnerID = s.someone(in.OwnerID, "owner"+in.ID)
	g := &guild{Guild: in, roles: map[string]*Role{}, members: map[string]*Member{}, bans: map[string]string{}}
	g.roles[g.ID] = &Role{ID: g.ID, Name: "@everyone", Permissions: ViewChannel}
	g.members[g.OwnerID] = &Member{UserID: g.OwnerID, JoinedAt: s.now()}
	category := s.newChannel(g, channel{name: "Text channels", kind: categoryChannel})
	g.ChannelID = s.newChannel(g, channel{id: g.ChannelID, name: "general", kind: textChannel, parent: category})
	s.guilds[g.ID] = g
	return g.Guild
}

func (s *Server) newChannel(g *guild, c channel) string {
	c.id = cmp.Or(c.id, s.newID())
	c.guild = g
	g.channels = append(g.channels, &c)
	s.channels[c.id] = &c
	return c.id
}

// EditGuild changes a guild's settings, as its owner does.
func (s *Server) EditGuild(id string, edit func(*Guild)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit(&s.mustGuild(id).Guild)
}

// mustGuild is for callers that made the guild themselves.
func (s *Server) mustGuild(id string) *guild {
	if s.guilds[id] == nil {
		panic("fakediscord: there is no guild " + id)
	}
	return s.guilds[id]
}

// byID orders what has a snowflake by age.
func byID[T any](things map[string]T) []T {
	ids := slices.SortedFunc(maps.Keys(things), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	out := make([]T, len(ids))
	for i, id := range ids {
		out[i] = things[id]
	}
	return out
}

func (s *Server) getGuild(c *call) (answer, error) {
	if s.enter(c, c.param["guild_id"], 0) != nil {
		return answer{}, unknownGuild // only its members are told that it exists
	}
	body := c.guild.body()
	if yes(c.query.Get("with_counts")) {
		body["approximate_member_count"] = len(c.guild.members)
		body["approximate_presence_count"] = len(c.guild.members)
	}
	return ok(body), nil
}

func (s *Server) getRoles(c *call) (answer, error) { return ok(c.guild.roleBodies()), nil }

func (s *Server) getChannels(c *call) (answer, error) { return ok(c.guild.channelBodies()), nil }
