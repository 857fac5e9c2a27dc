package tasks_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/internal/testserver"
	"fulfilld/ledger"
	"fulfilld/tasks"
)

const (
	tick      = 10 * time.Minute // between what the shop says
	ticks     = 9                // the last is just now
	grace     = 7 * 24 * time.Hour
	settle    = 15 * time.Minute // so that a revoke of the last two ticks still waits for its reason
	expiry    = 45 * time.Minute
	soon      = 15 * time.Millisecond // into a sequence, a grace may run out
	perLedger = 100                   // sequences: rapid's default number of checks
)

// sequences is how many to run: FULFILLD_TEST_SEQUENCES, else 2000 where the
// whole is tested and 300 in passing. The race detector makes SQLite 15 times
// slower and has little to find in what runs one after another.
func sequences(t *testing.T) int {
	if n, err := strconv.Atoi(os.Getenv("FULFILLD_TEST_SEQUENCES")); err == nil {
		return n
	}
	switch {
	case testserver.Raced(), testing.Short():
		return perLedger
	case os.Getenv("E2E") == "required":
		return 2000
	}
	return 300
}

// Whatever the shop says, in whatever order, however often, whoever dies in the
// middle of it: once all is quiet, everybody has what the model says.
func TestAnySequenceEndsAsTheModelSays(t *testing.T) {
	t.Parallel()
	var ends tallyOfEnds
	n := sequences(t)
	t.Run("Sequences", func(t *testing.T) {
		for i := range (n + perLedger - 1) / perLedger {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				f := openFloor(t, &ends)
				rapid.Check(t, func(rt *rapid.T) { newRun(rt, f).run() })
			})
		}
	})
	t.Log(ends.String())
	for what, count := range ends.counts() {
		if count == 0 && n >= 300 && !t.Failed() { // fewer may miss something by chance
			t.Errorf("no sequence had anything %s: the test proves nothing about it", what)
		}
	}
}

// tallyOfEnds counts what happened, so that the test cannot pass by doing nothing.
type tallyOfEnds struct {
	runs, granted, revoked, none, forgiven, failed atomic.Int64
	died, lost, relayDied, keys, cycles            atomic.Int64
}

func (e *tallyOfEnds) counts() map[string]int64 {
	return map[string]int64{
		"granted": e.granted.Load(), "revoked": e.revoked.Load(), "none": e.none.Load(), "forgiven": e.forgiven.Load(), "failed": e.failed.Load(),
		"dying": e.died.Load(), "losing its lease": e.lost.Load(), "dying in the relay": e.relayDied.Load(),
		"with a key": e.keys.Load(), "renewed": e.cycles.Load(),
	}
}

func (e *tallyOfEnds) String() string {
	s := fmt.Sprintf("%d sequences:", e.runs.Load())
	counts := e.counts()
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		s += fmt.Sprintf(" %s %d;", k, counts[k])
	}
	return s
}

// floor is where sequences run, one after another: a ledger, and a way past it.
type floor struct {
	*ledger.Ledger
	side   *sql.DB
	router fulfillers.Router
	ends   *tallyOfEnds
}

func openFloor(t *testing.T, ends *tallyOfEnds) *floor {
	f := &floor{ends: ends, router: fulfillers.Router{Entries: map[string]fulfillers.Entry{}, Kinds: (&hand{}).kinds()}}
	path := filepath.Join(t.TempDir(), "ledger.db")
	var err error
	f.Ledger, err = ledger.Open(t.Context(), "sqlite://"+path, ledger.Options{Fast: true, Settle: settle,
		Route: func(b grant.Benefit) grant.Route { return f.router.Route(b) }})
	if err != nil {
		t.Fatal(err)
	}
	f.side, err = sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=synchronous(OFF)")
	if err != nil {
		t.Fatal(err)
	}
	f.side.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := errors.Join(f.side.Close(), f.Close()); err != nil {
			t.Error(err)
		}
	})
	return f
}

// run is one sequence: a few customers, what the shop says of them, and the
// workers that see to it.
type run struct {
	*rapid.T
	*floor
	ctx   context.Context
	start time.Time
	cast
	news     map[string]grant.News // by event
	arriving []grant.Event
	relay    *tasks.Relay
	relayDie int // 1: before the next commit; 2: after it

	keys    map[string]string          // the text first issued, by fulfilment
	there   map[string]bool            // what the tally has
	cycled  map[string]map[string]bool // and which renewals it has seen
	expired int                        // how often leases were made to end
	hasty   bool                       // a grace runs out soon
}

