package tasks_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"fulfilld/fulfillers"
	"fulfilld/fulfillers/metercredit"
	"fulfilld/grant"
	"fulfilld/internal/testserver"
	"fulfilld/ledger"
	"fulfilld/tasks"
)

// bank is a ledger and a worker who credits. Its shop sells one benefit.
type bank struct {
	*testing.T
	ledger *ledger.Ledger
	worker *tasks.Worker
	url    string
	off    bool   // the kind is
	terms  string // of the benefit, which has another id with each
	said   int
	share  int // of many orders, one in so many is tried: only the SQL differs, and the race detector finds nothing here
}

func onEachBank(t *testing.T, test func(t *testing.T, b *bank)) {
	t.Parallel()
	for engine, url := range map[string]func(testing.TB) string{
		"sqlite":   func(t testing.TB) string { return "sqlite://" + t.TempDir() + "/l.db" },
		"postgres": testserver.Postgres,
	} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			b := &bank{T: t, url: url(t), terms: `"rollover":true`, share: 1}
			if engine == "postgres" || testserver.Raced() {
				b.share = 12
			}
			b.open()
			test(t, b)
		})
	}
}

// open starts the daemon, as it were, once more.
func (b *bank) open() {
	b.Helper()
	if b.ledger != nil {
		if err := b.ledger.Close(); err != nil {
			b.Fatal(err)
		}
	}
	var router fulfillers.Router
	l, err := ledger.Open(b.Context(), b.url, ledger.Options{Fast: true, Route: func(g grant.Benefit) grant.Route { return router.Route(g) }})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	kinds := map[string]fulfillers.Built{}
	if !b.off {
		k, err := metercredit.Kind(l).Build(func(any) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
		kinds["meter_credit"] = k
	}
	router = fulfillers.Router{Kinds: kinds}
	b.ledger = l
	b.worker = tasks.NewWorker(tasks.Options{Ledger: l, Kinds: kinds, Log: slog.New(slog.DiscardHandler)}, func(grant.Due) {})
	if _, err := l.Reroute(b.Context()); err != nil {
		b.Fatal(err)
	}
	for more := true; more; {
		if _, more, err = l.Spread(b.Context(), 100); err != nil {
			b.Fatal(err)
		}
	}
}

func hour(h int) time.Time { return time.Date(2026, 9, 1, h, 0, 0, 0, time.UTC) }

// telling is what the platform says of a grant at some hour: a word, or that it
// was renewed. Its life began at another.
func (b *bank) telling(id, what string, at, began int) grant.News {
	v := grant.Version{At: hour(at), Sent: hour(at)}
	g := grant.Grant{ID: id, BenefitID: b.terms, CustomerID: "c" + id, Source: grant.Platform, CreatedAt: hour(10), ModifiedAt: hour(at),
		GrantedAt: hour(began), Word: grant.SaysGranted, Version: v}
	switch what {
	case "cycled":
		g.Cycle = hour(at).Format("2006-01-02T15:04:05.000000Z07:00")
	case "revoked":
		g.GrantedAt, g.RevokedAt, g.Word = time.Time{}, hour(at), grant.SaysRevoked
	}
	return grant.News{Grants: []grant.Grant{g}, Customers: []grant.Customer{{ID: "c" + id, Version: grant.Version{At: hour(1)}}}}
}

// says has the platform say something of a grant: a word, its hour, and that in
// which the life began.
func (b *bank) says(id, text string) {
	b.Helper()
	var what string
	var at, began int
	if _, err := fmt.Sscan(text, &what, &at, &began); err != nil {
		b.Fatal(err)
	}
	b.hear(b.telling(id, what, at, began))
}

func (b *bank) hear(n grant.News) {
	b.Helper()
	b.said++
	n.Benefits = []grant.Benefit{{ID: b.terms, Type: "meter_credit", Version: grant.Version{At: hour(1)},
		Properties: []byte(`{"meter_id":"d2982d76-8d8f-4cea-ab62-070a2485598e","units":1000,` + b.terms + `}`)}}
	if _, err := b.ledger.Accept(b.Context(), grant.Event{Source: "polar", ID: fmt.Sprint(b.said), OccurredAt: time.Now(), ReceivedAt: time.Now(), Body: []byte("{}")}); err != nil {
		b.Fatal(err)
	}
	all, err := b.ledger.Unapplied(b.Context(), time.Hour, 1)
	if err != nil || len(all) != 1 {
		b.Fatal(all, err)
	}
	if _, err := b.ledger.Apply(b.Context(), []grant.Decoded{{Event: all[0], News: n}}); err != nil {
		b.Fatal(err)
	}
}

// work sees to whatever is due.
func (b *bank) work() {
	b.Helper()
	for {
		due, err := b.ledger.Due(b.Context(), "meter_credit", 100)
		if err != nil {
			b.Fatal(err)
		}
		if len(due) == 0 {
			return
		}
		for _, d := range due {
			if err := b.worker.Work(b.Context(), d.ID); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// balance is a grant's customer's, with the entries that it is the sum of.
func (b *bank) balance(id string) (n int64, entries string) {
	b.Helper()
	all, _, err := b.ledger.CreditEntries(b.Context(), "c"+id, grant.Page{Number: 1, Limit: 100})
	if err != nil {
		b.Fatal(err)
	}
	var words []string
	for _, e := range slices.Backward(all) {
		n += e.Units
		words = append(words, fmt.Sprintf("%s%+d", e.Kind, e.Units))
	}
	return n, strings.Join(words, " ")
}

// permutations are all orders of 0 to n-1.
func permutations(n int) (all [][]int) {
	if n == 0 {
		return [][]int{nil}
	}
	for _, p := range permutations(n - 1) {
		for i := range n {
			all = append(all, slices.Insert(slices.Clone(p), i, n-1))
		}
	}
	return all
}

// Two lives, each with a renewal, arrive in every order; a worker looks after each
// event, after some, or only at the end.
func TestRenewalsOfAnEarlierLifeAreNoneOfTheLaterInWhicheverOrder(t *testing.T) {
	onEachBank(t, func(t *testing.T, b *bank) {
		for _, story := range []struct {
			what  []string
			terms string
			want  int64
		}{
			{[]string{"created 10 10", "cycled 11 10", "revoked 12 10", "created 13 13", "cycled 14 13"}, `"rollover":true`, 2000},
			{[]string{"created 10 10", "cycled 11 10", "revoked 12 10", "created 13 13", "cycled 14 13"}, `"rollover":false`, 1000},
			{[]string{"created 10 10", "cycled 11 10", "revoked 12 10", "created 13 13"}, `"rollover":true`, 1000},
			{[]string{"created 10 10", "cycled 11 10", "cycled 12 10", "cycled 13 10"}, `"rollover":true`, 4000},
			{[]string{"created 10 10", "cycled 11 10", "revoked 12 10"}, `"rollover":true`, 0},
		} {
			b.terms = story.terms
			for i, order := range permutations(len(story.what)) {
				if i%b.share != 0 {
					continue
				}
				for _, looks := range []int{0, 0b11111, 0b01010} {
					id := uuid.NewString()
					for step, n := range order {
						b.says(id, story.what[n])
						if looks&(1<<step) != 0 {
							b.work()
						}
					}
					b.work()
					if n, entries := b.balance(id); n != story.want {
						t.Errorf("%v with %s in the order %v, looked at after %05b: %d, want %d: %s", story.what, story.terms, order, looks, n, story.want, entries)
					}
				}
			}
		}
	})
}

// The kind is switched on for a grant that has been renewed, and off and on again.
func TestAKindThatComesLateMakesUpForNoRenewals(t *testing.T) {
	onEachBank(t, func(t *testing.T, b *bank) {
		id := uuid.NewString()
		is := func(when string, want int64) {
			t.Helper()
			b.work()
			if n, entries := b.balance(id); n != want {
				t.Errorf("%s: %d, want %d: %s", when, n, want, entries)
			}
		}
		b.off = true
		b.open()
		for _, what := range []string{"created 1 1", "cycled 2 1", "cycled 3 1", "cycled 4 1"} {
			b.says(id, what)
		}
		is("off", 0)
		b.off = false
		b.open()
		is("on", 1000)
		b.says(id, "cycled 5 1")
		is("renewed", 2000)
		b.says(id, "cycled 3 1") // sent again
		b.says(id, "cycled 5 1")
		is("nothing new", 2000)
		b.off = true
		b.open()
		b.says(id, "cycled 6 1")
		b.off = false
		b.open()
		is("off and on", 2000)
		b.says(id, "cycled 7 1")
		is("renewed again", 3000)
	})
}
