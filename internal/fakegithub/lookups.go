package fakegithub

import (
	"maps"
	"net/http"
	"slices"
)

func (s *Server) checkCollaborator(c *call) answer {
	u := s.find(c.args[0])
	if u == nil || c.repo.seen(u) == None {
		return notFound()
	}
	return noContent()
}

func (s *Server) getPermission(c *call) answer {
	u := s.find(c.args[0])
	if u == nil {
		return refuse(http.StatusNotFound, c.args[0]+" is not a user")
	}
	role := c.repo.seen(u)
	if role == None {
		role = c.repo.role(u)
	}
	return found(object{
		"permission": role.legacy(), "role_name": role, "user": collaborator(c.root, u, role),
	})
}

// seen is the role that a read finds, which for a while may be the former one.
func (r *repository) seen(u *account) Role {
	role := r.granted(u)
	if l := r.late[u.id]; l != nil && l.reads > 0 {
		l.reads--
		role = higher(role, l.role)
	}
	return role
}

func (s *Server) listCollaborators(c *call) answer {
	affiliation := c.URL.Query().Get("affiliation")
	bodies := []any{}
	for _, id := range slices.Sorted(maps.Keys(s.candidates(c.repo))) {
		u := s.accounts[id]
		if u.hidden || !c.repo.affiliated(u, affiliation) {
			continue
		}
		if role := c.repo.seen(u); role != None {
			bodies = append(bodies, collaborator(c.root, u, role))
		}
	}
	return c.paged(bodies)
}

// candidates are all who may have access beyond what everybody has.
func (s *Server) candidates(r *repository) map[int64]bool {
	people := map[int64]bool{}
	for id := range r.collaborators {
		people[id] = true
	}
	for id := range r.late {
		if s.accounts[id] != nil {
			people[id] = true
		}
	}
	if r.owner.org == nil {
		people[r.owner.id] = true
		return people
	}
	for id := range r.owner.org.members {
		people[id] = true
	}
	return people
}

func (r *repository) affiliated(u *account, affiliation string) bool {
	_, direct := r.collaborators[u.id]
	direct = direct || r.late[u.id] != nil && r.late[u.id].reads > 0 || u == r.owner
	switch affiliation {
	case "direct":
		return direct
	case "outside":
		return u != r.owner && !r.owner.org.member(u.id)
	}
	return true
}
