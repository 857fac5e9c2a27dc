package ledger

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fulfilld/grant"
)

const downloads = "g.downloadables"

// filed is a grant of files, in its first generation.
func (s *shop) filed(files ...string) (here, missing []string) {
	s.t.Helper()
	s.hear(news(benefit(1, "kinds", "downloadables"), granted("g", 1)))
	return s.give(1, files...)
}

func (s *shop) give(generation int64, files ...string) (here, missing []string) {
	s.t.Helper()
	all, missing, err := s.GiveFiles(s.t.Context(), downloads, files, nil, generation)
	must(s.t, err)
	for _, f := range all {
		here = append(here, f.ID)
	}
	return here, missing
}

// owed are the files that may be downloaded now.
func (s *shop) owed() (ids []string) {
	s.t.Helper()
	all, err := s.Downloads(s.t.Context(), downloads)
	must(s.t, err)
	for _, d := range all {
		if d.Owed {
			ids = append(ids, d.ID)
		}
	}
	return ids
}

func (s *shop) wantOwed(when string, want ...string) {
	s.t.Helper()
	if got := s.owed(); !slices.Equal(got, want) {
		s.t.Errorf("%s: %v may be downloaded, want %v", when, got, want)
	}
}

func TestFilesAreGivenInTheirOrder(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.put("a")
		s.put("b")
		s.put("c")
		here, missing := s.filed("c", "never", "a")
		if !slices.Equal(here, []string{"c", "a"}) || !slices.Equal(missing, []string{"never"}) {
			t.Errorf("here %v, missing %v", here, missing)
		}
		s.wantOwed("given", "c", "a")
		s.give(1, "a", "b")
		s.wantOwed("edited", "a", "b")
		if _, _, err := s.GiveFiles(t.Context(), downloads, nil, nil, 2); !errors.Is(err, grant.ErrOvertaken) {
			t.Errorf("another generation's: %v", err)
		}
		if err := s.TakeFiles(t.Context(), downloads, 2); !errors.Is(err, grant.ErrOvertaken) {
			t.Errorf("another generation's: %v", err)
		}
		must(t, s.TakeFiles(t.Context(), downloads, 1))
		s.wantOwed("taken")
	})
}

// A worker may be slow, or the queue away: what ended has ended.
func TestADownloadEndsWithTheEventAndNotWithTheWorker(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.put("a")
		s.filed("a")
		s.wantOwed("granted", "a")
		s.hear(news(revoked("g", 2)))
		s.wantOwed("revoked")
		s.hear(news(granted("g", 3)))
		s.wantOwed("revived", "a")
		s.hear(news(grant.Customer{ID: "c", DeletedAt: at(9), Version: version(9)}))
		s.wantOwed("the customer is deleted")
	})
}

func TestADeletedFileIsLostAndNotWaitedFor(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		a := s.put("a")
		s.put("b")
		s.filed("a", "b")
		n, err := s.DeleteFile(t.Context(), "a")
		if n != 1 || err != nil {
			t.Errorf("%d grants had it, %v", n, err)
		}
		if _, err := s.DeleteFile(t.Context(), "a"); !errors.Is(err, ErrNotFound) {
			t.Errorf("deleted again: %v", err)
		}
		s.wantOwed("deleted", "b")
		if all := s.loose(time.Hour); !slices.Equal(all, []string{a.Blob}) {
			t.Errorf("to be removed: %v", all)
		}
		if here, missing := s.give(1, "a", "b"); !slices.Equal(here, []string{"b"}) || len(missing) > 0 {
			t.Errorf("here %v, missing %v", here, missing)
		}
		s.announced("a") // and that comes to nothing
		s.loose(ofAnyAge)
		if _, missing := s.give(1, "a", "b"); len(missing) > 0 {
			t.Errorf("missing %v", missing)
		}
		s.put("a")
		s.wantOwed("put again", "a", "b")
	})
}

func TestAFileThatComesMakesItsGrantsDueInPortions(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		ctx := t.Context()
		s.hear(news(benefit(1, "kinds", "downloadables"), granted("g0", 1), granted("g1", 1), granted("g2", 1), granted("g3", 1), granted("g4", 1)))
		for i := range 5 {
			id := fmt.Sprintf("g%d.downloadables", i)
			_, missing, err := s.GiveFiles(ctx, id, []string{"f"}, nil, 1)
			if err != nil || len(missing) != 1 {
				t.Fatal(missing, err)
			}
			s.record(s.look(id), grant.Outcome{Action: grant.DoGrant, State: grant.Waiting, Class: "action_required", Code: grant.FileMissingCode, DueAt: time.Now().Add(time.Hour)})
		}
		s.hear(news(revoked("g4", 2)))
		if n, file, err := s.MissingFiles(ctx); n != 4 || file != "f" || err != nil {
			t.Errorf("%d wait for %q, %v", n, file, err)
		}
		s.put("f")
		var due []string
		for _, d := range s.spread() { // three at a time
			due = append(due, d.ID)
		}
		want := []string{"g0.downloadables", "g1.downloadables", "g2.downloadables", "g3.downloadables"}
		if diff := cmp.Diff(want, due); diff != "" {
			t.Error(diff)
		}
		for _, id := range want {
			if f := s.stored(id); f.State != grant.Pending || !f.Due || f.Generation != 2 {
				t.Errorf("%s: %+v", id, f)
			}
		}
		if again := s.spread(); len(again) > 0 {
			t.Errorf("and again %v", again)
		}
	})
}

func TestADownloadIsCountedOnceInItsWindow(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		ctx := t.Context()
		s.put("a")
		s.filed("a")
		count := func(window time.Duration) error { return s.CountDownload(ctx, downloads, "a", window, 2) }
		var wg sync.WaitGroup
		for range 8 { // parallel ranges
			wg.Go(func() {
				if err := count(time.Hour); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		d, err := s.Download(ctx, downloads, "a")
		if d.Count != 1 || d.CountedAt.IsZero() || err != nil {
			t.Errorf("counted %d, %v", d.Count, err)
		}
		must(t, count(0)) // the window is over
		if err := count(0); !errors.Is(err, grant.ErrUsedUp) {
			t.Errorf("a third of two: %v", err)
		}
		must(t, count(time.Hour)) // a resume of the second
		if err := s.CountDownload(ctx, downloads, "never", time.Hour, 0); !errors.Is(err, grant.ErrUsedUp) {
			t.Errorf("one that was never given: %v", err)
		}
		must(t, s.CountDownload(ctx, downloads, "a", 0, 0))
	})
}
