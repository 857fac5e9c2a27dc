package tasks_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/ledger"
	"fulfilld/tasks"
)

// campus is a provider of rooms, and its fulfiller: parameters are a list of
// rooms and a level.
type campus struct {
	mu      sync.Mutex
	doors   map[string]int // "<account> <room>" -> level
	teams   map[string]int // the same, of who comes in with others
	history []string       // what was changed, in order
	refuse  error          // what Grant says instead of granting
	looked  int            // how often somebody observed
	remark  string         // on each Revoke
	knew    bool           // that another Grant had begun
}

type rooms struct {
	Rooms []string
	Level int
}

func (c *campus) Provider() string { return "campus" }

func (c *campus) Check(json.RawMessage) error { return nil }

func (c *campus) Resources(f grant.Fulfilment) (all []grant.Resource, err error) {
	var p rooms
	err = json.Unmarshal(f.Target.Params, &p)
	for _, room := range p.Rooms {
		all = append(all, grant.Resource{Provider: "campus", Name: room, Account: f.Account.ID, Level: p.Level})
	}
	return all, err
}

func (c *campus) Identify(_ context.Context, words string) (grant.Account, error) {
	if words == "nobody" {
		return grant.Account{}, fulfillers.ActionRequired("no_account", "nobody is nobody")
	}
	return grant.Account{ID: "id of " + words, Name: words}, nil
}

func (c *campus) Observe(_ context.Context, _ grant.Fulfilment, all []grant.Resource) (found []grant.Access, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked++
	for _, r := range all {
		door := r.Account + " " + r.Name
		found = append(found, grant.Access{Level: max(c.doors[door], c.teams[door]), Elsewhere: c.doors[door] == 0 && c.teams[door] > 0})
	}
	return found, nil
}

func (c *campus) Grant(ctx context.Context, f grant.Fulfilment) (grant.Properties, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != nil {
		return grant.Properties{"invited": true}, c.refuse
	}
	c.knew = c.knew || f.Properties["begun"] == true
	if err := fulfillers.Remember(ctx, grant.Properties{"begun": true}); err != nil {
		return nil, err
	}
	for _, h := range f.Holds {
		if h.Level > 0 {
			c.set(h)
		}
	}
	return grant.Properties{"invited": false}, nil
}

func (c *campus) Revoke(ctx context.Context, f grant.Fulfilment) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.remark != "" {
		fulfillers.Remark(ctx, c.remark)
	}
	for _, h := range f.Holds {
		c.set(h)
	}
	return nil
}

func (c *campus) set(h grant.Hold) {
	door := h.Account + " " + h.Name
	if c.doors[door] == h.Owed() {
		return
	}
	c.doors[door] = h.Owed()
	if h.Owed() == 0 {
		delete(c.doors, door)
	}
	c.history = append(c.history, fmt.Sprintf("%s: %d", door, h.Owed()))
}

func (c *campus) open() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.doors)
}

// school is a ledger, a campus, and workers that see to what is due.
type school struct {
	*testing.T
	*campus
	ledger *ledger.Ledger
	worker *tasks.Worker
	params map[string]rooms // by benefit
	closed bool             // no benefit is routed here any more
	said   int

	sentAgo time.Duration // how old events are when they come
}

const (
	settling    = 1500 * time.Millisecond // longer than a slow machine takes from one half of a change of plan to the other
	maxRemovals = 25
)

func newSchool(t *testing.T) *school {
	t.Parallel()
	s := &school{T: t, campus: &campus{doors: map[string]int{}}, params: map[string]rooms{}}
	l, err := ledger.Open(t.Context(), "sqlite://"+t.TempDir()+"/l.db", ledger.Options{Fast: true, Route: s.route})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s.ledger, s.worker = l, s.hire(l)
	return s
}

func (s *school) route(b grant.Benefit) grant.Route {
	if s.closed {
		return grant.Route{}
	}
	text, _ := json.Marshal(s.params[b.ID])
	return grant.Route{Targets: []grant.Target{{Kind: "campus", Account: "campus", Managed: true, Origin: "config", Params: text}}}
}

