package tasks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
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
	history []string       // what was changed, in order
	refuse  error          // what Grant says instead of granting
	looked  int            // how often somebody observed
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

func (c *campus) Observe(_ context.Context, _ grant.Fulfilment, all []grant.Resource) (levels []int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked++
	for _, r := range all {
		levels = append(levels, c.doors[r.Account+" "+r.Name])
	}
	return levels, nil
}

func (c *campus) Grant(_ context.Context, f grant.Fulfilment) (grant.Properties, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != nil {
		return grant.Properties{"invited": true}, c.refuse
	}
	for _, h := range f.Holds {
		if h.Level > 0 {
			c.set(h)
		}
	}
	return grant.Properties{"invited": false}, nil
}

func (c *campus) Revoke(_ context.Context, f grant.Fulfilment) error {
	c.mu.Lock()
	defer c.mu.Unlock()
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
	said   int
}

const (
	settling    = 300 * time.Millisecond
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

// hear has the ledger accept and apply one event.
func (s *school) hear(n grant.News) {
	s.Helper()
	s.said++
	if _, err := s.ledger.Accept(s.Context(), grant.Event{Source: "polar", ID: fmt.Sprint(s.said), OccurredAt: time.Now(), ReceivedAt: time.Now(), Body: []byte("{}")}); err != nil {
		s.Fatal(err)
	}
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
	s.hear(grant.News{
		Customers: []grant.Customer{{ID: customer, Version: now()}},
		Benefits:  []grant.Benefit{{ID: "b" + id, Type: "custom", Version: now()}},
		Grants:    []grant.Grant{s.grant(id, customer, grant.SaysGranted)},
	})
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
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
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
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
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

func TestAccessIsAUnion(t *testing.T) {
	s := newSchool(t)
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	s.sell("h", "ada", rooms{[]string{"lab", "hall"}, 2})
	s.link("ada", "7")
	s.until(map[string]int{"7 lab": 2, "7 hall": 2})
	s.end("h", "ada")
	s.until(map[string]int{"7 lab": 1})
	s.state("h", grant.Revoked)
	s.end("g", "ada")
	s.until(map[string]int{})
	s.state("g", grant.Revoked)
}

func TestTwoCustomersWithOneAccount(t *testing.T) {
	s := newSchool(t)
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	s.sell("h", "bob", rooms{[]string{"lab"}, 1})
	s.link("ada", "7")
	s.link("bob", "7")
	s.state("g", grant.Granted)
	s.state("h", grant.Granted)
	s.end("g", "ada")
	s.state("g", grant.Revoked)
	s.until(map[string]int{"7 lab": 1})
	if want := []string{"7 lab: 1"}; !slices.Equal(s.history, want) {
		t.Errorf("changes %q, want %q", s.history, want)
	}
}

func TestAChangeOfPlanIsNoBlink(t *testing.T) {
	s := newSchool(t)
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	s.link("ada", "7")
	s.until(map[string]int{"7 lab": 1})
	s.end("g", "ada")
	s.work()
	s.sell("h", "ada", rooms{[]string{"lab"}, 1})
	s.state("h", grant.Granted)
	s.state("g", grant.Revoked)
	if want := []string{"7 lab: 1"}; !slices.Equal(s.history, want) {
		t.Errorf("changes %q, want %q", s.history, want)
	}
}

func TestADeletedCustomersAccessDoesNotWait(t *testing.T) {
	s := newSchool(t)
	s.worker = tasks.NewWorker(tasks.Options{
		Ledger: s.ledger, Kinds: map[string]fulfillers.Built{"campus": {Fulfiller: s.campus, Concurrency: 1}},
		Metrics: tasks.NewMetrics(prometheus.NewRegistry(), []string{"campus"}), Settle: time.Hour, Log: slog.New(slog.DiscardHandler),
	}, func(grant.Due) {})
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	s.link("ada", "7")
	s.until(map[string]int{"7 lab": 1})
	s.end("g", "ada")
	s.work()
	if len(s.open()) == 0 {
		t.Error("taken away before it has settled")
	}
	s.hear(grant.News{Customers: []grant.Customer{{ID: "ada", DeletedAt: time.Now(), Version: now()}}})
	s.until(map[string]int{})
}

func TestWhatWasThereBeforeStays(t *testing.T) {
	s := newSchool(t)
	s.doors["7 lab"] = 1
	s.sell("g", "ada", rooms{[]string{"lab"}, 2})
	s.link("ada", "7")
	s.until(map[string]int{"7 lab": 2})
	s.end("g", "ada")
	s.until(map[string]int{"7 lab": 1})
	s.state("g", grant.Revoked)
}

func TestWhatThePlatformGaveGoesWithTheGrant(t *testing.T) {
	s := newSchool(t)
	s.doors["7 lab"] = 1
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	g := s.grant("g", "ada", grant.SaysGranted)
	g.Properties = json.RawMessage(`{"account_id":"7","granted_account_id":"7"}`)
	s.hear(grant.News{Grants: []grant.Grant{g}})
	s.link("ada", "7")
	s.state("g", grant.Granted)
	s.end("g", "ada")
	s.until(map[string]int{})
}

func TestOldAccessGoesAfterTheNewWorks(t *testing.T) {
	s := newSchool(t)
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	s.link("ada", "7")
	s.until(map[string]int{"7 lab": 1})

	s.refuse = fulfillers.ActionRequired("invited", "accept the invitation")
	s.link("ada", "8")
	s.state("g", grant.Waiting)
	if diff := cmp.Diff(map[string]int{"7 lab": 1}, s.open()); diff != "" {
		t.Errorf("while the new account is invited: %s", diff)
	}
	s.refuse = nil
	if _, err := s.ledger.Retry(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	s.until(map[string]int{"8 lab": 1})
	if want := []string{"7 lab: 1", "8 lab: 1", "7 lab: 0"}; !slices.Equal(s.history, want) {
		t.Errorf("changes %q, want %q", s.history, want)
	}

	s.params["bg"] = rooms{[]string{"hall"}, 1}
	if _, err := s.ledger.Reroute(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.ledger.Spread(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	s.until(map[string]int{"8 hall": 1})
}

func TestWaitsForAnAccount(t *testing.T) {
	s := newSchool(t)
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	s.state("g", grant.Waiting)
	s.link("ada", "7")
	s.until(map[string]int{"7 lab": 1})
	s.sell("never", "bob", rooms{[]string{"lab"}, 1})
	s.state("never", grant.Waiting)
	s.end("never", "bob")
	s.state("never", grant.Revoked)
}

// forgetful is a ledger that fails to record once, and whose leases are short:
// the process died after the provider had done what it was asked.
type forgetful struct {
	*ledger.Ledger
	forget bool
}

var errCrashed = errors.New("crashed")

func (f *forgetful) Look(ctx context.Context, id string, _ time.Duration) (grant.Held, error) {
	return f.Ledger.Look(ctx, id, 50*time.Millisecond)
}

func (f *forgetful) Take(ctx context.Context, h grant.Held, wanted []grant.Resource, _ time.Duration) ([]grant.Hold, error) {
	return f.Ledger.Take(ctx, h, wanted, 50*time.Millisecond)
}

func (f *forgetful) Record(ctx context.Context, h grant.Held, o grant.Outcome) (*grant.Due, bool, error) {
	if f.forget {
		f.forget = false
		return nil, false, errCrashed
	}
	return f.Ledger.Record(ctx, h, o)
}

func TestACrashAfterTheProvidersSuccessIsHarmless(t *testing.T) {
	s := newSchool(t)
	book := &forgetful{s.ledger, true}
	s.worker = s.hire(book)
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	s.link("ada", "7")
	s.work()
	if book.forget || len(s.open()) != 1 {
		t.Fatal("it did not crash where it should")
	}
	s.state("g", grant.Granted)
	if s.looked != 1 || len(s.history) != 1 {
		t.Errorf("looked %d times, changes %q: our own access was taken for something else", s.looked, s.history)
	}
	book.forget = true
	s.end("g", "ada")
	s.until(map[string]int{})
	s.state("g", grant.Revoked)
}

func TestTwoWorkersOnOneResource(t *testing.T) {
	s := newSchool(t)
	for i := range 8 {
		s.sell(fmt.Sprint("g", i), "ada", rooms{[]string{"hall", "lab"}, 1 + i%3})
	}
	s.link("ada", "7")
	other := s.hire(s.ledger)
	var both sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	both.Go(func() {
		for ctx.Err() == nil {
			due, _ := s.ledger.Due(ctx, "campus", 100)
			slices.Reverse(due)
			for _, d := range due {
				_ = other.Work(ctx, d.ID)
			}
		}
	})
	for i := range 8 {
		s.state(fmt.Sprint("g", i), grant.Granted)
	}
	for i := range 7 {
		s.end(fmt.Sprint("g", i), "ada")
	}
	for i := range 7 {
		s.state(fmt.Sprint("g", i), grant.Revoked)
	}
	stop()
	both.Wait()
	s.until(map[string]int{"7 lab": 2, "7 hall": 2})
	if slices.ContainsFunc(s.history, func(h string) bool { return h == "7 lab: 0" || h == "7 hall: 0" }) {
		t.Errorf("access blinked: %q", s.history)
	}
}

func TestWhatIsGrantedIsLookedAtDaily(t *testing.T) {
	s := newSchool(t)
	s.sell("g", "ada", rooms{[]string{"lab"}, 1})
	s.link("ada", "7")
	s.state("g", grant.Granted)
	g, err := s.ledger.Grant(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	due := time.Until(g.Fulfilments[0].DueAt)
	if due < 21*time.Hour || due > 27*time.Hour {
		t.Errorf("looked at again in %s, want about a day", due)
	}
	delete(s.doors, "7 lab") // somebody's hand
	if _, err := s.ledger.Retry(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	s.until(map[string]int{"7 lab": 1})
	if g, err = s.ledger.Grant(t.Context(), "g"); err != nil || len(g.Fulfilments[0].Journal) > 3 {
		t.Errorf("the journal grows: %+v, %v", g.Fulfilments[0].Journal, err)
	}
	s.end("g", "ada")
	s.until(map[string]int{})
	s.state("g", grant.Revoked)
	if g, err = s.ledger.Grant(t.Context(), "g"); err != nil || !g.Fulfilments[0].DueAt.IsZero() {
		t.Errorf("looked at again after its end, on %s, %v", g.Fulfilments[0].DueAt, err)
	}
}

// many sells to n customers, each with an account of their own.
func (s *school) many(n int) (doors map[string]int) {
	s.Helper()
	doors = map[string]int{}
	s.params["b"] = rooms{[]string{"lab"}, 1}
	for i := range n {
		customer := fmt.Sprint("c", i)
		g := s.grant(fmt.Sprint("g", i), customer, grant.SaysGranted)
		g.BenefitID = "b"
		s.hear(grant.News{
			Customers: []grant.Customer{{ID: customer, Version: now()}},
			Benefits:  []grant.Benefit{{ID: "b", Type: "custom", Version: grant.Version{At: time.Unix(1, 0)}}},
			Grants:    []grant.Grant{g},
		})
		s.link(customer, customer)
		doors[customer+" lab"] = 1
	}
	s.until(doors)
	return doors
}

func (s *school) spread() {
	s.Helper()
	for more := true; more; {
		var err error
		if _, more, err = s.ledger.Spread(s.Context(), 100); err != nil {
			s.Fatal(err)
		}
	}
}

func TestAMassOfRemovalsByAnEditStopsAndAsks(t *testing.T) {
	s := newSchool(t)
	doors := s.many(40)
	s.params["b"] = rooms{[]string{"hall"}, 1}
	if _, err := s.ledger.Reroute(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.spread()
	s.work()
	inLab := 0
	for door := range s.open() {
		if _, ok := doors[door]; ok {
			inLab++
		}
	}
	if len(s.open())-inLab != 40 || inLab != 40-maxRemovals {
		t.Errorf("%d in the hall, %d left in the lab; want 40 and %d", len(s.open())-inLab, inLab, 40-maxRemovals)
	}
	waiting, err := s.ledger.Unapproved(t.Context())
	if err != nil || len(waiting) != 1 || waiting[0].Name != "campus:lab" {
		t.Fatalf("waits for approval: %+v, %v", waiting, err)
	}
	due, err := s.ledger.Approve(t.Context(), "campus", "lab")
	if err != nil || len(due) != 40-maxRemovals {
		t.Fatalf("approved: %d due, %v", len(due), err)
	}
	want := map[string]int{}
	for i := range 40 {
		want[fmt.Sprintf("c%d hall", i)] = 1
	}
	s.until(want)
	if _, err := s.ledger.Approve(t.Context(), "campus", "lab"); !errors.Is(err, grant.ErrNotFound) {
		t.Errorf("approved what does not wait: %v", err)
	}
}

func TestADeletedBenefitTakesAllAccessAway(t *testing.T) {
	s := newSchool(t)
	s.many(200)
	s.hear(grant.News{Benefits: []grant.Benefit{{ID: "b", Type: "custom", DeletedAt: time.Now(), Version: now()}}})
	s.spread()
	s.until(map[string]int{})
}
