package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fulfilld/grant"
)

var errRefused = errors.New("refused")

// stall keeps every writer busy until the returned function is called, so that
// what is handed in meanwhile shares a commit.
func (s *shop) stall() (free func()) {
	gate := make(chan struct{})
	var busy sync.WaitGroup
	for range s.engine.writers {
		busy.Add(1)
		go func() {
			_ = s.writers.do(context.Background(), work, func(*tx) error {
				busy.Done()
				<-gate
				return nil
			})
		}()
		busy.Wait() // one after another: each takes a writer of its own
	}
	return func() { close(gate) }
}

// handIn starts a write and waits until it is in line.
func (s *shop) handIn(ctx context.Context, l lane, fn func(*tx) error) <-chan error {
	had := len(s.writers.lanes[l])
	result := make(chan error, 1)
	go func() { result <- s.writers.do(ctx, l, fn) }()
	for len(s.writers.lanes[l]) == had {
		time.Sleep(time.Millisecond)
	}
	return result
}

func touch(id string) func(*tx) error {
	return func(t *tx) error {
		_, err := t.exec(`INSERT INTO products (id, body, ver_at, ver_sent) VALUES ($1, '', 0, 0)`, id)
		return err
	}
}

func (s *shop) touched() int64 { return s.count(`SELECT count(*) FROM products`) }

func TestFailingWriteDoesNotFailItsNeighbours(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		free := s.stall()
		good := s.handIn(t.Context(), intake, touch("a"))
		bad := s.handIn(t.Context(), intake, func(t *tx) error { return errors.Join(touch("bad")(t), errRefused) })
		invalid := s.handIn(t.Context(), work, func(t *tx) error {
			_, err := t.exec(`INSERT INTO products (id) VALUES ('b')`)
			return err
		})
		panics := s.handIn(t.Context(), work, func(*tx) error { panic("at the disco") })
		good2 := s.handIn(t.Context(), work, touch("c"))
		free()
		for name, err := range map[string]error{"good": <-good, "good2": <-good2} {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := <-bad; !errors.Is(err, errRefused) {
			t.Errorf("bad: %v", err)
		}
		if err := <-invalid; err == nil || !isConstraint(err) {
			t.Errorf("invalid: %v", err)
		}
		if err := <-panics; err == nil || !strings.Contains(err.Error(), "disco") {
			t.Errorf("panics: %v", err)
		}
		if n := s.touched(); n != 2 {
			t.Errorf("%d rows, want 2", n)
		}
	})
}

func TestCallerThatHangsUpDoesNotCancelTheBatch(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		free := s.stall()
		ctx, hangUp := context.WithCancel(t.Context())
		gone := s.handIn(ctx, intake, touch("a"))
		stays := s.handIn(t.Context(), intake, touch("b"))
		hangUp()
		if err := <-gone; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "uncertain") {
			t.Errorf("who hung up hears %v", err)
		}
		free()
		if err := <-stays; err != nil {
			t.Error(err)
		}
		for began := time.Now(); s.touched() < 2; time.Sleep(time.Millisecond) { // another writer may have it
			if time.Since(began) > 10*time.Second {
				t.Fatal("what was handed in was not done")
			}
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if _, err := s.Accept(ended, event("a")); err == nil {
			t.Error("accepted for a caller that was gone before")
		}
	})
}

func TestResultOfAWriteNotWaitedForIsNotLookedAt(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1), granted("g", 1)))
		var wg sync.WaitGroup
		for i := range 40 { // the race detector watches
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*50*time.Microsecond)
				defer cancel()
				_, _ = s.Accept(ctx, event(fmt.Sprint("id", i)))
				h, err := s.Look(ctx, keys, time.Millisecond)
				if err == nil {
					_, _, _ = s.Record(ctx, h, grant.Outcome{Action: grant.DoGrant, DueAt: time.Now()})
				}
			})
		}
		wg.Wait()
	})
}

func TestCloseFinishesWhatWasHandedIn(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		free := s.stall()
		var results []<-chan error
		for i := range 20 {
			results = append(results, s.handIn(t.Context(), lane(i%2), touch(fmt.Sprint(i))))
		}
		closed := make(chan error, 1)
		go func() { closed <- s.Close() }()
		<-s.writers.closing
		free()
		for _, r := range results {
			if err := <-r; err != nil {
				t.Error(err)
			}
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if _, err := s.Accept(t.Context(), event("late")); !errors.Is(err, errClosed) {
			t.Errorf("after Close: %v", err)
		}
		s.Ledger = s.another()
		if n := s.touched(); n != 20 {
			t.Errorf("%d rows, want 20", n)
		}
	})
}

