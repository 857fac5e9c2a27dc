package ledger

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fulfilld/grant"
)

// shop is a ledger with a shop that talks to it: everything the tests need.
type shop struct {
	*Ledger
	t    testing.TB
	url  string
	opts Options

	mu    sync.Mutex
	news  map[string]grant.News // by webhook-id
	route atomic.Pointer[func(grant.Benefit) grant.Route]
}

// onEachEngine runs a test on both real engines.
func onEachEngine(t *testing.T, test func(t *testing.T, s *shop)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, open(t, sqliteURL(t), Options{Fast: true}))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, open(t, postgresURL(t), Options{Fast: true}))
	})
}

func sqliteURL(t testing.TB) string { return "sqlite://" + t.TempDir() + "/ledger.db" }

func open(t testing.TB, url string, opts Options) *shop {
	t.Helper()
	s := &shop{t: t, url: url, news: map[string]grant.News{}}
	s.reroute(byMetadata)
	opts.Route = func(b grant.Benefit) grant.Route { return (*s.route.Load())(b) }
	s.opts = opts
	s.Ledger = s.another()
	return s
}

// another opens the same database once more.
func (s *shop) another() *Ledger {
	s.t.Helper()
	l, err := Open(s.t.Context(), s.url, s.opts)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = l.Close() })
	return l
}

func (s *shop) reroute(route func(grant.Benefit) grant.Route) { s.route.Store(&route) }

// byMetadata routes to the kinds that metadata names, or to license_keys.
func byMetadata(b grant.Benefit) (r grant.Route) {
	kinds, _ := b.Metadata["kinds"].(string)
	if kinds == "" {
		kinds = "license_keys"
	}
	for kind := range strings.SplitSeq(kinds, ",") {
		r.Targets = append(r.Targets, grant.Target{Kind: kind, Managed: true, Cycles: kind == "meter_credit", Account: providers[kind], Origin: "metadata"})
	}
	text, _ := b.Metadata["grace"].(string)
	r.Grace, _ = time.ParseDuration(text)
	return r
}

// providers of the kinds that deal with accounts.
var providers = map[string]string{"github_repository": "github", "discord": "discord"}

// say accepts an event for each piece of news, and returns their webhook-ids.
func (s *shop) say(all ...grant.News) (ids []string) {
	s.t.Helper()
	for _, n := range all {
		s.mu.Lock()
		id := fmt.Sprintf("msg_%d", len(s.news)+1)
		s.news[id] = n
		s.mu.Unlock()
		got, err := s.Accept(s.t.Context(), event(id))
		if err != nil || got != grant.Accepted {
			s.t.Fatalf("accept %s: %s, %v", id, got, err)
		}
		ids = append(ids, id)
	}
	return ids
}

func event(id string) grant.Event {
	return grant.Event{Source: "polar", ID: id, Type: "test", OccurredAt: at(0), ReceivedAt: time.Now(), Body: []byte("{" + id + "}")}
}

// decode looks up what the unapplied events say.
func (s *shop) decode() (all []grant.Decoded) {
	s.t.Helper()
	events, err := s.Unapplied(s.t.Context(), time.Hour, 10_000)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ev := range events {
		all = append(all, grant.Decoded{Event: ev, News: s.news[ev.ID]})
	}
	return all
}

func (s *shop) apply() []grant.Due {
	s.t.Helper()
	due, err := s.Apply(s.t.Context(), s.decode())
	if err != nil {
		s.t.Fatal(err)
	}
	return due
}

// hear accepts and applies.
func (s *shop) hear(all ...grant.News) []grant.Due {
	s.t.Helper()
	s.say(all...)
	return s.apply()
}

// spread lets every grant hear of changed benefits.
func (s *shop) spread() (all []grant.Due) {
	s.t.Helper()
	for more := true; more; {
		due, again, err := s.Spread(s.t.Context(), 3)
		if err != nil {
			s.t.Fatal(err)
		}
		all, more = append(all, due...), again
	}
	return all
}

// look takes the lease of a fulfilment that must be due.
func (s *shop) look(id string) grant.Held {
	s.t.Helper()
	h, err := s.Look(s.t.Context(), id, time.Minute)
	if err != nil {
		s.t.Fatalf("look at %s: %v", id, err)
	}
	return h
}

func (s *shop) record(h grant.Held, o grant.Outcome) *grant.Due {
	s.t.Helper()
	again, lost, err := s.Record(s.t.Context(), h, o)
	if err != nil || lost {
		s.t.Fatalf("record %s: lost %v, %v", h.ID, lost, err)
	}
	return again
}

