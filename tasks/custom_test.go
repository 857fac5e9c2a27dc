package tasks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fulfilld/fulfillers"
	"fulfilld/fulfillers/custom"
	"fulfilld/grant"
	"fulfilld/internal/secret"
	"fulfilld/internal/testserver"
	"fulfilld/ledger"
	"fulfilld/tasks"
)

// listener is a merchant's server that is told of one grant, g.
type listener struct {
	*testing.T
	ledger *ledger.Ledger
	worker *tasks.Worker
	dying  *tasks.Worker // one that is killed before it records
	server *httptest.Server
	said   int

	mu     sync.Mutex
	params string // of the benefit, as the config has them
	fails  int    // so many answers are 500
	loses  int    // so many are lost
	told   []told
}

type told struct {
	Type, id, path string
	Sequence       int64
	Data           struct{ Customer struct{ Email string } }
}

// dying is the ledger of a daemon that is killed before it records.
type dying struct{ *ledger.Ledger }

func (d dying) Look(ctx context.Context, id string, _ time.Duration) (grant.Held, error) {
	return d.Ledger.Look(ctx, id, 3*time.Second)
}

func (dying) Record(context.Context, grant.Held, grant.Outcome) (*grant.Due, bool, error) {
	return nil, false, errors.New("killed")
}

// listening runs a test on both engines. The section names a URL if it is asked to.
func listening(t *testing.T, section bool, test func(t *testing.T, s *listener)) {
	t.Parallel()
	for name, url := range map[string]func() string{
		"sqlite":   func() string { return "sqlite://" + t.TempDir() + "/l.db" },
		"postgres": func() string { return testserver.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			s := &listener{T: t}
			s.server = httptest.NewServer(s)
			t.Cleanup(s.server.Close)
			l, err := ledger.Open(t.Context(), url(), ledger.Options{Fast: true, Route: s.route})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			s.ledger, s.params = l, `{}`
			s.configure(section)
			if !section {
				s.params = fmt.Sprintf(`{"url":%q}`, s.server.URL)
			}
			test(t, s)
		})
	}
}