func TestEveryCallerIsAnsweredWhileClosing(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		var wg sync.WaitGroup
		var done atomic.Int64
		for i := range 32 {
			wg.Go(func() {
				for n := 0; ; n++ {
					got, err := s.Accept(context.Background(), event(fmt.Sprint(i, "-", n)))
					if errors.Is(err, errClosed) {
						return
					}
					if err != nil || got != grant.Accepted {
						t.Error(got, err)
						return
					}
					done.Add(1)
				}
			})
		}
		for done.Load() < 100 {
			time.Sleep(time.Millisecond)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		s.Ledger = s.another()
		if n := s.count(`SELECT count(*) FROM events`); n != done.Load() {
			t.Errorf("%d events, but %d were answered", n, done.Load())
		}
	})
}

// flood keeps callers at it until the test is over, and counts what they get done.
func (s *shop) flood(ctx context.Context, wg *sync.WaitGroup, callers int, l lane, took time.Duration) *atomic.Int64 {
	var done atomic.Int64
	for range callers {
		wg.Go(func() {
			for s.writers.do(ctx, l, func(*tx) error { time.Sleep(took); return nil }) == nil {
				done.Add(1)
			}
		})
	}
	return &done
}

func TestIntakeGoesFirstAndWorkGetsItsShare(t *testing.T) {
	t.Parallel()
	s := open(t, sqliteURL(t), Options{Fast: true})
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	worked := s.flood(ctx, &wg, 300, work, time.Millisecond)
	for worked.Load() == 0 { // until they are at it
		time.Sleep(time.Millisecond)
	}
	var most int64 // works that an intake waited for
	for range 20 { // intake among nothing but work
		began := worked.Load()
		if err := s.writers.do(ctx, intake, func(*tx) error { return nil }); err != nil {
			t.Error(err)
		}
		most = max(most, worked.Load()-began)
	}
	if most > 60 {
		t.Errorf("intake waited for %d of 300", most)
	}
	taken := s.flood(ctx, &wg, 300, intake, time.Millisecond)
	before := worked.Load()
	for taken.Load() < 600 {
		time.Sleep(time.Millisecond)
	}
	share := float64(worked.Load()-before) / float64(taken.Load())
	stop()
	wg.Wait()
	t.Logf("intake waited for %d of 300 at most; %.0f of work for 100 of intake", most, 100*share)
	if share < 0.02 || share > 0.6 {
		t.Errorf("work got %.2f of what intake got", share)
	}
}

func TestConcurrentCallersGetTheirOwn(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.hear(news(benefit(1)))
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for n := range 10 {
					id := fmt.Sprintf("g%d-%d", i, n)
					s.mu.Lock()
					s.news[id] = news(granted(id, 1))
					s.mu.Unlock()
					if got, err := s.Accept(t.Context(), event(id)); err != nil || got != grant.Accepted {
						t.Error(got, err)
					}
					if got, err := s.Accept(t.Context(), event(id)); err != nil || got != grant.Duplicate {
						t.Error(got, err)
					}
				}
			})
			wg.Go(func() {
				for range 10 {
					due, err := s.Apply(t.Context(), s.decode())
					if err != nil {
						t.Error(err)
					}
					for _, d := range due {
						h, err := s.Look(t.Context(), d.ID, time.Minute)
						if err != nil {
							t.Error(err)
							continue
						}
						if again, lost, err := s.Record(t.Context(), h, grant.Outcome{Action: grant.DoGrant, State: grant.Granted, Done: true}); again != nil || lost || err != nil {
							t.Error(again, lost, err)
						}
					}
				}
			})
		}
		wg.Wait()
		for _, d := range s.apply() {
			s.work(d.ID)
		}
		if n := s.count(`SELECT count(*) FROM fulfilments WHERE state = 'granted' AND generation = 1 AND starts = 1`); n != 80 {
			t.Errorf("%d granted, want 80", n)
		}
	})
}