// hire makes a worker; each has metrics of its own.
func (s *school) hire(l tasks.Ledger) *tasks.Worker {
	return tasks.NewWorker(tasks.Options{
		Ledger: l, Kinds: map[string]fulfillers.Built{"campus": {Fulfiller: s.campus, Concurrency: 1}},
		Metrics: tasks.NewMetrics(prometheus.NewRegistry(), []string{"campus"}), Settle: settling, Removals: grant.Limit{Calls: maxRemovals, Per: time.Hour}, Log: slog.New(slog.DiscardHandler),
	}, func(grant.Due) {})
}

// accept has the ledger accept an event, which nobody applies yet.
func (s *school) accept() {
	s.Helper()
	s.said++
	if _, err := s.ledger.Accept(s.Context(), grant.Event{Source: "polar", ID: fmt.Sprint(s.said), OccurredAt: time.Now().Add(-s.sentAgo), ReceivedAt: time.Now(), Body: []byte("{}")}); err != nil {
		s.Fatal(err)
	}
}

// hear has the ledger accept and apply one event.
func (s *school) hear(n grant.News) {
	s.Helper()
	s.accept()
	s.apply(n)
}

// apply applies an accepted event as one that says n.
func (s *school) apply(n grant.News) {
	s.Helper()
	all, err := s.ledger.Unapplied(s.Context(), time.Hour, 1)
	if err != nil || len(all) != 1 {
		s.Fatal(all, err)
	}
	if _, err := s.ledger.Apply(s.Context(), []grant.Decoded{{Event: all[0], News: n}}); err != nil {
		s.Fatal(err)
	}
}

func now() grant.Version { return grant.Version{At: time.Now(), Sent: time.Now()} }

// sell grants a benefit of some rooms to a customer by a grant of the same name.
func (s *school) sell(id, customer string, p rooms) {
	s.Helper()
	s.params["b"+id] = p
	s.hear(s.sale(id, customer))
}

func (s *school) sale(id, customer string) grant.News {
	return grant.News{
		Customers: []grant.Customer{{ID: customer, Version: now()}},
		Benefits:  []grant.Benefit{{ID: "b" + id, Type: "custom", Version: now()}},
		Grants:    []grant.Grant{s.grant(id, customer, grant.SaysGranted)},
	}
}

func (s *school) grant(id, customer string, w grant.Word) grant.Grant {
	return grant.Grant{ID: id, BenefitID: "b" + id, CustomerID: customer, Source: grant.Platform, Word: w, GrantedAt: time.Now(), Version: now()}
}

func (s *school) end(id, customer string) {
	s.Helper()
	s.hear(grant.News{Grants: []grant.Grant{s.grant(id, customer, grant.SaysRevoked)}})
}

func (s *school) link(customer, account string) {
	s.Helper()
	if _, err := s.ledger.Link(s.Context(), customer, "", grant.Account{Provider: "campus", ID: account}); err != nil {
		s.Fatal(err)
	}
}

// work sees to what is due now, once.
func (s *school) work() {
	s.Helper()
	due, err := s.ledger.Due(s.Context(), "campus", 100)
	if err != nil {
		s.Fatal(err)
	}
	for _, d := range due {
		_ = s.worker.Work(s.Context(), d.ID) // what it says is for the queue; the ledger has it
	}
}

// until works until the doors are as they should be.
func (s *school) until(want map[string]int) {
	s.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		s.work()
		if maps.Equal(s.open(), want) {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("the doors: -want +got:\n%s", cmp.Diff(want, s.open()))
		}
	}
}

func (s *school) state(id string, want grant.State) {
	s.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		s.work()
		g, err := s.ledger.Grant(s.Context(), id)
		if err != nil {
			s.Fatal(err)
		}
		if g.State == want {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("%s is %s, want %s", id, g.State, want)
		}
	}
}
