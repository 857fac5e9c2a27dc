package github

import (
	"slices"
	"strings"
)

// GitHub has two sets of words for the same roles: one for PUT of a
// collaborator, the other for invitations and role names. A level is the
// place in either, counted from 1; 0 is no access.
var (
	permissions = []string{"pull", "triage", "push", "maintain", "admin"}
	roleNames   = []string{"read", "triage", "write", "maintain", "admin"}
)

const admin = 5

func levelOf(permission string) int { return slices.Index(permissions, permission) + 1 }

func levelOfRole(name string) int { return slices.Index(roleNames, name) + 1 }

// permissionOf is a level in the words of PUT.
func permissionOf(level int) string { return word(permissions, level) }

// roleOf is a level in the words of invitations.
func roleOf(level int) string { return word(roleNames, level) }

func word(words []string, level int) string {
	if level < 1 || level > len(words) {
		return "none"
	}
	return words[level-1]
}

func permissionWords() string { return strings.Join(permissions, ", ") }

// levelIn is the highest that a set of permissions has, which is exact for
// custom roles too: they are more than the role they are built on, never less.
func levelIn(has map[string]bool) int {
	for level := len(permissions); level > 0; level-- {
		if has[permissions[level-1]] {
			return level
		}
	}
	return 0
}
