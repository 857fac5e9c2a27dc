package ledger

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"fulfilld/grant"
)

// announced is a file on its way, with a loose blob to take it.
func (s *shop) announced(id string) grant.File {
	s.t.Helper()
	f, err := s.Announce(s.t.Context(), grant.File{ID: id, Name: id + ".zip", MIMEType: "application/zip", Size: 3, SHA256: "00", Upload: uuid.NewString()})
	must(s.t, err)
	f.Blob = uuid.NewString()
	must(s.t, s.Loosen(s.t.Context(), f.Blob, time.Hour))
	return f
}

// put is a file that is there.
func (s *shop) put(id string) grant.File {
	s.t.Helper()
	f := s.announced(id)
	must(s.t, s.Store(s.t.Context(), f))
	f, err := s.Finish(s.t.Context(), f.ID, f.Upload)
	must(s.t, err)
	return f
}

// ofAnyAge finds what was announced just now: an engine's clock may tell whole
// milliseconds.
const ofAnyAge = -time.Second

func (s *shop) loose(age time.Duration) []string {
	s.t.Helper()
	all, err := s.Loose(s.t.Context(), age)
	must(s.t, err)
	return all
}

func TestAFileIsSeenOnceItIsWhole(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		ctx := t.Context()
		unseen := func(when string) {
			t.Helper()
			_, n, err := s.Files(ctx, grant.FileFilter{}, grant.Page{Number: 1, Limit: 10})
			_, one := s.File(ctx, "f")
			if n != 0 || err != nil || !errors.Is(one, ErrNotFound) {
				t.Errorf("%s: %d files, %v; %v", when, n, err, one)
			}
		}
		f := s.announced("f")
		if _, err := s.Finish(ctx, f.ID, f.Upload); !errors.Is(err, ErrNotFound) {
			t.Errorf("finished without its bytes: %v", err)
		}
		unseen("announced")
		must(t, s.Store(ctx, f))
		unseen("stored")
		want, err := s.Finish(ctx, f.ID, f.Upload)
		must(t, err)
		again, err := s.Finish(ctx, f.ID, f.Upload)
		if diff := cmp.Diff(want, again); diff != "" || err != nil {
			t.Errorf("finished twice, %v:\n%s", err, diff)
		}
		all, n, err := s.Files(ctx, grant.FileFilter{IDs: []string{"f"}}, grant.Page{Number: 1, Limit: 10})
		if diff := cmp.Diff([]grant.File{want}, all); diff != "" || n != 1 || err != nil {
			t.Errorf("%d files, %v:\n%s", n, err, diff)
		}
		if _, err := s.Announce(ctx, f); !errors.Is(err, grant.ErrExists) {
			t.Errorf("announced again: %v", err)
		}
	})
}

func TestAFileIsOfTheOrganizationThatIsKnown(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		ctx := t.Context()
		wantOf := func(when, organization string, files ...string) {
			t.Helper()
			all, _, err := s.Files(ctx, grant.FileFilter{OrganizationIDs: []string{organization}}, grant.Page{Number: 1, Limit: 10})
			must(t, err)
			var got []string
			for _, f := range all {
				got = append(got, f.ID+" of "+f.OrganizationID)
			}
			slices.Sort(got)
			if diff := cmp.Diff(files, got); diff != "" {
				t.Errorf("%s, files of %s:\n%s", when, organization, diff)
			}
		}
		s.put("early")
		wantOf("none is known", "acme", "early of ")
		s.hear(news(grant.Customer{ID: "c", OrganizationID: "acme", Version: version(1)}))
		wantOf("a customer is known", "acme", "early of acme")
		wantOf("a customer is known", "other")
		s.hear(news(grant.Benefit{ID: "b", OrganizationID: "acme", Type: "downloadables", Version: version(1)}))
		if f := s.put("late"); f.OrganizationID != "acme" {
			t.Errorf("announced as of %q", f.OrganizationID)
		}
		wantOf("a benefit is known", "acme", "early of acme", "late of acme")
		wantOf("a benefit is known", "other")
	})
}

func TestOfTwoUploadsToOneIDTheLaterAnnouncedCounts(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		first := s.announced("f")
		must(t, s.Store(t.Context(), first))
		second := s.announced("f")
		if diff := cmp.Diff([]string{first.Blob}, s.loose(time.Hour)); diff != "" {
			t.Errorf("the first one's bytes are not to go:\n%s", diff)
		}
		if _, err := s.Finish(t.Context(), first.ID, first.Upload); !errors.Is(err, ErrNotFound) {
			t.Errorf("the first finishes: %v", err)
		}
		must(t, s.Store(t.Context(), second))
		got, err := s.Finish(t.Context(), second.ID, second.Upload)
		if err != nil || got.Blob != second.Blob {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestOneOfEightSendersStoresTheBytes(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		f := s.announced("f")
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() {
				mine := f
				mine.Blob = uuid.NewString()
				errs[i] = errors.Join(s.Loosen(t.Context(), mine.Blob, time.Hour), s.Store(t.Context(), mine))
			})
		}
		wg.Wait()
		stored := 0
		for _, err := range errs {
			switch {
			case err == nil:
				stored++
			case !errors.Is(err, ErrNotFound):
				t.Error(err)
			}
		}
		if stored != 1 {
			t.Errorf("%d of 8 stored it", stored)
		}
	})
}

func TestWhatCameToNothingIsRemoved(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		ctx := t.Context()
		kept := s.put("kept")
		half := s.announced("half")
		must(t, s.Store(ctx, half))
		gone := s.announced("gone") // and its blob is still being written
		if all := s.loose(time.Hour); len(all) != 0 {
			t.Errorf("to be removed already: %v", all)
		}
		if diff := cmp.Diff([]string{half.Blob}, s.loose(ofAnyAge)); diff != "" {
			t.Error(diff)
		}
		for _, f := range []grant.File{half, gone} {
			if _, err := s.Unfinished(ctx, f.ID, f.Upload); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s is known still: %v", f.ID, err)
			}
		}
		must(t, s.Loosen(ctx, gone.Blob, 0))
		must(t, s.Removed(ctx, half.Blob))
		if diff := cmp.Diff([]string{gone.Blob}, s.loose(ofAnyAge)); diff != "" {
			t.Error(diff)
		}
		if _, err := s.File(ctx, kept.ID); err != nil {
			t.Error(err)
		}
	})
}

func TestABlobThatWasRemovedIsNoFiles(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		f := s.announced("f")
		must(t, s.Removed(t.Context(), f.Blob))
		if err := s.Store(t.Context(), f); !errors.Is(err, ErrNotFound) {
			t.Errorf("stored: %v", err)
		}
	})
}

func TestAFileTakesAnotherName(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		s.put("f")
		name, version := "other.zip", "2"
		got, err := s.EditFile(t.Context(), "f", &name, nil)
		if err != nil || got.Name != name || got.Version != "" || got.ModifiedAt.IsZero() {
			t.Errorf("%+v, %v", got, err)
		}
		got, err = s.EditFile(t.Context(), "f", nil, &version)
		if err != nil || got.Name != name || got.Version != version {
			t.Errorf("%+v, %v", got, err)
		}
		f := s.announced("half")
		if _, err := s.EditFile(t.Context(), f.ID, &name, nil); !errors.Is(err, ErrNotFound) {
			t.Errorf("a half one is renamed: %v", err)
		}
	})
}
