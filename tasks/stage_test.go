//go:build unix

package tasks

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"fulfilld/fulfillers"
	"fulfilld/grant"
	"fulfilld/internal/memredis"
	"fulfilld/internal/testserver"
	"fulfilld/ledger"
)

const patience = 60 * time.Second // a machine busy with everybody's tests needs it

// onEachRedis runs a test on the in-process Redis and on a real one.
func onEachRedis(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("Memory", func(t *testing.T) {
		t.Parallel()
		server, err := memredis.Start()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Close)
		test(t, server.URL())
	})
	t.Run("Real", func(t *testing.T) {
		t.Parallel()
		test(t, testserver.Redis(t).URL())
	})
}

// world is a fulfiller that keeps what it granted, and counts.
type world struct {
	mu      sync.Mutex
	there   map[string]bool
	grants  map[string]int
	revokes map[string]int
	running int
	gate    func(ctx context.Context, id string) error // runs within every act; nil: open
}

func (w *world) Check(json.RawMessage) error { return nil }

func (w *world) Grant(ctx context.Context, f grant.Fulfilment) (grant.Properties, error) {
	return nil, w.act(ctx, f, w.grants, true)
}

func (w *world) Revoke(ctx context.Context, f grant.Fulfilment) error {
	return w.act(ctx, f, w.revokes, false)
}

func (w *world) act(ctx context.Context, f grant.Fulfilment, count map[string]int, there bool) error {
	w.mu.Lock()
	gate := w.gate
	count[f.Grant.ID]++
	w.running++
	w.mu.Unlock()
	var err error
	if gate != nil {
		err = gate(ctx, f.Grant.ID)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running--
	if err == nil {
		w.there[f.Grant.ID] = there
	}
	return err
}

func (w *world) set(gate func(ctx context.Context, id string) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gate = gate
}

// counts tells how much is there, and how many acts are under way.
func (w *world) counts() (there, running int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, is := range w.there {
		if is {
			there++
		}
	}
	return there, w.running
}

func (w *world) granted(id string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.grants[id]
}

// board keeps which alarms stand, and which ever stood.
type board struct {
	mu        sync.Mutex
	now, ever map[string]string
}

func (b *board) Raise(code, text, _ string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now[code], b.ever[code] = text, text
}

func (b *board) Resolve(code string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.now, code)
}

func (b *board) stands(code string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.now[code]
	return ok
}

// stage is a queue over a real ledger, with a world to act on.
type stage struct {
	*testing.T
	*Queue
	ledger *ledger.Ledger
	world  *world
	alarms *board
	url    string
	client redis.UniversalClient
	log    *lines
	opts   Options
}

// newStage opens a ledger; nothing runs yet.
func newStage(t *testing.T, url string) *stage {
	t.Helper()
	l, err := ledger.Open(t.Context(), "sqlite://"+filepath.Join(t.TempDir(), "ledger.db"), ledger.Options{
		Fast: true,
		Route: func(b grant.Benefit) grant.Route {
			return grant.Route{Targets: []grant.Target{{Kind: b.Type, Managed: true}}}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	connector, err := NewConnector(url)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{T: t, ledger: l, url: url, client: connector.Client(), log: &lines{},
		world:  &world{there: map[string]bool{}, grants: map[string]int{}, revokes: map[string]int{}},
		alarms: &board{now: map[string]string{}, ever: map[string]string{}},
	}
	t.Cleanup(func() { _ = s.client.Close() })
	s.opts = Options{
		Ledger: l, Decode: decodeTest, RedisURL: url, Alarms: s.alarms,
		Kinds: map[string]fulfillers.Built{"lamp": {Fulfiller: s.world, Concurrency: 4}},
		Log:   slog.New(slog.NewTextHandler(s.log, nil)),
	}
	return s
}

// start runs the queue until the test ends; set adjusts it before.
func (s *stage) start(set ...func(*Queue)) *stage {
	s.Helper()
	q, err := assemble(s.opts, false)
	if err != nil {
		s.Fatal(err)
	}
	for _, f := range set {
		f(q)
	}
	if err := q.run(); err != nil {
		s.Fatal(err)
	}
	s.Queue = q
	s.Cleanup(func() { shutdown(q, 10*time.Second) })
	return s
}

// shutdown stops a queue, and tells how long that took.
func shutdown(q *Queue, within time.Duration) (took time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	began := time.Now()
	q.Shutdown(ctx)
	return time.Since(began)
}

// decodeTest reads an event's body as the news themselves.
func decodeTest(ev grant.Event) (n grant.News, err error) {
	return n, json.Unmarshal(ev.Body, &n)
}

// say has the shop say a word on each of the grants.
func (s *stage) say(word grant.Word, ids ...string) {
	s.Helper()
	now := time.Now()
	n := grant.News{Benefits: []grant.Benefit{{ID: "benefit", Type: "lamp", Version: grant.Version{At: noon}}}}
	for _, id := range ids {
		n.Grants = append(n.Grants, grant.Grant{ID: id, BenefitID: "benefit", CustomerID: "ada", Source: grant.Platform,
			Word: word, Version: grant.Version{At: now, Sent: now}})
	}
	body, err := json.Marshal(n)
	if err != nil {
		s.Fatal(err)
	}
	ev := grant.Event{Source: "test", ID: fmt.Sprint(now.UnixNano(), ids[0]), Type: "grant", ReceivedAt: now, OccurredAt: now, Body: body}
	if got, err := s.ledger.Accept(s.Context(), ev); err != nil || got != grant.Accepted {
		s.Fatalf("%s: %v", got, err)
	}
	if s.Queue != nil {
		s.Relay.Wake()
	}
}

func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("g%04d", i)
	}
	return all
}

// await polls until what is asked for is so.
func (s *stage) await(what string, so func() bool) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-ctx.Done():
			there, running := s.world.counts()
			s.Fatalf("not so within %v: %s; %d there, %d running; log:\n%s", patience, what, there, running, s.log.tail())
		case <-tick.C:
		}
	}
}

// awaitAll waits until exactly n are granted and nothing is due.
func (s *stage) awaitAll(n int) {
	s.Helper()
	s.await(fmt.Sprintf("%d granted", n), func() bool { there, running := s.world.counts(); return there == n && running == 0 })
	s.await("nothing is due", func() bool {
		due, err := s.ledger.Due(s.Context(), "lamp", 1)
		return err == nil && len(due) == 0
	})
}

// pending is how many tasks wait in Redis.
func (s *stage) pending() int64 {
	n, _ := s.client.LLen(s.Context(), "asynq:{lamp}:pending").Result()
	return n
}

func (s *stage) inspector() *asynq.Inspector {
	i := asynq.NewInspectorFromRedisClient(s.client)
	return i
}

// hold makes every act wait until the returned function is called.
func (s *stage) hold() (release func()) {
	open := make(chan struct{})
	s.world.set(func(ctx context.Context, _ string) error {
		select {
		case <-open:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	release = sync.OnceFunc(func() { close(open) })
	s.Cleanup(release)
	return release
}

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) tail() string {
	text := l.String()
	return text[max(0, len(text)-3000):]
}
