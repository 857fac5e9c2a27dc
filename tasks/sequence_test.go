package tasks_test

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"fulfilld/fulfillers"
	"fulfilld/fulfillers/licensekeys"
	"fulfilld/grant"
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
	case raced(), testing.Short():
		return perLedger
	case os.Getenv("E2E") == "required":
		return 2000
	}
	return 300
}

// raced reports whether the race detector is in this binary.
func raced() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
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
		h.pauseAt = pick(r, "the worker pauses", "", "", "looked", "acting", "acted", "recorded")
	}
	h.dieAt = pick(r, "the worker dies", "", "", "", "", "looked", "acting", "acted", "recorded")
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

// compare holds the world against the model.
func (r *run) compare() {
	m := model{terms: r.terms, settle: settle, now: time.Now(), said: slices.Collect(maps.Values(r.news))}
	seen := map[grant.Desired]bool{}
	for i, g := range r.grants {
		f := m.fate(g.ID)
		seen[f.owed] = true
		r.compareKey(fmt.Sprintf("grant %d, %q", i, f.owed), grant.FulfilmentID(g.ID, "license_keys"), f)
		r.compareTally(fmt.Sprintf("grant %d, %q", i, f.owed), grant.FulfilmentID(g.ID, "tally"), f)
	}
	for owed, count := range map[grant.Desired]*atomic.Int64{grant.OwedGranted: &r.ends.granted, grant.OwedRevoked: &r.ends.revoked, grant.OwedNone: &r.ends.none} {
		if seen[owed] {
			count.Add(1)
		}
	}
}

// state reads how a fulfilment ended; "" where there is none. What only time
// will end must come up again.
func (r *run) state(id string) (state grant.State) {
	var because string
	var due int64
	err := r.side.QueryRowContext(r.ctx, `SELECT state, because, due_at FROM fulfilments WHERE id = $1`, id).Scan(&state, &because, &due)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		r.Fatal(err)
	}
	if because == "grace" || because == "settling" {
		r.ends.forgiven.Add(1)
		if due == 0 {
			r.Fatalf("%s is %s for %s, and nobody will look when that ends", id, state, because)
		}
	}
	return state
}

// wantState says what the model's fate looks like in the ledger.
func wantState(f fate, asked bool) grant.State {
	switch {
	case !asked, f.owed == grant.OwedRevoked:
		return grant.Revoked
	case f.owed == grant.OwedNone:
		return grant.Pending
	case f.terms.broken:
		return grant.Failed
	}
	return grant.Granted
}

func (r *run) compareState(what, id string, f fate, asked bool) grant.State {
	have, want := r.state(id), wantState(f, asked)
	if have != want && (asked || have != "") {
		r.Fatalf("%s: %s is %q, want %q", what, id, have, want)
	}
	return want
}

func (r *run) compareKey(what, id string, f fate) {
	want := r.compareState(what, id, f, f.terms.key)
	k, err := r.LicenseKeyOf(r.ctx, id)
	if err != nil && !errors.Is(err, grant.ErrNotFound) {
		r.Fatal(err)
	}
	switch {
	case want == grant.Failed:
		r.ends.failed.Add(1)
	case want != grant.Granted:
		if k.Active {
			r.Fatalf("%s: its key is active", what)
		}
	default:
		r.ends.keys.Add(1)
		have := fmt.Sprint(k.Active, count(k.LimitUsage), count(k.LimitActivations), k.ExpiresAt.UTC())
		if want := fmt.Sprint(true, f.terms.usage, f.terms.activations, f.expires.UTC()); have != want {
			r.Fatalf("%s: the key's active, usage, activations, expiry are %s, want %s", what, have, want)
		}
	}
}

func count(limit *int64) int64 {
	if limit == nil {
		return 0
	}
	return *limit
}

func (r *run) compareTally(what, id string, f fate) {
	want := r.compareState(what, id, f, f.terms.tally)
	if is := r.there[id]; is != (want == grant.Granted) {
		r.Fatalf("%s: the tally has it: %v", what, is)
	}
	for _, key := range f.cycles {
		if want == grant.Granted && !r.cycled[id][key] {
			r.Fatalf("%s: renewal %s was never acted on", what, key)
		}
		r.ends.cycles.Add(1)
	}
}

