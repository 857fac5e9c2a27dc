package fakediscord

import (
	"cmp"
	"crypto/rand"
	"slices"
)

// User is an account.
type User struct {
	ID         string // given if empty
	Username   string
	GlobalName string // the display name; may be empty
	Bot        bool
	Deleted    bool
	Elsewhere  int // in how many guilds beside those of this server; at 100 in all no other can be joined
}

// consent is what a user lets an application do: an OAuth2 access token.
type consent struct {
	user, application string
	scopes            []string
}

// NewUser adds an account and returns it with its id.
func (s *Server) NewUser(u User) User {
	s.mu.Lock()
	defer s.mu.Unlock()
	u.ID = cmp.Or(u.ID, s.newID())
	u.Username = cmp.Or(u.Username, "user"+u.ID)
	s.users[u.ID] = &u
	return u
}

// someone is the user with that id, or a new one.
func (s *Server) someone(id, username string) string {
	if id == "" || s.users[id] == nil {
		id = cmp.Or(id, s.newID())
		s.users[id] = &User{ID: id, Username: username}
	}
	return id
}

// DeleteUser deletes an account: it leaves every guild and its id is unknown
// from then on.
func (s *Server) DeleteUser(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustUser(id).Deleted = true
	for _, g := range s.guilds {
		g.remove(id)
	}
}

// Authorize lets a user consent to the first bot's application and returns the
// access token, which adds the user to a guild if scopes has "guilds.join".
func (s *Server) Authorize(user string, scopes ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := rand.Text()
	s.consents[token] = consent{user, s.bots[0].ApplicationID, slices.Clone(scopes)}
	return token
}

// agreed checks that an access token lets the bot add this user to a guild.
func (s *Server) agreed(b *Bot, user, token string) error {
	c := s.consents[token]
	switch {
	case token == "":
		return invalidForm("access_token", "BASE_TYPE_REQUIRED", "This field is required")
	case c.user != user || c.application != b.ApplicationID:
		return invalidAccessToken
	case !slices.Contains(c.scopes, "guilds.join"):
		return missingScope
	}
	return nil
}

func (s *Server) user(id string) (*User, error) {
	if u := s.users[id]; u != nil && !u.Deleted {
		return u, nil
	}
	return nil, unknownUser
}

// mustUser is for callers that made the user themselves.
func (s *Server) mustUser(id string) *User {
	if s.users[id] == nil {
		panic("fakediscord: there is no user " + id)
	}
	return s.users[id]
}

func (s *Server) getUser(c *call) (answer, error) {
	u, err := s.user(c.param["user_id"])
	if err != nil {
		return answer{}, err
	}
	return ok(u.body()), nil
}
