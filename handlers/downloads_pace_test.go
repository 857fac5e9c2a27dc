package handlers

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fulfilld/grant"
	"fulfilld/internal/bucket"
)

// socket is an answer to a client that reads evenly. Like a system's it holds 4 MB,
// and who writes sleeps until a third of them is gone. It is for synctest.
type socket struct {
	*httptest.ResponseRecorder
	rate     int // bytes a second
	held     int
	drained  time.Time
	deadline atomic.Pointer[time.Time]
	changed  chan struct{}
}

const socketHolds = 4 << 20

func (s *socket) SetWriteDeadline(t time.Time) error {
	s.deadline.Store(&t)
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return nil
}

// drain is what the client has read since.
func (s *socket) drain() {
	s.held = max(0, s.held-int(time.Since(s.drained).Seconds()*float64(s.rate)))
	s.drained = time.Now()
}

func (s *socket) Write(p []byte) (int, error) {
	if s.drain(); s.held+len(p) > socketHolds {
		for s.held > socketHolds*2/3 {
			left := time.Until(*s.deadline.Load())
			if left <= 0 {
				return 0, os.ErrDeadlineExceeded
			}
			select {
			case <-s.changed:
			case <-time.After(min(left, time.Second)):
			}
			s.drain()
		}
	}
	s.held += len(p)
	return len(p), nil
}

// memory is a store of one file.
type memory struct {
	Blobs
	text []byte
}

type memoryReader struct{ *bytes.Reader }

func (memoryReader) Close() error { return nil }

func (m memory) Open(context.Context, string) (bucket.Reader, error) {
	return memoryReader{bytes.NewReader(m.text)}, nil
}

// lasting is a ledger in which a file is owed until then.
type lasting struct {
	FileLedger
	until time.Time
}

func (l lasting) Download(context.Context, string, string) (grant.Download, error) {
	return grant.Download{Owed: time.Now().Before(l.until)}, nil
}

// paced downloads 20 MB at a rate, and returns how long that took and what the log
// says; during is called beside it.
func paced(t *testing.T, rate int, lasts time.Duration, during func(*Files)) (took time.Duration, says string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var words logged
		f := &Files{Ledger: lasting{until: time.Now().Add(lasts)}, Blobs: memory{text: make([]byte, 20<<20)}, Log: slog.New(slog.NewTextHandler(&words, nil))}
		w := &socket{ResponseRecorder: httptest.NewRecorder(), rate: rate, drained: time.Now(), changed: make(chan struct{}, 1)}
		begun := time.Now()
		if during != nil {
			go during(f)
		}
		func() {
			defer func() {
				if v := recover(); v != nil && v != any(http.ErrAbortHandler) {
					panic(v)
				}
			}()
			d := grant.Download{File: grant.File{ID: theFile, Size: 20 << 20}}
			if err := f.serve(w, httptest.NewRequest(http.MethodGet, "/", nil), "g.downloadables", d, func(bool) error { return nil }); err != nil {
				t.Error(err)
			}
		}()
		took, says = time.Since(begun), words.String()
	})
	return took, says
}

func TestAClientThatIsSlowButMovesIsNotCut(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{10_000, 20_000, 40_000, 250_000, 100 << 20} {
		if _, says := paced(t, rate, 24*time.Hour, nil); says != "" {
			t.Errorf("%d bytes/s: %s", rate, says)
		}
	}
}

func TestWhyADownloadIsCutIsLogged(t *testing.T) {
	t.Parallel()
	stop := func(f *Files) {
		time.Sleep(10 * time.Second)
		f.Stop()
	}
	for _, tt := range []struct {
		name          string
		rate          int
		lasts, within time.Duration
		during        func(*Files)
		why           error
	}{
		{"a client that takes next to nothing", 1_000, 24 * time.Hour, writeStall + time.Minute, nil, errSlow},
		{"a grant that ends, and a client that takes nothing then", 1, 90 * time.Second, 2*time.Minute + time.Second, nil, errEnded},
		{"a daemon that stops, and a client that takes nothing then", 1, 24 * time.Hour, 11 * time.Second, stop, errStopping},
	} {
		took, says := paced(t, tt.rate, tt.lasts, tt.during)
		if took > tt.within || !strings.Contains(says, "level=INFO") || !strings.Contains(says, fmt.Sprintf("why=%q", tt.why)) || !strings.Contains(says, theFile) {
			t.Errorf("%s: after %s, %s", tt.name, took, says)
		}
	}
}