// repeat applies every event again, in another order: nothing may change.
func (r *run) repeat() {
	before := r.dump()
	r.exec(`UPDATE events SET state = 'accepted' WHERE source = $1`, r.customers[0])
	events, err := r.Unapplied(r.ctx, 0, 1000)
	if err != nil {
		r.Fatal(err)
	}
	var again []grant.Decoded
	for _, ev := range shuffled(r, events) {
		n, err := r.decode(ev)
		again = append(again, grant.Decoded{Event: ev, News: n, Err: err})
	}
	if _, err := r.Apply(r.ctx, again); err != nil {
		r.Fatal(err)
	}
	r.drain()
	if diff := gocmp.Diff(before, r.dump()); diff != "" {
		r.Fatalf("applying all again changed something:\n%s", diff)
	}
}

// dump is everything the ledger holds of this sequence.
func (r *run) dump() (dump []string) {
	for _, from := range []string{
		`grants WHERE id IN`, `fulfilments WHERE wanted <> 'unmanaged' AND grant_id IN`, `cycles WHERE grant_id IN`, `license_keys WHERE substr(fulfilment_id, 1, 36) IN`,
		`attempts WHERE substr(fulfilment_id, 1, 36) IN`, `customers WHERE id IN`, `members WHERE id IN`, `benefits WHERE id IN`, `seats WHERE id IN`,
		`subscriptions WHERE id IN`, `orders WHERE id IN`, `products WHERE id IN`, `product_benefits WHERE product_id IN`,
	} {
		dump = append(dump, r.rows(`SELECT * FROM `+from+` (SELECT value FROM json_each($1))`)...)
	}
	return dump
}

