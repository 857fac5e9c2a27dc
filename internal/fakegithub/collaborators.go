package fakegithub

import (
	"bytes"
	"encoding/json"
	"net/http"
)

const archived = "Repository was archived so is read-only."

// Collaborator returns the role a user was given in a repository itself, not by
// membership or a team.
func (s *Server) Collaborator(repo, user int64) (Role, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	role, ok := s.repository(repo).collaborators[user]
	return role, ok
}

// Access returns what a user may do in a repository, however it came about.
func (s *Server) Access(repo, user int64) Role {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repository(repo).role(s.account(user))
}

// AddByHand makes a user a collaborator at once, as if invited and accepted in
// the browser.
func (s *Server) AddByHand(repo, user int64, role Role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	r.collaborators[s.account(user).id] = role
	r.uninvite(func(i *invitation) bool { return i.invitee.id == user })
}

// RemoveByHand takes a collaborator out, as an owner does in the browser.
func (s *Server) RemoveByHand(repo, user int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expel(s.repository(repo), s.account(user))
}

// expel ends what the repository itself gave a user. With the last access to a
// private repository goes the user's fork.
func (s *Server) expel(r *repository, u *account) {
	delete(r.collaborators, u.id)
	r.uninvite(func(i *invitation) bool { return i.inviter == u })
	if s.opts.RemovalCancelsInvitations {
		r.uninvite(func(i *invitation) bool { return i.invitee == u })
	}
	if r.role(u) != None {
		return
	}
	for _, fork := range s.forks(r.id) {
		if fork.owner == u {
			s.remove(fork)
		}
	}
}

func (s *Server) addCollaborator(c *call) answer {
	r, u := c.repo, s.find(c.args[0])
	if r.archived {
		return forbidden(archived)
	}
	if u == nil || u.org != nil {
		return notFound()
	}
	role, given, refusal := c.wanted()
	if refusal == nil {
		refusal = refusedFor(r, u, role, given)
	}
	if refusal != nil {
		return *refusal
	}
	if _, already := r.collaborators[u.id]; already || r.owner.org.member(u.id) {
		r.collaborators[u.id] = role
		delete(r.late, u.id)
		return noContent()
	}
	return s.invite(c, u, role)
}

// wanted reads the role out of the body. Without one it is push: GitHub lets
// nobody say nothing and get little.
func (c *call) wanted() (role Role, given bool, refusal *answer) {
	var body map[string]json.RawMessage
	if len(c.body) == 0 {
		return Write, false, nil
	}
	if a := c.read(&body); a != nil {
		return None, false, a
	}
	text, given := body["permission"]
	if !given {
		return Write, false, nil
	}
	var word string
	_ = json.Unmarshal(text, &word)
	role, known := requested(word)
	if !known {
		a := invalid([]object{{"resource": "Repository", "field": "permission", "code": "invalid"}})
		return None, true, &a
	}
	return role, true, nil
}

// read decodes a body that has to be an object.
func (c *call) read(into any) *answer {
	switch {
	case !json.Valid(c.body):
		a := refuse(http.StatusBadRequest, "Problems parsing JSON")
		return &a
	case json.Unmarshal(c.body, into) != nil || bytes.TrimSpace(c.body)[0] != '{':
		a := refuse(http.StatusBadRequest, "Body should be a JSON object")
		return &a
	}
	return nil
}

func refusedFor(r *repository, u *account, role Role, given bool) *answer {
	var a answer
	switch {
	case u == r.owner:
		a = invalid([]object{custom("Repository owner cannot be a collaborator")})
	case r.owner.org == nil && given:
		a = invalid([]object{custom("You can only update permissions on organization-owned repositories and their forks")})
	case r.owner.blocked[u.id] || u.blocked[r.owner.id]:
		a = invalid(nil)
	case r.owner.org.member(u.id) && !role.atLeast(r.owner.org.base):
		a = refuse(http.StatusUnprocessableEntity, "Cannot assign "+u.login+" permission of "+string(role))
	default:
		return nil
	}
	return &a
}

func custom(message string) object {
	return object{"resource": "Repository", "code": "custom", "message": message}
}

// removeCollaborator is done also for those who are none.
func (s *Server) removeCollaborator(c *call) answer {
	r, u := c.repo, s.find(c.args[0])
	switch {
	case r.archived:
		return forbidden(archived)
	case u == nil:
		return notFound()
	}
	if before := r.granted(u); c.fault.Kind == LateRemoval && before != None {
		r.late[u.id] = &late{role: before, reads: c.fault.Reads}
	}
	s.expel(r, u)
	return noContent()
}
