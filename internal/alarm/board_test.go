package alarm

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gauges reads fulfilld_alarm.
func gauges(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			values[f.GetName()+"/"+m.Label[0].GetValue()] = m.Gauge.GetValue()
		}
	}
	return values
}

func TestAlarmStandsUntilItIsResolved(t *testing.T) {
	var log bytes.Buffer
	now := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	b := NewBoard(Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Now: func() time.Time { return now }})
	start := now
	for range 3 {
		now = now.Add(time.Minute)
		b.Raise(RedisDown, "Redis does not answer at "+now.Format("15:04"), "Start Redis.")
	}
	want := []Alarm{{RedisDown, "Redis does not answer at 00:03", "Start Redis.", start.Add(time.Minute), now, 3}}
	if diff := cmp.Diff(want, b.List()); diff != "" {
		t.Error(diff)
	}
	b.Resolve(RedisDown)
	b.Resolve(RedisDown)
	if got := b.List(); len(got) != 0 {
		t.Errorf("still there: %+v", got)
	}
	text := log.String()
	if strings.Count(text, "level=WARN") != 1 || strings.Count(text, "alarm resolved") != 1 ||
		!strings.Contains(text, `msg=alarm code=redis_down text="Redis does not answer at 00:01" next="Start Redis."`) {
		t.Errorf("log: %s", text)
	}
}

func TestWhatHappenedOncePassesByItself(t *testing.T) {
	now := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	reg := prometheus.NewRegistry()
	b := NewBoard(Options{Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }, Registerer: reg})
	b.Raise(RedisEmptied, "tasks were lost", "Nothing: they are sent again.")
	now = now.Add(14 * time.Minute)
	if len(b.List()) != 1 {
		t.Error("gone too early")
	}
	now = now.Add(2 * time.Minute)
	if gauges(t, reg)["fulfilld_alarm/redis_emptied"] != 0 || len(b.List()) != 0 {
		t.Error("still there")
	}
	b.Raise(RedisEmptied, "again", "")
	if got := b.List(); len(got) != 1 || !got[0].Since.Equal(now) || got[0].Count != 1 {
		t.Errorf("the second time: %+v", got)
	}
}

func TestEveryCodeHasASeriesFromTheStart(t *testing.T) {
	reg := prometheus.NewRegistry()
	b := NewBoard(Options{Log: slog.New(slog.DiscardHandler), Registerer: reg})
	want := map[string]float64{}
	for _, code := range Codes {
		want["fulfilld_alarm/"+code] = 0
	}
	if diff := cmp.Diff(want, gauges(t, reg)); diff != "" {
		t.Error(diff)
	}
	b.Raise(LedgerDown, "the disk is full", "Free some.")
	want["fulfilld_alarm/ledger_down"] = 1
	if diff := cmp.Diff(want, gauges(t, reg)); diff != "" {
		t.Error(diff)
	}
}

func TestBoardIsSafeForConcurrentUse(t *testing.T) {
	b := NewBoard(Options{Log: slog.New(slog.DiscardHandler)})
	var wg sync.WaitGroup
	for _, code := range Codes {
		wg.Go(func() {
			for range 100 {
				b.Raise(code, "x", "y")
				b.List()
				b.Resolve(code)
			}
		})
	}
	wg.Wait()
	if got := b.List(); len(got) != 0 {
		t.Errorf("left: %+v", got)
	}
}

// inbox is an address that remembers what was posted.
type inbox struct {
	mu     sync.Mutex
	got    []string
	answer func(w http.ResponseWriter, r *http.Request)
}

func (i *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	i.mu.Lock()
	i.got = append(i.got, string(body))
	i.mu.Unlock()
	if i.answer != nil {
		i.answer(w, r)
	}
}

func (i *inbox) posts() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]string(nil), i.got...)
}

// posting runs a test against a board that posts into an inbox, on a clock
// that only moves when all wait.
func posting(t *testing.T, in *inbox, test func(b *Board, log *bytes.Buffer)) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := NewBoard(Options{Log: slog.New(slog.NewTextHandler(&log, nil)), URL: "http://alerts.example/secret-path"})
		b.poster.client.Transport = transport{in}
		test(b, &log)
		b.Close()
		b.Close()
	})
}

// transport answers without a network.
type transport struct{ http.Handler }

func (tr transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	tr.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

func TestAlarmIsPostedOnceAnHour(t *testing.T) {
	in := &inbox{}
	posting(t, in, func(b *Board, _ *bytes.Buffer) {
		for range 12 { // two hours
			b.Raise(EventsFailed, "2 events", "See them.")
			b.Raise(RedisDown, "away", "Start it.")
			b.Resolve(RedisDown) // one that comes and goes is still one an hour
			time.Sleep(10 * time.Minute)
		}
		synctest.Wait()
		if got := in.posts(); len(got) != 4 {
			t.Errorf("posted %d: %v", len(got), got)
		}
		var first struct {
			Code, Text, Next string
			Since            time.Time
		}
		if err := json.Unmarshal([]byte(in.posts()[0]), &first); err != nil || first.Code != EventsFailed || first.Text != "2 events" ||
			first.Next != "See them." || first.Since.IsZero() {
			t.Errorf("first post %+v, %v", first, err)
		}
	})
}

func TestAFailedPostIsTriedAgainAndTheAddressIsNotLogged(t *testing.T) {
	in := &inbox{answer: func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://elsewhere.example", http.StatusFound)
	}}
	posting(t, in, func(b *Board, log *bytes.Buffer) {
		b.Raise(LedgerDown, "full", "Free some.")
		time.Sleep(10 * time.Second)
		b.Raise(LedgerDown, "full", "Free some.") // too soon
		time.Sleep(time.Minute)
		b.Raise(LedgerDown, "full", "Free some.")
		synctest.Wait()
		if got := in.posts(); len(got) != 2 { // and the redirect was not followed
			t.Errorf("posted %d", len(got))
		}
		if text := log.String(); strings.Count(text, "alarm not posted") != 2 || !strings.Contains(text, "302 Found") || strings.Contains(text, "secret-path") {
			t.Errorf("log: %s", text)
		}
	})
}

func TestAnAddressThatHangsHoldsUpNobody(t *testing.T) {
	in := &inbox{answer: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }}
	posting(t, in, func(b *Board, log *bytes.Buffer) {
		start := time.Now()
		for _, code := range Codes {
			b.Raise(code, "x", "y")
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("raising waited %s", took)
		}
		time.Sleep(postTimeout + time.Second)
		synctest.Wait()
		if got := in.posts(); len(got) != 2 {
			t.Errorf("posted %d", len(got))
		}
		if text := log.String(); strings.Contains(text, "secret-path") || !strings.Contains(text, "alarm not posted") {
			t.Errorf("log: %s", text)
		}
	})
}
