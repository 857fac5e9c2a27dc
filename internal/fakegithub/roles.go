package fakegithub

import "slices"

// Role is what somebody may do in a repository, in the words of role_name and
// of invitations.
type Role string

const (
	None     Role = "none"
	Read     Role = "read"
	Triage   Role = "triage"
	Write    Role = "write"
	Maintain Role = "maintain"
	Admin    Role = "admin"
)

var ladder = []Role{None, Read, Triage, Write, Maintain, Admin}

// atLeast says whether a role includes another. The zero Role is None.
func (r Role) atLeast(other Role) bool {
	return slices.Index(ladder, r) >= slices.Index(ladder, other)
}

func higher(a, b Role) Role {
	if a.atLeast(b) {
		return a
	}
	return b
}

// invitable says whether an invitation can carry the role.
func (r Role) invitable() bool { return r != None && slices.Contains(ladder, r) }

// requested reads a role as PUT of a collaborator spells it.
func requested(word string) (Role, bool) {
	switch word {
	case "pull":
		return Read, true
	case "push":
		return Write, true
	case "triage", "maintain", "admin":
		return Role(word), true
	}
	return None, false
}

// legacy is the role in the words from before there were five.
func (r Role) legacy() string {
	switch r {
	case Maintain:
		return string(Write)
	case Triage:
		return string(Read)
	}
	return string(r)
}

func (r Role) permissions() object {
	return object{
		"pull":     r.atLeast(Read),
		"triage":   r.atLeast(Triage),
		"push":     r.atLeast(Write),
		"maintain": r.atLeast(Maintain),
		"admin":    r.atLeast(Admin),
	}
}
