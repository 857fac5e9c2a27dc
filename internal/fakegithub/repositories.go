package fakegithub

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Repository is one as it is created.
type Repository struct {
	ID     int64  // 0: the next free one
	Owner  string // login of an organisation or person
	Name   string
	Public bool
}

type repository struct {
	id            int64
	owner         *account
	name          string
	public        bool
	archived      bool
	created       time.Time
	collaborators map[int64]Role
	invitations   []*invitation // oldest first
	invited       window        // for the cap
	source        int64         // of which it is a fork; 0: none
	late          map[int64]*late
}

// late is a removed collaborator whom reads still find.
type late struct {
	role  Role
	reads int
}

// AddRepository creates a repository, private unless it says otherwise, and
// returns its id.
func (s *Server) AddRepository(r Repository) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.create(&repository{id: r.ID, owner: s.owner(r.Owner), name: r.Name, public: r.Public}).id
}

func (s *Server) create(r *repository) *repository {
	r.id = s.identity(r.id)
	if s.repos[r.id] != nil {
		panic(fmt.Sprintf("fakegithub: repository %d exists", r.id))
	}
	r.created, r.collaborators, r.late = s.now(), map[int64]Role{}, map[int64]*late{}
	s.name(r)
	s.repos[r.id] = r
	return r
}

// Fork makes a user's private copy of a repository and returns its id. It lasts
// as long as the user may see a private original.
func (s *Server) Fork(repo, user int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	return s.create(&repository{owner: s.account(user), name: r.name, public: r.public, source: repo}).id
}

// Forks returns the ids of a repository's forks that are still there.
func (s *Server) Forks(repo int64) (ids []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, fork := range s.forks(repo) {
		ids = append(ids, fork.id)
	}
	return ids
}

// RenameRepository gives a repository another name. The old one redirects until
// somebody else takes it.
func (s *Server) RenameRepository(repo int64, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	s.forget(r)
	r.name = name
	s.name(r)
}

// Transfer gives a repository to another owner. Its collaborators stay.
func (s *Server) Transfer(repo int64, owner string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	s.forget(r)
	r.owner = s.owner(owner)
	s.name(r)
}

// Archive makes a repository read-only.
func (s *Server) Archive(repo int64) { s.freeze(repo, true) }

// Unarchive undoes Archive.
func (s *Server) Unarchive(repo int64) { s.freeze(repo, false) }

func (s *Server) freeze(repo int64, archived bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repository(repo).archived = archived
}

// DeleteRepository removes a repository as its owner does.
func (s *Server) DeleteRepository(repo int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(s.repository(repo))
}

// Deleted returns the full names of repositories that programs have deleted.
func (s *Server) Deleted() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.deleted)
}

// name makes a repository reachable by its full name, before any former holder.
func (s *Server) name(r *repository) {
	full := fold(r.fullName())
	if id, taken := s.names[full]; taken && id != r.id {
		panic("fakegithub: repository " + r.fullName() + " exists")
	}
	s.names[full] = r.id
	delete(s.moved, full)
}

// forget makes the present full name a former one.
func (s *Server) forget(r *repository) {
	full := fold(r.fullName())
	delete(s.names, full)
	s.moved[full] = r.id
}

// remove deletes a repository and, as GitHub does, the forks of a private one.
func (s *Server) remove(r *repository) {
	delete(s.names, fold(r.fullName()))
	delete(s.repos, r.id)
	for _, fork := range s.forks(r.id) {
		if !r.public {
			s.remove(fork)
		}
	}
}

func (s *Server) repository(id int64) *repository {
	if r := s.repos[id]; r != nil {
		return r
	}
	panic(fmt.Sprintf("fakegithub: no repository %d", id))
}

func (s *Server) forks(repo int64) []*repository {
	return s.choose(func(r *repository) bool { return r.source == repo })
}

func (s *Server) owned(a *account) []*repository {
	return s.choose(func(r *repository) bool { return r.owner == a })
}

func (s *Server) choose(fits func(*repository) bool) (chosen []*repository) {
	for _, r := range s.repos {
		if fits(r) {
			chosen = append(chosen, r)
		}
	}
	slices.SortFunc(chosen, func(a, b *repository) int { return cmp.Compare(a.id, b.id) })
	return chosen
}

func (r *repository) fullName() string { return r.owner.login + "/" + r.name }

func (s *Server) getRepository(c *call) answer { return found(s.fullRepository(c, c.repo)) }

func (s *Server) deleteRepository(c *call) answer {
	s.deleted = append(s.deleted, c.repo.fullName())
	s.remove(c.repo)
	return noContent()
}
