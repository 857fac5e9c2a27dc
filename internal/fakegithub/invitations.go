package fakegithub

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

const (
	invitationLife = 7 * 24 * time.Hour // github.blog/changelog/2020-02-05
	invitationDay  = 24 * time.Hour     // over which the cap counts
)

// What Accept fails with. GitHub shows the customer the same text for each.
var (
	ErrInvitation = errors.New("github says: This invitation is invalid")
	ErrNoSeat     = fmt.Errorf("%w: the organisation has no seat left", ErrInvitation)
	ErrExpired    = fmt.Errorf("%w: it has expired", ErrInvitation)
	ErrGone       = fmt.Errorf("%w: there is none with this id", ErrInvitation)
)

// Invitation is one that has been neither accepted nor declined nor cancelled.
type Invitation struct {
	ID, Repository, Invitee int64
	Role                    Role
	Created                 time.Time
	Expired                 bool
}

type invitation struct {
	id               int64
	repo             *repository
	invitee, inviter *account
	role             Role
	created          time.Time
}

// Invitations returns a repository's invitations, oldest first, the expired
// ones too.
func (s *Server) Invitations(repo int64) (list []Invitation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.repository(repo).invitations {
		list = append(list, Invitation{
			ID: i.id, Repository: repo, Invitee: i.invitee.id, Role: i.role, Created: i.created, Expired: s.expired(i),
		})
	}
	return list
}

// Accept does what the invited person does in the browser. What fails leaves
// everything as it was.
func (s *Server) Accept(id int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.pending(id)
	switch {
	case i == nil || i.invitee.gone || i.invitee.hidden:
		return ErrGone
	case s.expired(i):
		return ErrExpired
	case !s.seatFor(i):
		return ErrNoSeat
	}
	i.repo.collaborators[i.invitee.id] = i.role
	delete(i.repo.late, i.invitee.id)
	i.withdraw()
	return nil
}

// Decline is the other thing that the invited person can do.
func (s *Server) Decline(id int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.pending(id)
	if i == nil {
		return ErrGone
	}
	i.withdraw()
	return nil
}

func (s *Server) seatFor(i *invitation) bool {
	a := i.repo.owner
	if a.org == nil || i.repo.public || a.org.seats < 0 {
		return true
	}
	seated := s.seated(a)
	return seated[i.invitee.id] || len(seated) < a.org.seats
}

func (s *Server) pending(id int64) *invitation {
	for _, r := range s.repos {
		if i := r.invitation(id); i != nil {
			return i
		}
	}
	return nil
}

func (s *Server) expired(i *invitation) bool { return s.now().Sub(i.created) >= invitationLife }

func (i *invitation) withdraw() {
	i.repo.uninvite(func(other *invitation) bool { return other == i })
}

func (r *repository) invitation(id int64) *invitation {
	at := slices.IndexFunc(r.invitations, func(i *invitation) bool { return i.id == id })
	if at < 0 {
		return nil
	}
	return r.invitations[at]
}

func (r *repository) uninvite(whom func(*invitation) bool) {
	r.invitations = slices.DeleteFunc(r.invitations, whom)
}

// invite answers with the invitation that is there, if one is: it gets the new
// role, but no new life and no second mail.
func (s *Server) invite(c *call, u *account, role Role) answer {
	for _, i := range c.repo.invitations {
		if i.invitee == u {
			i.role = role
			return s.invited(c, i)
		}
	}
	now, day := s.now(), s.span(invitationDay)
	if c.repo.invited.full(now, day, 1, s.opts.Limits.Invitations) > 0 {
		s.violations.Invitations++
		return invalid("spammed")
	}
	c.repo.invited.add(now, 1)
	i := &invitation{id: s.identity(0), repo: c.repo, invitee: u, inviter: s.actor(c), role: role, created: now}
	c.repo.invitations = append(c.repo.invitations, i)
	return s.invited(c, i)
}

func (s *Server) invited(c *call, i *invitation) answer {
	a := answer{status: http.StatusCreated, body: s.invitationBody(c, i)}
	return a.with("Location", fmt.Sprintf("%s/user/repository_invitations/%d", c.root, i.id))
}

// actor is who does what the call asks: a person, or the App's bot.
func (s *Server) actor(c *call) *account {
	if c.by.user != nil {
		return c.by.user
	}
	return c.by.installation.app.bot
}

func (s *Server) listInvitations(c *call) answer {
	bodies := []any{}
	for _, i := range c.repo.invitations {
		bodies = append(bodies, s.invitationBody(c, i))
	}
	return c.paged(bodies)
}

// invitation is the one the path names, to be changed.
func (c *call) invitation() (i *invitation, refusal *answer) {
	id, _ := strconv.ParseInt(c.args[0], 10, 64)
	i = c.repo.invitation(id)
	var a answer
	switch {
	case i == nil:
		a = notFound()
	case c.repo.archived:
		a = forbidden(archived)
	default:
		return i, nil
	}
	return nil, &a
}

func (s *Server) updateInvitation(c *call) answer {
	i, refusal := c.invitation()
	if refusal != nil {
		return *refusal
	}
	var body struct{ Permissions Role }
	if len(c.body) > 0 {
		if a := c.read(&body); a != nil {
			return *a
		}
	}
	if !body.Permissions.invitable() {
		return refuse(http.StatusUnprocessableEntity, "Invalid request.\n\nNo subschema in \"anyOf\" matched.")
	}
	i.role = body.Permissions
	return found(s.invitationBody(c, i))
}

func (s *Server) deleteInvitation(c *call) answer {
	i, refusal := c.invitation()
	if refusal != nil {
		return *refusal
	}
	i.withdraw()
	return noContent()
}
