package ledger

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fulfilld/grant"
)

// repository is one that account 7 may have.
func repository(name string, level int) grant.Resource {
	return grant.Resource{Provider: "github", Name: name, Account: "7", Level: level}
}

func (s *shop) take(h grant.Held, wanted ...grant.Resource) (grant.Held, error) {
	s.t.Helper()
	var err error
	h.Holds, err = s.Take(s.t.Context(), h, wanted, time.Minute)
	return h, err
}

// holding takes and holds resources that nobody had before.
func (s *shop) holding(h grant.Held, wanted ...grant.Resource) grant.Held {
	s.t.Helper()
	h, err := s.take(h, wanted...)
	must(s.t, err)
	for i := range h.Holds {
		if h.Holds[i].Origin == "" {
			h.Holds[i].Origin = grant.FromUs
		}
	}
	must(s.t, s.Hold(s.t.Context(), h))
	return h
}

const repoKey = "g.github_repository"

// repositories makes grants due that are routed to github_repository.
func (s *shop) repositories(ids ...string) {
	s.t.Helper()
	all := []any{benefit(1, "kinds", "github_repository")}
	for _, id := range ids {
		all = append(all, granted(id, 1))
	}
	s.hear(news(all...))
}

func (s *shop) done(h grant.Held, o grant.Outcome) {
	s.t.Helper()
	o.Done, o.Worked = true, o.State == grant.Granted
	s.record(h, o)
}

func TestHoldsAreAUnion(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.repositories("g", "h")
		g := s.holding(s.look(repoKey), repository("acme/pro", 1))
		s.done(g, grant.Outcome{Action: grant.DoGrant, State: grant.Granted})
		h := s.holding(s.look("h.github_repository"), repository("acme/pro", 3))
		want := []grant.Hold{{Resource: repository("acme/pro", 3), Others: 1, Origin: grant.FromUs, Since: 1}}
		if diff := cmp.Diff(want, h.Holds); diff != "" {
			t.Errorf("the second one's: -want +got:\n%s", diff)
		}
		s.done(h, grant.Outcome{Action: grant.DoGrant, State: grant.Granted})

		s.hear(news(revoked("h", 2)))
		h, err := s.take(s.look("h.github_repository"))
		must(t, err)
		want = []grant.Hold{{Resource: repository("acme/pro", 0), Others: 1, Origin: grant.FromUs, Worked: true, Since: 1}}
		if diff := cmp.Diff(want, h.Holds); diff != "" {
			t.Errorf("when it lets go: -want +got:\n%s", diff)
		}
		if owed := h.Holds[0].Owed(); owed != 1 {
			t.Errorf("owed %d, want what the other holds", owed)
		}
		s.done(h, grant.Outcome{Action: grant.DoRevoke, State: grant.Revoked, LetGo: []grant.Resource{h.Holds[0].Key()}})
		if !s.stored(repoKey).Due {
			t.Error("the other holder is not due")
		}
		if n := s.count(`SELECT count(*) FROM holds`); n != 1 {
			t.Errorf("%d holds, want the other's", n)
		}
	})
}

func TestOriginIsJudgedOnceAndAgainWhenNobodyHolds(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.repositories("g", "h")
		g, err := s.take(s.look(repoKey), repository("acme/pro", 2))
		must(t, err)
		if g.Holds[0].Origin != "" {
			t.Errorf("origin %q before it was judged", g.Holds[0].Origin)
		}
		g.Holds[0].Origin, g.Holds[0].Before = grant.FromBefore, 1
		must(t, s.Hold(t.Context(), g))
		s.done(g, grant.Outcome{Action: grant.DoGrant, State: grant.Granted})

		h, err := s.take(s.look("h.github_repository"), repository("acme/pro", 2))
		must(t, err)
		if h.Holds[0].Origin != grant.FromBefore || h.Holds[0].Before != 1 {
			t.Errorf("the second one sees %+v", h.Holds[0])
		}
		h.Holds[0].Origin = grant.FromUs
		must(t, s.Hold(t.Context(), h))
		s.done(h, grant.Outcome{Action: grant.DoGrant, State: grant.Granted, LetGo: []grant.Resource{h.Holds[0].Key()}})
		if n := s.count(`SELECT count(*) FROM resources WHERE origin = 'preexisting'`); n != 1 {
			t.Errorf("judged anew while the first one holds it")
		}
		g, err = s.take(s.look(repoKey))
		must(t, err)
		s.done(g, grant.Outcome{Action: grant.DoRevoke, State: grant.Revoked, LetGo: []grant.Resource{g.Holds[0].Key()}})
		if n := s.count(`SELECT count(*) FROM resources`); n != 0 {
			t.Errorf("%d resources remembered that nobody holds", n)
		}
	})
}