// work does what is owed for a fulfilment that must be due, as a worker would.
func (s *shop) work(id string) grant.Held {
	s.t.Helper()
	h := s.look(id)
	o := grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true, DueAt: h.Verdict.Again}
	if h.Verdict.Desired == grant.OwedRevoked {
		o.Action, o.State = grant.DoRevoke, grant.Revoked
	}
	s.record(h, o)
	return h
}

// stored is what the tests ask of a fulfilment's row.
type stored struct {
	State      grant.State
	Because    string
	Generation int64
	Due        bool
}

func (s *shop) stored(id string) (f stored) {
	s.t.Helper()
	var due int64
	err := s.read.row(s.t.Context(), `SELECT state, because, generation, CASE WHEN due_at > 0 AND due_at <= {{now}} THEN 1 ELSE 0 END FROM fulfilments WHERE id = $1`,
		[]any{id}, &f.State, &f.Because, &f.Generation, &due)
	if err != nil {
		s.t.Fatalf("%s: %v", id, err)
	}
	f.Due = due > 0
	return f
}

// wants checks a fulfilment's state and why.
func (s *shop) wants(id string, state grant.State, because string) {
	s.t.Helper()
	if f := s.stored(id); f.State != state || f.Because != because {
		s.t.Errorf("%s is %s because %q, want %s because %q", id, f.State, f.Because, state, because)
	}
}

// exec changes the database behind the ledger's back.
func (s *shop) exec(q string, args ...any) {
	s.t.Helper()
	if err := s.writers.do(s.t.Context(), work, func(t *tx) error {
		_, err := t.exec(q, args...)
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
}

// count asks the database for one number.
func (s *shop) count(q string, args ...any) (n int64) {
	s.t.Helper()
	if err := s.read.row(s.t.Context(), q, args, &n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// at is the shop's clock: minute n.
func at(n int) time.Time {
	return time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Minute)
}

func version(n int) grant.Version { return grant.Version{At: at(n), Sent: at(n)} }

// What the tests' shop sells. The grant g of benefit b is for customer c,
// member m, through subscription s, and has the fulfilment g.license_keys.
const keys = "g.license_keys"

func benefit(v int, metadata ...string) grant.Benefit {
	b := grant.Benefit{ID: "b", Type: "license_keys", Version: version(v), Metadata: map[string]any{}}
	for i := 0; i < len(metadata); i += 2 {
		b.Metadata[metadata[i]] = metadata[i+1]
	}
	return b
}

func granted(id string, v int) grant.Grant { return said(id, v, grant.SaysGranted) }

func revoked(id string, v int) grant.Grant { return said(id, v, grant.SaysRevoked) }

func said(id string, v int, w grant.Word) grant.Grant {
	g := grant.Grant{
		ID: id, BenefitID: "b", CustomerID: "c", MemberID: "m", SubscriptionID: "s", Source: grant.Platform,
		CreatedAt: at(0), ModifiedAt: at(v), Word: w, Version: version(v),
	}
	switch w {
	case grant.SaysGranted:
		g.GrantedAt = at(1)
	case grant.SaysRevoked:
		g.GrantedAt, g.RevokedAt = at(1), at(v)
	}
	return g
}

// news is one event about any number of nouns.
func news(nouns ...any) (n grant.News) {
	for _, noun := range nouns {
		switch v := noun.(type) {
		case grant.Customer:
			n.Customers = append(n.Customers, v)
		case grant.Member:
			n.Members = append(n.Members, v)
		case grant.Seat:
			n.Seats = append(n.Seats, v)
		case grant.Benefit:
			n.Benefits = append(n.Benefits, v)
		case grant.Product:
			n.Products = append(n.Products, v)
		case grant.Subscription:
			n.Subscriptions = append(n.Subscriptions, v)
		case grant.Order:
			n.Orders = append(n.Orders, v)
		case grant.Refund:
			n.Refunds = append(n.Refunds, v)
		case grant.Grant:
			n.Grants = append(n.Grants, v)
		default:
			panic(fmt.Sprintf("%T is no noun", noun))
		}
	}
	return n
}

func TestGrantTravelsFromEventToRecord(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		due := s.hear(news(benefit(1), granted("g", 1)))
		if len(due) != 1 || due[0].ID != keys {
			t.Fatalf("due: %+v", due)
		}
		if h := s.work(keys); h.Verdict.Desired != grant.OwedGranted || h.Seen {
			t.Errorf("held %+v", h)
		}
		s.wants(keys, grant.Granted, "granted")
		due = s.hear(news(revoked("g", 2)))
		if len(due) != 1 || !due[0].Revoke || due[0].Generation != 2 || due[0].Starts != 1 {
			t.Fatalf("due: %+v", due)
		}
		s.work(keys)
		s.wants(keys, grant.Revoked, "revoked")
	})
}