// configure begins with another config of the section.
func (s *listener) configure(section bool) {
	c := custom.Config{Secrets: []secret.Text{secret.New("whsec_" + strings.Repeat("b2xk", 8))}, AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	if section {
		c.URL = s.server.URL
	}
	s.dying = s.works(c, dying{s.ledger})
	s.worker = s.works(c, s.ledger)
}

func (s *listener) works(c custom.Config, l tasks.Ledger) *tasks.Worker {
	return tasks.NewWorker(tasks.Options{
		Ledger: l, Kinds: map[string]fulfillers.Built{"custom": {Fulfiller: custom.New(c, s.ledger), Concurrency: 1}},
		Metrics: tasks.NewMetrics(prometheus.NewRegistry(), []string{"custom"}), Log: slog.New(slog.DiscardHandler),
	}, func(grant.Due) {})
}

func (s *listener) route(grant.Benefit) grant.Route {
	return grant.Route{Targets: []grant.Target{{Kind: "custom", Managed: true, Cycles: true, Origin: "config", Params: json.RawMessage(s.params)}}}
}

// edit gives the benefit other parameters.
func (s *listener) edit(params string) {
	s.Helper()
	s.params = params
	if _, err := s.ledger.Reroute(s.Context()); err != nil {
		s.Fatal(err)
	}
	for more := true; more; {
		var err error
		if _, more, err = s.ledger.Spread(s.Context(), 10); err != nil {
			s.Fatal(err)
		}
	}
}

func (s *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m := told{id: r.Header.Get("webhook-id"), path: r.URL.Path}
	if err := json.Unmarshal(body, &m); err != nil {
		s.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/refuses" {
		m.Type = "refused"
		w.WriteHeader(http.StatusNotFound)
	}
	if s.fails > 0 {
		s.fails--
		m.Type = "refused"
		w.WriteHeader(http.StatusInternalServerError)
	}
	s.told = append(s.told, m)
	if s.loses > 0 {
		s.loses--
		panic(http.ErrAbortHandler)
	}
}

func (s *listener) fail(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = n
}

func (s *listener) lose(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loses = n
}

// at is the parameters that name this path.
func (s *listener) at(path string) string { return fmt.Sprintf(`{"url":%q}`, s.server.URL+path) }

func (s *listener) hear(n grant.News) {
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

// say has the shop say a word on the grant, whose customer has this address.
func (s *listener) say(word grant.Word, mail string) {
	s.Helper()
	v := grant.Version{At: time.Now(), Sent: time.Now()}
	s.hear(grant.News{
		Customers: []grant.Customer{{ID: "ada", Email: mail, Body: json.RawMessage(fmt.Sprintf(`{"email":%q}`, mail)), Version: v}},
		Benefits:  []grant.Benefit{{ID: "b", Type: "custom", Version: grant.Version{At: time.Unix(1, 0)}}},
		Grants:    []grant.Grant{{ID: "g", BenefitID: "b", CustomerID: "ada", Source: grant.Platform, Word: word, Version: v}},
	})
}

func (s *listener) retry() {
	s.Helper()
	if _, err := s.ledger.Retry(s.Context(), "g"); err != nil {
		s.Fatal(err)
	}
}

// until works until the server was told all of that, and the grant is in a state.
func (s *listener) until(state grant.State, want ...string) []told {
	s.Helper()
	var types []string
	var is grant.State
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(10 * time.Millisecond) {
		_ = s.worker.Work(s.Context(), "g.custom") // what it says is in the ledger, too
		v, err := s.ledger.Grant(s.Context(), "g")
		if err != nil {
			s.Fatal(err)
		}
		s.mu.Lock()
		all := slices.Clone(s.told)
		s.mu.Unlock()
		types = nil
		for _, m := range all {
			types = append(types, m.Type)
		}
		if is = v.State; is == state && slices.Equal(types, want) {
			return all
		}
	}
	s.Fatalf("it is %s, and told %q", is, types)
	return nil
}

const ada = "ada@example.com"

func TestAnEndIsToldAfterAFailure(t *testing.T) {
	listening(t, false, func(t *testing.T, s *listener) {
		s.say(grant.SaysGranted, ada)
		s.until(grant.Granted, "benefit.granted")
		s.edit(`{}`)
		s.fail(1)
		all := s.until(grant.Granted, "benefit.granted", "refused", "benefit.revoked")
		if all[1].id != all[2].id || all[0].id == all[1].id {
			t.Errorf("ids %s, %s, %s", all[0].id, all[1].id, all[2].id)
		}
	})
}

func TestNobodyIsForgottenWithTheSectionsURL(t *testing.T) {
	listening(t, true, func(t *testing.T, s *listener) {
		s.say(grant.SaysGranted, ada)
		s.until(grant.Granted, "benefit.granted")
		s.configure(false)
		s.retry()
		s.until(grant.Granted, "benefit.granted")
		s.say(grant.SaysRevoked, ada)
		s.until(grant.Revoking, "benefit.granted")
		v, err := s.ledger.Grant(t.Context(), "g")
		if err != nil || v.Fulfilments[0].LastError.Code != "no_url" {
			t.Errorf("%+v, %v", v.Fulfilments, err)
		}
		s.configure(true)
		s.retry()
		s.until(grant.Revoked, "benefit.granted", "benefit.revoked")
	})
}

func TestWhatIsAskedForAgainIsAnotherMessage(t *testing.T) {
	listening(t, true, func(t *testing.T, s *listener) {
		s.say(grant.SaysGranted, ada)
		want := []string{"benefit.granted"}
		s.until(grant.Granted, want...)
		for range 2 {
			s.retry()
			want = append(want, "benefit_grant.updated")
			s.until(grant.Granted, want...)
		}
		s.fail(1)
		s.retry()
		all := s.until(grant.Granted, append(want, "refused", "benefit_grant.updated")...)
		if all[3].id != all[4].id {
			t.Error("one that was refused has another id")
		}
		for i := 1; i < 4; i++ {
			if all[i].id == all[i-1].id || all[i].Sequence <= all[i-1].Sequence {
				t.Errorf("%s %d after %s %d", all[i].id, all[i].Sequence, all[i-1].id, all[i-1].Sequence)
			}
		}
	})
}

func TestANewAddressIsTold(t *testing.T) {
	listening(t, true, func(t *testing.T, s *listener) {
		s.say(grant.SaysGranted, ada)
		s.until(grant.Granted, "benefit.granted")
		mail := "countess@example.com"
		v := grant.Version{At: time.Now(), Sent: time.Now()}
		s.hear(grant.News{Customers: []grant.Customer{{ID: "ada", Email: mail, Body: json.RawMessage(fmt.Sprintf(`{"email":%q}`, mail)), Version: v}}})
		all := s.until(grant.Granted, "benefit.granted", "benefit_grant.updated")
		if got := all[1]; got.Data.Customer.Email != mail || got.id == all[0].id || got.Sequence <= all[0].Sequence {
			t.Errorf("told %+v after %+v", got, all[0])
		}
	})
}

func paths(all []told) (words []string) {
	for _, m := range all {
		words = append(words, m.path)
	}
	return words
}

// The first URL has taken the grant in, and nobody has heard its yes.
func TestAURLWhoseYesWasLostIsToldTheEnd(t *testing.T) {
	listening(t, false, func(t *testing.T, s *listener) {
		s.edit(s.at("/first"))
		s.say(grant.SaysGranted, ada)
		s.lose(1)
		s.until(grant.Pending, "benefit.granted")
		s.edit(`{}`)
		all := s.until(grant.Granted, "benefit.granted", "benefit.revoked")
		if got := paths(all); !slices.Equal(got, []string{"/first", "/first"}) {
			t.Errorf("told %s", got)
		}
		s.say(grant.SaysRevoked, ada)
		s.until(grant.Revoked, "benefit.granted", "benefit.revoked") // it knows
	})
}

// Neither of two URLs was heard, and none knows of the third.
func TestEachURLThatMayHaveBeenToldIsToldTheEnd(t *testing.T) {
	listening(t, false, func(t *testing.T, s *listener) {
		s.edit(s.at("/first"))
		s.say(grant.SaysGranted, ada)
		s.lose(2)
		s.until(grant.Pending, "benefit.granted")
		s.edit(s.at("/second"))
		s.until(grant.Pending, "benefit.granted", "benefit.granted")
		s.edit(s.at("/third"))
		s.say(grant.SaysRevoked, ada)
		all := s.until(grant.Revoked, "benefit.granted", "benefit.granted", "benefit.revoked", "benefit.revoked")
		if got := paths(all); !slices.Equal(got, []string{"/first", "/second", "/first", "/second"}) {
			t.Errorf("told %s", got)
		}
	})
}

// The daemon ends after the URL was told, and before it writes that down.
func TestAURLThatWasToldBeforeACrashIsToldTheEnd(t *testing.T) {
	listening(t, false, func(t *testing.T, s *listener) {
		s.edit(s.at("/first"))
		s.say(grant.SaysGranted, ada)
		if err := s.dying.Work(t.Context(), "g.custom"); err == nil {
			t.Fatal("it was recorded")
		}
		s.edit(`{}`)
		s.until(grant.Granted, "benefit.granted", "benefit.revoked")
	})
}

// A URL that has refused the grant, or cannot be reached, has nothing to end.
func TestAURLThatHasNotTakenTheGrantIsToldNothing(t *testing.T) {
	listening(t, false, func(t *testing.T, s *listener) {
		nobody := httptest.NewServer(http.NotFoundHandler())
		nobody.Close()
		s.say(grant.SaysGranted, ada)
		for _, params := range []string{s.at("/refuses"), fmt.Sprintf(`{"url":%q}`, nobody.URL)} {
			s.edit(params)
			if err := s.worker.Work(t.Context(), "g.custom"); err == nil {
				t.Fatalf("%s: granted", params)
			}
		}
		s.edit(`{}`)
		s.until(grant.Granted, "refused")
	})
}
