package fakediscord

import (
	"cmp"
	"strings"
)

// Bot is an application and its bot user.
type Bot struct {
	ID            string // of the bot user; given if empty
	ApplicationID string // the bot user's id if empty, as for all but the oldest
	OwnerID       string // who owns the application; a new user if empty
	Username      string
	Token         string
	OwnerLacks2FA bool // refuses the bot in guilds that require it: 60003
}

// NewBot adds a bot, in no guild yet, and returns it with its ids.
func (s *Server) NewBot(b Bot) Bot {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.ID = cmp.Or(b.ID, s.newID())
	b.ApplicationID = cmp.Or(b.ApplicationID, b.ID)
	b.Username = cmp.Or(b.Username, "bot")
	b.OwnerID = s.someone(b.OwnerID, b.Username+".owner")
	s.users[b.ID] = &User{ID: b.ID, Username: b.Username, Bot: true}
	s.bots = append(s.bots, &b)
	return b
}

// Bot is the first bot.
func (s *Server) Bot() Bot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.bots[0]
}

// SetToken gives the first bot a new token; the old one is no good from then on.
func (s *Server) SetToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bots[0].Token = token
}

// AddBot lets a guild install the first bot: it joins, with a managed role of
// its own. Installed again it gets the new permissions and position.
func (s *Server) AddBot(guild string, permissions int64, position int) Role {
	return s.Install(s.Bot().ID, guild, permissions, position)
}

// Install is AddBot for any bot.
func (s *Server) Install(bot, guild string, permissions int64, position int) Role {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, u := s.mustGuild(guild), s.mustUser(bot)
	r := g.roleOf(bot)
	if r == nil {
		r = &Role{ID: s.newID(), Name: u.Username, Managed: true, BotID: bot}
		g.roles[r.ID] = r
	}
	r.Permissions, r.Position = permissions, position
	if g.members[bot] == nil {
		g.members[bot] = &Member{UserID: bot, JoinedAt: s.now(), Roles: []string{r.ID}}
	}
	return *r
}

// RemoveBot lets a guild throw the first bot out; its own role goes with it.
func (s *Server) RemoveBot(guild string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, bot := s.mustGuild(guild), s.bots[0].ID
	g.remove(bot)
}

// roleOf is the managed role of a bot that is in the guild, or nil.
func (g *guild) roleOf(bot string) *Role {
	for _, r := range g.roles {
		if r.BotID == bot {
			return r
		}
	}
	return nil
}

// identify finds out who calls.
func (s *Server) identify(c *call) error {
	if c.route.public && c.authorization == "" {
		return nil
	}
	token, ok := strings.CutPrefix(c.authorization, "Bot ")
	for _, b := range s.bots {
		if ok && b.Token == token {
			c.bot = b
			return nil
		}
	}
	return unauthorized
}

func (s *Server) getMe(c *call) (answer, error) {
	body := s.users[c.bot.ID].body()
	body["mfa_enabled"] = !c.bot.OwnerLacks2FA
	body["locale"] = "en-US"
	body["verified"] = true
	body["email"] = nil
	body["flags"] = 0
	return ok(body), nil
}

func (s *Server) getApplication(c *call) (answer, error) {
	return ok(s.applicationBody(c.bot)), nil
}
