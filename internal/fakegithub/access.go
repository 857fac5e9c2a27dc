package fakegithub

import "net/http"

// need is what an endpoint asks of its caller.
type need int

const (
	nothing    need = iota
	jwt             // to be an App
	signedIn        // to be somebody
	sight           // to see the repository
	push            // to see it as those do who push; for an App, its metadata
	adminRead       // to administer it; for an App, the permission to look
	adminWrite      // the same, to change
)

// caller is who sent a request. At most one of app, installation and user is
// there; none of them is a stranger.
type caller struct {
	name         string // in the journal, and for limits
	app          *app
	installation *installation
	user         *account
	token        *token
}

func (s *Server) allow(c *call, n need) *answer {
	var a answer
	switch {
	case n == nothing:
		return nil
	case n == jwt && c.by.app != nil:
		return nil
	case n == jwt:
		a = undecodable()
	case c.by.app != nil:
		a = badCredentials()
	case n == signedIn && c.by.token == nil:
		a = refuse(http.StatusUnauthorized, "Requires authentication")
	case n == signedIn:
		return nil
	default:
		return s.allowInRepository(c, n)
	}
	return &a
}

func (s *Server) allowInRepository(c *call, n need) *answer {
	var a answer
	switch {
	case c.repo == nil || !s.visible(c, c.repo):
		a = notFound()
	case n == sight:
		return nil
	case c.by.token == nil:
		a = refuse(http.StatusUnauthorized, "Requires authentication")
	case c.by.installation != nil:
		if c.by.token.covers(c.repo) && c.by.token.may(n) {
			return nil
		}
		a = forbidden("Resource not accessible by integration")
	case n == push && !c.repo.role(c.by.user).atLeast(Write):
		a = forbidden("Must have push access to view repository collaborators.")
	case n != push && !c.repo.role(c.by.user).atLeast(Admin):
		a = forbidden("Must have admin rights to Repository.")
	default:
		return nil
	}
	return &a
}

// visible says whether the repository exists for the caller.
func (s *Server) visible(c *call, r *repository) bool {
	switch {
	case r.public:
		return true
	case c.by.app != nil:
		return s.installationOn(c.by.app, r) != nil
	case c.by.installation != nil:
		return c.by.token.covers(r)
	}
	return c.by.user != nil && r.role(c.by.user) != None
}

// strength is the caller's own role, as the repository's body tells it.
func (c *call) strength(r *repository) Role {
	switch {
	case c.by.user != nil:
		return r.role(c.by.user)
	case c.by.token != nil && c.by.token.covers(r) && c.by.token.may(adminWrite):
		return Admin
	case c.by.token != nil && c.by.token.covers(r):
		return Read
	}
	return None
}

// role is what a user may do in the repository, however it came about.
func (r *repository) role(u *account) Role {
	if role := r.granted(u); role != None || !r.public {
		return role
	}
	return Read
}

// granted is the role without what everybody may do in a public repository.
func (r *repository) granted(u *account) Role {
	if u.id == r.owner.id {
		return Admin
	}
	role := higher(r.collaborators[u.id], None)
	if r.owner.org == nil {
		return role
	}
	return higher(role, r.owner.org.role(u.id, r.id))
}