func TestResourceIsLeasedToOneAtATime(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.repositories("g", "h")
		g := s.holding(s.look(repoKey), repository("acme/a", 1), repository("acme/b", 1))
		h := s.look("h.github_repository")
		if _, err := s.take(h, repository("acme/b", 1), repository("acme/c", 1)); !errors.Is(err, grant.ErrBusy) {
			t.Errorf("taken while another has it: %v", err)
		}
		if _, err := s.take(h, repository("acme/c", 1)); err != nil {
			t.Errorf("what nobody has: %v", err)
		}
		must(t, s.Renew(t.Context(), g, time.Hour))
		if n := s.count(`SELECT count(*) FROM resources WHERE lease_until > {{now}} + 1800000000`); n != 2 {
			t.Errorf("%d resources renewed, want 2", n)
		}
		s.done(g, grant.Outcome{Action: grant.DoGrant, State: grant.Granted})
		if _, err := s.take(h, repository("acme/b", 1)); err != nil {
			t.Errorf("after the other's record: %v", err)
		}
	})
}

func TestNothingIsHeldUnderALostLease(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.repositories("g", "h")
		old := s.holding(s.look(repoKey), repository("acme/pro", 1))
		other := s.holding(s.look("h.github_repository"), repository("acme/other", 1))
		s.done(other, grant.Outcome{Action: grant.DoGrant, State: grant.Granted})
		s.exec(`UPDATE fulfilments SET lease_until = {{now}} WHERE id = $1`, repoKey)
		s.exec(`UPDATE resources SET lease_until = {{now}}`)
		fresh := s.look(repoKey)
		if err := s.Hold(t.Context(), old); !errors.Is(err, ErrNotFound) {
			t.Errorf("hold: %v", err)
		}
		if _, err := s.take(old, repository("acme/pro", 1)); !errors.Is(err, ErrNotFound) {
			t.Errorf("take: %v", err)
		}
		s.holding(fresh, repository("acme/pro", 1))
		_, lost, err := s.Record(t.Context(), old, grant.Outcome{Action: grant.DoGrant, State: grant.Granted, LetGo: []grant.Resource{old.Holds[0].Key()}})
		if err != nil || !lost {
			t.Errorf("record: lost is %t, %v", lost, err)
		}
		if n := s.count(`SELECT count(*) FROM holds WHERE fulfilment_id = $1`, repoKey); n != 1 {
			t.Error("let go of by one that had lost its lease")
		}
	})
}

func TestLostLeaseMakesOtherHoldersDue(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.repositories("g", "h")
		h := s.holding(s.look("h.github_repository"), repository("acme/pro", 1))
		s.done(h, grant.Outcome{Action: grant.DoGrant, State: grant.Granted})
		g := s.holding(s.look(repoKey), repository("acme/pro", 1))
		s.exec(`UPDATE fulfilments SET lease_token = 'another' WHERE id = $1`, repoKey)
		if _, lost, err := s.Record(t.Context(), g, grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true}); !lost || err != nil {
			t.Errorf("lost is %t, %v", lost, err)
		}
		if f := s.stored("h.github_repository"); !f.Due || f.Generation != 3 {
			t.Errorf("the other holder is %+v, want it due again", f)
		}
	})
}

func TestRetryIsToldOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.repositories("g")
		h := s.look(repoKey)
		if h.Asked {
			t.Error("asked for by nobody")
		}
		s.record(h, grant.Outcome{Action: grant.DoGrant, State: grant.Waiting, Class: "action_required", DueAt: time.Now().Add(time.Hour)})
		_, err := s.Retry(t.Context(), "g")
		must(t, err)
		if h = s.look(repoKey); !h.Asked {
			t.Error("not told of the operator's word")
		}
		s.record(h, grant.Outcome{Action: grant.DoGrant, State: grant.Pending, Class: "transient", DueAt: time.Now()})
		if h = s.look(repoKey); !h.Asked {
			t.Error("an attempt that came to nothing has used it up")
		}
		s.record(h, grant.Outcome{Action: grant.DoGrant, State: grant.Waiting, Class: "action_required", DueAt: time.Now()})
		if s.look(repoKey).Asked {
			t.Error("told twice")
		}
	})
}

func TestAHoldKnowsSinceWhen(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		since := func(h grant.Held) int64 { return h.Holds[0].Since }
		s.repositories("g")
		h := s.holding(s.look(repoKey), repository("acme/pro", 1))
		s.done(h, grant.Outcome{Action: grant.DoGrant, State: grant.Waiting})
		s.exec(`UPDATE fulfilments SET generation = 5, due_at = 1 WHERE id = $1`, repoKey)
		h = s.holding(s.look(repoKey), repository("acme/pro", 2))
		if since(h) != 1 {
			t.Errorf("held since %d, after edits only", since(h))
		}
		s.done(h, grant.Outcome{Action: grant.DoGrant, State: grant.Waiting})
		s.hear(news(revoked("g", 2)))
		s.holding(s.look(repoKey)) // and the process dies before it has recorded that all is gone
		s.exec(`UPDATE fulfilments SET lease_until = 0`)
		s.exec(`UPDATE resources SET lease_until = 0`)
		s.hear(news(granted("g", 3)))
		h = s.holding(s.look(repoKey), repository("acme/pro", 2))
		if since(h) != 6 {
			t.Errorf("held since %d, want since it was last to be let go", since(h))
		}
	})
}
