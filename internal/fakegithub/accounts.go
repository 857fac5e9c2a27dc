package fakegithub

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// User is a person who joins GitHub.
type User struct {
	ID    int64 // 0: the next free one
	Login string
}

// account is a person, an organisation or an App's bot.
type account struct {
	id      int64
	login   string
	kind    string // as GitHub spells it
	created time.Time
	hidden  bool           // suspended: it exists, but nobody finds it
	gone    bool           // deleted
	blocked map[int64]bool // whom it wants nothing to do with
	org     *org           // nil for a person
}

// AddUser lets a person join and returns the id. A login that somebody gave up
// may be taken by a stranger.
func (s *Server) AddUser(u User) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.register(&account{id: u.ID, login: u.Login, kind: "User"}).id
}

func (s *Server) register(a *account) *account {
	a.id = s.identity(a.id)
	if s.accounts[a.id] != nil {
		panic(fmt.Sprintf("fakegithub: account %d exists", a.id))
	}
	a.created, a.blocked = s.now(), map[int64]bool{}
	s.accounts[a.id] = a
	s.take(a, a.login)
	return a
}

func (s *Server) take(a *account, login string) {
	if id, taken := s.logins[fold(login)]; taken && id != a.id {
		panic("fakegithub: login " + login + " is taken")
	}
	a.login = login
	s.logins[fold(login)] = a.id
}

// RenameAccount gives a person or organisation another login. The old one is
// free at once; full names of repositories redirect, logins do not.
func (s *Server) RenameAccount(id int64, login string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(id)
	delete(s.logins, fold(a.login))
	owned := s.owned(a)
	for _, r := range owned {
		s.forget(r)
	}
	s.take(a, login)
	for _, r := range owned {
		s.name(r)
	}
}

// DeleteUser ends an account: its repositories and access go, and invitations
// to it name nobody any more.
func (s *Server) DeleteUser(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(id)
	for _, r := range s.owned(a) {
		s.remove(r)
	}
	for _, other := range s.repos {
		delete(other.collaborators, id)
	}
	for _, other := range s.accounts {
		other.org.dismiss(id)
	}
	delete(s.logins, fold(a.login))
	delete(s.accounts, id)
	a.gone = true
}

// SuspendUser makes an account unfindable until UnsuspendUser; its access stays
// recorded.
func (s *Server) SuspendUser(id int64) { s.hide(id, true) }

// UnsuspendUser undoes SuspendUser.
func (s *Server) UnsuspendUser(id int64) { s.hide(id, false) }

func (s *Server) hide(id int64, hidden bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account(id).hidden = hidden
}

// Block makes an account, be it an organisation or a person, want nothing to do
// with a user: inviting one to the other is refused.
func (s *Server) Block(by string, user int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owner(by).blocked[user] = true
}

// account finds one by id for a test.
func (s *Server) account(id int64) *account {
	if a := s.accounts[id]; a != nil {
		return a
	}
	panic(fmt.Sprintf("fakegithub: no account %d", id))
}

// owner finds one by login for a test.
func (s *Server) owner(login string) *account {
	if a := s.accounts[s.logins[fold(login)]]; a != nil {
		return a
	}
	panic("fakegithub: no account " + login)
}

// find finds what a request may find.
func (s *Server) find(login string) *account {
	if a := s.accounts[s.logins[fold(login)]]; a != nil && !a.hidden {
		return a
	}
	return nil
}

func (s *Server) getUser(c *call) answer {
	a := s.find(c.args[0])
	if a == nil {
		return notFound()
	}
	return found(publicUser(c.root, a))
}

func (s *Server) getUserByID(c *call) answer {
	id, _ := strconv.ParseInt(c.args[0], 10, 64)
	a := s.accounts[id]
	if a == nil || a.hidden {
		return notFound()
	}
	return found(publicUser(c.root, a))
}

// fold makes names equal that GitHub takes as equal: case is kept, not compared.
func fold(name string) string { return strings.ToLower(name) }

// nodeID is GitHub's other id for a thing.
func nodeID(kind string, id int64) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "0%d:%s%d", len(kind), kind, id))
}