func newRun(rt *rapid.T, f *floor) *run {
	r := &run{
		T: rt, floor: f, ctx: rt.Context(), start: time.Now(), news: map[string]grant.News{},
		keys: map[string]string{}, there: map[string]bool{}, cycled: map[string]map[string]bool{},
	}
	r.relay = tasks.NewRelay(tasks.Options{Ledger: mortal{f.Ledger, r}, Decode: r.decode, Log: slog.New(slog.DiscardHandler)}, func([]grant.Due) {})
	r.exec(`UPDATE events SET state = 'failed' WHERE state = 'accepted'`) // of a sequence that failed
	r.invent()
	r.speak()
	return r
}

func (r *run) run() {
	for step := 0; len(r.arriving) > 0 || step%8 != 7; step++ {
		r.step(0)
	}
	r.quiesce()
	r.compare()
	r.repeat()
	r.ends.runs.Add(1)
}

// step lets something happen. Within a worker's pause (depth 1) no worker pauses.
func (r *run) step(depth int) {
	switch pick(r, "what happens", "arrive", "arrive", "apply", "apply", "work", "work", "work", "work", "leases end", "time passes", "grace ends") {
	case "arrive":
		r.arrive(1 + r.below(4))
	case "apply":
		r.relayDie = pick(r, "the relay dies", 0, 0, 0, 1, 2)
		_, _ = r.relay.Step(r.ctx, 0)
		r.relayDie = 0
	case "work":
		if due := r.due(); len(due) > 0 {
			r.work(pick(r, "fulfilment", due...), depth)
		}
	case "leases end":
		r.endLeases()
	case "time passes":
		r.exec(`UPDATE fulfilments SET due_at = 1 WHERE due_at > 0 AND grant_id IN (SELECT value FROM json_each($1))`, r.ids())
	case "grace ends":
		r.waitOut()
	}
}

// waitOut lets pass the one moment that may lie ahead.
func (r *run) waitOut() {
	if r.hasty {
		time.Sleep(time.Until(r.start.Add(soon + 3*time.Millisecond)))
	}
}

func (r *run) arrive(n int) {
	for range min(n, len(r.arriving)) {
		ev := r.arriving[0]
		r.arriving = r.arriving[1:]
		if _, err := r.Accept(r.ctx, ev); err != nil {
			r.Fatal(err)
		}
	}
}

func (r *run) work(id string, depth int) {
	h := &hand{run: r, Ledger: r.Ledger, id: id}
	if depth == 0 {
		h.pauseAt = pick(r, "the worker pauses", "", "", "looked", "acting", "acting", "acted", "recorded")
	}
	h.dieAt = pick(r, "the worker dies", "", "", "", "", "looked", "acting", "acted", "acted", "recorded")
	h.refused = r.below(8) == 0
	_ = h.worker().Work(r.ctx, id)
}

// quiesce repeats what sweeps do until nothing is left to do.
func (r *run) quiesce() {
	r.waitOut()
	for range 50 {
		r.endLeases()
		r.exec(`UPDATE fulfilments SET due_at = 1 WHERE due_at > 0 AND attempts > 0 AND state <> 'failed' AND grant_id IN (SELECT value FROM json_each($1))`, r.ids())
		r.drain()
		due := r.due()
		if len(due) == 0 {
			return
		}
		for _, id := range due {
			_ = (&hand{run: r, Ledger: r.Ledger}).worker().Work(r.ctx, id)
		}
	}
	r.Fatalf("never quiet; still due: %v", r.due())
}

func (r *run) drain() {
	for n := 1; n > 0; {
		var err error
		if n, err = r.relay.Step(r.ctx, 0); err != nil {
			r.Fatal(err)
		}
	}
}

func (r *run) due() (ids []string) {
	for _, kind := range []string{"license_keys", "tally"} {
		due, err := r.Due(r.ctx, kind, 1000)
		if err != nil {
			r.Fatal(err)
		}
		for _, d := range due {
			if slices.ContainsFunc(r.grants, func(g grant.Grant) bool { return d.ID == grant.FulfilmentID(g.ID, d.Kind) }) {
				ids = append(ids, d.ID)
			}
		}
	}
	place := func(id string) int {
		return slices.IndexFunc(r.grants, func(g grant.Grant) bool { return g.ID == id[:len(g.ID)] })*100 + len(id)
	}
	slices.SortFunc(ids, func(a, b string) int { return place(a) - place(b) }) // ids are random, sequences must not be
	return ids
}
