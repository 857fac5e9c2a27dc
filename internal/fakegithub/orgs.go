package fakegithub

import (
	"net/http"
	"slices"
)

// Org is an organisation.
type Org struct {
	ID    int64 // 0: the next free one
	Login string
	Base  Role // what its members may do in each of its repositories; empty: Read
}

// Team gives its members a role in repositories of its organisation.
type Team struct {
	Org, Slug    string
	Members      []int64
	Repositories map[int64]Role
}

type org struct {
	base    Role
	members map[int64]bool // true: an owner
	teams   map[string]Team
	seats   int // in all; negative: as many as come
}

// AddOrg founds an organisation without members and returns its id.
func (s *Server) AddOrg(o Org) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.Base == "" {
		o.Base = Read
	}
	founded := &org{base: o.Base, members: map[int64]bool{}, teams: map[string]Team{}, seats: -1}
	return s.register(&account{id: o.ID, login: o.Login, kind: "Organization", org: founded}).id
}

// AddMember lets a user into an organisation, as an owner or not.
func (s *Server) AddMember(org string, user int64, owner bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.org(org).members[s.account(user).id] = owner
}

// RemoveMember takes a user out of an organisation and its teams.
func (s *Server) RemoveMember(org string, user int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.org(org).dismiss(user)
}

// SetBase changes what members may do in every repository.
func (s *Server) SetBase(org string, base Role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.org(org).base = base
}

// AddTeam makes a team, or replaces the one with the same slug. Its members are
// those of the organisation too.
func (s *Server) AddTeam(t Team) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.org(t.Org)
	o.teams[t.Slug] = t
	for _, user := range t.Members {
		if _, member := o.members[user]; !member {
			o.members[s.account(user).id] = false
		}
	}
}

// RemoveTeam takes a team away; its members stay in the organisation.
func (s *Server) RemoveTeam(org, slug string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.org(org).teams, slug)
}

// SetSeats leaves a paid organisation so many free seats. Negative: no limit.
// Members and outside collaborators of private repositories sit on one each.
func (s *Server) SetSeats(org string, free int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.owner(org)
	s.org(org).seats = free
	if free >= 0 {
		a.org.seats += len(s.seated(a))
	}
}

// seated are those who take a seat.
func (s *Server) seated(a *account) map[int64]bool {
	people := map[int64]bool{}
	for user := range a.org.members {
		people[user] = true
	}
	for _, r := range s.owned(a) {
		for user := range r.collaborators {
			people[user] = people[user] || !r.public
		}
	}
	for user, sits := range people {
		if !sits {
			delete(people, user)
		}
	}
	return people
}

func (s *Server) org(login string) *org {
	if a := s.owner(login); a.org != nil {
		return a.org
	}
	panic("fakegithub: " + login + " is no organisation")
}

// role is what membership, ownership and teams give a user in a repository.
func (o *org) role(user, repo int64) Role {
	owner, member := o.members[user]
	switch {
	case owner:
		return Admin
	case !member:
		return None
	}
	role := o.base
	for _, t := range o.teams {
		if slices.Contains(t.Members, user) {
			role = higher(role, t.Repositories[repo])
		}
	}
	return role
}

func (o *org) member(user int64) bool {
	if o == nil {
		return false
	}
	_, member := o.members[user]
	return member
}

func (o *org) dismiss(user int64) {
	if o == nil {
		return
	}
	delete(o.members, user)
	for slug, t := range o.teams {
		t.Members = slices.DeleteFunc(slices.Clone(t.Members), func(id int64) bool { return id == user })
		o.teams[slug] = t
	}
}

func (s *Server) getOrg(c *call) answer {
	a := s.find(c.args[0])
	if a == nil || a.org == nil {
		return notFound()
	}
	return found(s.fullOrg(c, a))
}

// insider says whether the caller may know who belongs to an organisation.
func (c *call) insider(a *account) bool {
	if c.by.installation != nil {
		return c.by.installation.account == a && c.by.token.level("members") != ""
	}
	return a.org.member(c.by.user.id)
}

func (s *Server) getMembership(c *call) answer {
	a, u := s.find(c.args[0]), s.find(c.args[1])
	switch {
	case a == nil || a.org == nil:
		return notFound()
	case !c.insider(a):
		return forbidden("You must be a member of " + a.login + " to see membership information for " + c.args[1] + ".")
	case u == nil || !a.org.member(u.id):
		return notFound()
	}
	return found(membership(c.root, a, u))
}

// checkMember sends those who may not know to the public list of members.
func (s *Server) checkMember(c *call) answer {
	a, u := s.find(c.args[0]), s.find(c.args[1])
	switch {
	case a == nil || a.org == nil:
		return notFound()
	case !c.insider(a):
		public := c.root + "/orgs/" + a.login + "/public_members/" + c.args[1]
		return answer{status: http.StatusFound}.with("Location", public)
	case u == nil || !a.org.member(u.id):
		return notFound()
	}
	return noContent()
}