func (r *run) rows(query string) (all []string) {
	rows, err := r.side.QueryContext(r.ctx, query, r.ids())
	if err != nil {
		r.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		r.Fatal(err)
	}
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			r.Fatal(err)
		}
		all = append(all, fmt.Sprint(values))
	}
	if err := rows.Err(); err != nil {
		r.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func (r *run) exec(query string, args ...any) {
	if _, err := r.side.ExecContext(r.ctx, query, args...); err != nil {
		r.Fatal(err)
	}
}

func (r *run) endLeases() {
	r.expired++
	r.exec(`UPDATE fulfilments SET lease_until = 0 WHERE grant_id IN (SELECT value FROM json_each($1))`, r.ids())
}

var errUnreadable = errors.New("nobody can read this")

func (r *run) decode(ev grant.Event) (grant.News, error) {
	n, ok := r.news[ev.ID]
	if !ok {
		return n, errUnreadable
	}
	return n, nil
}

var errDied = errors.New("the process died here")

// mortal is the relay's ledger.
type mortal struct {
	*ledger.Ledger
	r *run
}

func (m mortal) Apply(ctx context.Context, events []grant.Decoded) ([]grant.Due, error) {
	if m.r.relayDie == 1 {
		m.r.ends.relayDied.Add(1)
		return nil, errDied
	}
	due, err := m.Ledger.Apply(ctx, events)
	if m.r.relayDie == 2 {
		m.r.ends.relayDied.Add(1)
		return nil, errDied
	}
	return due, err
}

// hand is one worker on its way through one fulfilment. It stands between the
// worker and everything that lasts: it may pause, while others go on, and die.
type hand struct {
	*ledger.Ledger
	run             *run
	id              string
	pauseAt, dieAt  string
	refused         bool // the store refuses, once
	dead, overtaken bool
}

func (h *hand) kinds() map[string]fulfillers.Built {
	return map[string]fulfillers.Built{
		"license_keys": {Fulfiller: licensekeys.New(licensekeys.Config{}, h), Concurrency: 2},
		"tally":        {Fulfiller: tally{h}, Concurrency: 2},
	}
}

func (h *hand) worker() *tasks.Worker {
	return tasks.NewWorker(tasks.Options{Ledger: h, Kinds: h.kinds(), Log: slog.New(slog.DiscardHandler)}, func(grant.Due) {})
}

// at is a place between two lines. Who was overtaken lives to notice it: a
// lease outlasts whatever is done under it, except when a process stands still.
func (h *hand) at(place string) error {
	if h.dead {
		return errDied
	}
	if place == h.pauseAt {
		before := h.run.expired
		h.meanwhile()
		h.overtaken = h.run.expired > before
	}
	if place == h.dieAt && !h.overtaken {
		h.dead = true
		h.run.ends.died.Add(1)
		return errDied
	}
	return nil
}

// meanwhile others go on: there is news, and often another gets the lease.
func (h *hand) meanwhile() {
	r := h.run
	if pick(r, "news", true, false) {
		r.arrive(1 + r.below(4))
		r.drain()
	}
	for range r.below(3) {
		r.step(1)
	}
	if pick(r, "overtaken", true, false) {
		r.endLeases()
		r.work(h.id, 1)
	}
}

// act is what a fulfiller does to the world.
func (h *hand) act(do func() error) error {
	if err := h.at("acting"); err != nil {
		return err
	}
	if h.refused {
		h.refused = false
		return errors.New("not now")
	}
	if err := do(); err != nil {
		return err
	}
	return h.at("acted")
}

// Look implements tasks.Ledger.
func (h *hand) Look(ctx context.Context, id string, lease time.Duration) (grant.Held, error) {
	held, err := h.Ledger.Look(ctx, id, lease)
	if err == nil {
		err = h.at("looked")
	}
	return held, err
}

// Record implements tasks.Ledger.
func (h *hand) Record(ctx context.Context, held grant.Held, o grant.Outcome) (*grant.Due, bool, error) {
	if h.dead {
		return nil, false, errDied
	}
	again, lost, err := h.Ledger.Record(ctx, held, o)
	if lost {
		h.run.ends.lost.Add(1)
	}
	if err == nil {
		err = h.at("recorded")
	}
	return again, lost, err
}

// IssueLicenseKey implements licensekeys.Store. No fulfilment ever has two keys.
func (h *hand) IssueLicenseKey(ctx context.Context, want grant.LicenseKey) (k grant.LicenseKey, err error) {
	err = h.act(func() error {
		k, err = h.Ledger.IssueLicenseKey(ctx, want)
		return err
	})
	if k.Key == "" {
		return k, err
	}
	if had, ok := h.run.keys[k.FulfilmentID]; ok && had != k.Key {
		h.run.Fatalf("%s has another key than before", k.FulfilmentID)
	}
	h.run.keys[k.FulfilmentID] = k.Key
	return k, err
}

// RevokeLicenseKey implements licensekeys.Store.
func (h *hand) RevokeLicenseKey(ctx context.Context, id string) error {
	return h.act(func() error { return h.Ledger.RevokeLicenseKey(ctx, id) })
}

// tally is a kind that acts on renewals.
type tally struct{ h *hand }

func (t tally) Check(json.RawMessage) error { return nil }

func (t tally) Grant(_ context.Context, f grant.Fulfilment) (grant.Properties, error) {
	return nil, t.h.act(func() error { t.h.run.there[f.ID] = true; return nil })
}

func (t tally) Revoke(_ context.Context, f grant.Fulfilment) error {
	return t.h.act(func() error { t.h.run.there[f.ID] = false; return nil })
}

func (t tally) Cycle(_ context.Context, f grant.Fulfilment, key string) error {
	return t.h.act(func() error {
		if t.h.run.cycled[f.ID] == nil {
			t.h.run.cycled[f.ID] = map[string]bool{}
		}
		t.h.run.cycled[f.ID][key] = true
		return nil
	})
}

// cast is who takes part.
type cast struct {
	customers, members, benefits, products, seats []string
	grants                                        []grant.Grant // who claims what, through which purchase
	terms                                         map[string]terms
	published                                     map[string][]grant.Benefit
}

func (r *run) below(n int) int { return rapid.IntRange(0, n-1).Draw(r.T, "below") }

func pick[T any](r *run, what string, of ...T) T { return rapid.SampledFrom(of).Draw(r.T, what) }

func shuffled[T any](r *run, all []T) []T {
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	out := make([]T, 0, len(all))
	for _, i := range rapid.Permutation(order).Draw(r.T, "order") {
		out = append(out, all[i])
	}
	return out
}

func newIDs(n int) (all []string) {
	for range n {
		all = append(all, uuid.NewString())
	}
	return all
}

// ids is everything of this sequence, as a JSON list.
func (r *run) ids() string {
	all := slices.Concat(r.customers, r.members, r.benefits, r.products, r.seats)
	for _, g := range r.grants {
		all = append(all, g.ID, g.SubscriptionID+g.OrderID)
	}
	text, err := json.Marshal(all)
	if err != nil {
		r.Fatal(err)
	}
	return string(text)
}

// invent makes the cast: the second half of the members are the second
// customer's, the first purchase is a subscription and the second an order.
func (r *run) invent() {
	r.customers, r.members, r.benefits, r.products, r.seats = newIDs(2), newIDs(4), newIDs(2), newIDs(2), newIDs(2)
	r.terms, r.published = map[string]terms{}, map[string][]grant.Benefit{}
	purchases := [2]string{uuid.NewString(), uuid.NewString()}
	for _, b := range r.benefits {
		r.terms[b] = terms{grace: pick(r, "grace", 0, grace, grace), expiresAfter: pick(r, "expires after", 0, 0, 0, expiry)}
		lasts := r.terms[b].grace
		r.router.Entries[b] = fulfillers.Entry{Grace: &lasts, ExpiresAfter: r.terms[b].expiresAfter}
		for i := range 1 + r.below(3) {
			r.published[b] = append(r.published[b], r.edition(b, i))
		}
	}
	for range 1 + r.below(3) {
		g := grant.Grant{ID: uuid.NewString(), BenefitID: r.benefits[r.below(2)], Source: grant.Platform, CreatedAt: r.at(0)}
		customer := r.below(2)
		g.CustomerID = r.customers[customer]
		g.MemberID = pick(r, "member", "", r.members[2*customer], r.members[2*customer+1])
		if pick(r, "bought by", "subscription", "order") == "order" {
			g.OrderID = purchases[1]
		} else {
			g.SubscriptionID = purchases[0]
		}
		r.grants = append(r.grants, g)
	}
}

// at is a moment of which the shop speaks; the last is just now.
func (r *run) at(n int) time.Time {
	return r.start.UTC().Truncate(time.Millisecond).Add(time.Duration(n-ticks+1) * tick)
}

// version is one that no other thing has: nth tells them apart.
func (r *run) version(nth int) grant.Version {
	at := r.at(r.below(ticks))
	return grant.Version{At: at, Sent: at.Add(time.Duration(nth+1) * time.Millisecond)}
}

func (r *run) edition(benefit string, nth int) grant.Benefit {
	name := pick(r, "edition", slices.Sorted(maps.Keys(editions))...)
	b := editions[name].benefit
	b.ID, b.Description, b.Version = benefit, name, r.version(nth)
	b.Version.At = b.Version.Sent // no two are of one moment
	if nth == 2 && r.below(4) == 0 {
		b.DeletedAt = b.Version.At
	}
	return b
}

// speak makes up all that the shop says, and shuffles it, some of it twice.
func (r *run) speak() {
	var said []grant.News
	for _, g := range r.grants {
		for range 1 + r.below(4) {
			said = append(said, r.word(g))
		}
	}
	for _, id := range r.benefits {
		for _, b := range r.published[id] {
			said = append(said, grant.News{Benefits: []grant.Benefit{b}})
		}
	}
	for i := range r.below(10) {
		said = append(said, r.fact(i))
	}
	for i, n := range said {
		r.post(i, n, r.below(5) == 0)
	}
	if r.below(5) == 0 {
		r.arriving = append(r.arriving, r.event("unreadable"))
	}
	r.arriving = shuffled(r, r.arriving)
}

// post sends news once, or twice: by the same id or, as from two endpoints, by another.
func (r *run) post(i int, n grant.News, twice bool) {
	id := fmt.Sprint(i)
	r.arriving = append(r.arriving, r.event(id))
	r.news[r.event(id).ID] = n
	if !twice {
		return
	}
	id = pick(r, "again as", id, id+" again")
	r.arriving = append(r.arriving, r.event(id))
	r.news[r.event(id).ID] = n
}

func (r *run) event(id string) grant.Event {
	return grant.Event{Source: r.customers[0], ID: r.customers[0] + " " + id, Type: "test", OccurredAt: r.start, ReceivedAt: r.start, Body: []byte(id)}
}

// word is one the shop says on a grant, with the benefit as it was then; some
// bodies name neither purchase nor member.
func (r *run) word(g grant.Grant) grant.News {
	n := r.below(ticks)
	g.ModifiedAt, g.Word = r.at(n), pick(r, "word", grant.SaysGranted, grant.SaysGranted, grant.SaysGranted, grant.SaysRevoked, grant.SaysRevoked, grant.SaysNone)
	g.Version = grant.Version{At: g.ModifiedAt, Sent: g.ModifiedAt.Add(time.Duration(r.below(2)) * time.Second)}
	switch g.Word {
	case grant.SaysGranted:
		g.GrantedAt = r.at(r.below(n + 1))
		g.Cycle = pick(r, "cycle", "", "", g.ModifiedAt.Format(time.RFC3339))
	case grant.SaysRevoked:
		g.GrantedAt, g.RevokedAt = pick(r, "granted at", time.Time{}, r.at(0)), g.ModifiedAt
	default:
		g.Error = []byte(`{"message":"connect an account"}`)
	}
	if !pick(r, "names its purchase", true, true, true, false) {
		g.MemberID, g.SubscriptionID, g.OrderID = "", "", ""
	}
	news := grant.News{Grants: []grant.Grant{g}}
	if b := r.published[g.BenefitID][r.below(len(r.published[g.BenefitID]))]; b.DeletedAt.IsZero() && r.below(2) == 0 {
		news.Benefits = []grant.Benefit{b}
	}
	if r.below(2) == 0 {
		news.Customers = []grant.Customer{{ID: g.CustomerID, Version: grant.Version{At: r.at(0), Sent: g.Version.Sent}}}
	}
	return news
}

// fact is anything else that the shop says.
func (r *run) fact(nth int) grant.News {
	v := r.version(nth)
	g := r.grants[r.below(len(r.grants))]
	switch pick(r, "fact", "subscription", "subscription", "subscription", "subscription", "subscription", "order", "product", "product", "seat", "seat", "member", "member deleted", "customer deleted") {
	case "subscription":
		return grant.News{Subscriptions: []grant.Subscription{r.subscription(v)}}
	case "order":
		return grant.News{Orders: []grant.Order{{ID: r.bought(true), CustomerID: g.CustomerID, ProductID: r.products[1], Status: "paid", Total: 100, Version: v}}}
	case "product":
		carries := pick(r, "carries", nil, r.benefits[:1], r.benefits)
		return grant.News{Products: []grant.Product{{ID: pick(r, "product", r.products...), Benefits: carries, Version: v}}}
	case "seat":
		return grant.News{Seats: []grant.Seat{r.seat(g, v)}}
	case "customer deleted":
		return grant.News{Customers: []grant.Customer{{ID: g.CustomerID, DeletedAt: v.At, Version: v}}}
	case "member":
		return grant.News{Members: []grant.Member{{ID: r.members[0], CustomerID: r.customers[0], Version: v}}}
	}
	customer := r.below(2)
	member := r.members[2*customer+r.below(2)]
	return grant.News{Members: []grant.Member{{ID: member, CustomerID: r.customers[customer], DeletedAt: v.At, Version: v}}}
}

// bought is the purchase of the kind asked for; one that nobody has when no
// grant came by it.
func (r *run) bought(order bool) string {
	for _, g := range r.grants {
		if (g.OrderID != "") == order {
			return g.SubscriptionID + g.OrderID
		}
	}
	return r.customers[1]
}

func (r *run) subscription(v grant.Version) grant.Subscription {
	s := grant.Subscription{ID: r.bought(false), ProductID: r.products[0], Version: v,
		Status: pick(r, "status", "active", "active", "past_due", "past_due", "past_due", "past_due", "unpaid", "canceled", "paused")}
	if s.Status == "past_due" || s.Status == "unpaid" {
		s.PastDueAt = r.start.UTC().Truncate(time.Microsecond).Add(pick(r, "past due", -tick, -2*grace, soon-grace, soon-grace))
		r.hasty = r.hasty || s.PastDueAt.After(r.start.Add(-grace)) && s.PastDueAt.Before(r.start.Add(-tick))
	}
	if s.Status == "canceled" || r.below(8) == 0 {
		s.CanceledAt = v.At
	}
	return s
}

// seat is one of a grant's purchase. The body of a revoked one may not say whose it was.
func (r *run) seat(g grant.Grant, v grant.Version) grant.Seat {
	n := r.below(2)
	s := grant.Seat{ID: r.seats[n], SubscriptionID: r.bought(false), Status: pick(r, "seat", "pending", "claimed", "claimed", "revoked"), Version: v}
	s.MemberID = pick(r, "sits there", r.members[0], r.members[1], cmp.Or(g.MemberID, r.members[0]))
	if s.Status == "revoked" {
		s.RevokedAt = v.At
		s.MemberID = pick(r, "says", s.MemberID, "", "")
	}
	return s
}
