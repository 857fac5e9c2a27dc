package handlers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"fulfilld/grant"
	"fulfilld/internal/bucket"
)

// serve sends a file that we have here, with everything of ranges and conditions.
// When it cannot be sent to its end the connection is cut: a short answer might pass
// for a whole one.
func (f *Files) serve(w http.ResponseWriter, r *http.Request, fulfilment string, d grant.Download, admit func(resumed bool) error) error {
	blob, err := f.Blobs.Open(r.Context(), d.Blob)
	if err != nil {
		return fmt.Errorf("open file %s: %w", d.ID, err)
	}
	in := &watched{blob: blob}
	defer in.Close()
	if blob.Size() != d.Size {
		return fmt.Errorf("file %s has %d bytes in the store, and %d in the ledger; put it back from a backup", d.ID, blob.Size(), d.Size)
	}
	ctx, end := context.WithCancelCause(r.Context())
	c := http.NewResponseController(w)
	out := &going{ResponseWriter: w, ctx: ctx, pace: f.pace(c.SetWriteDeadline, writeStall), admit: admit}
	out.begin()
	var guard sync.WaitGroup
	guard.Go(func() {
		if why := f.guard(ctx, fulfilment, d.ID); why != nil {
			end(why)
			_ = c.SetWriteDeadline(time.Now()) // wakes a write that waits for its client
		}
	})
	http.ServeContent(out, r, "", d.UploadedAt, in)
	end(nil)
	guard.Wait() // or it would touch the connection's next request
	f.tell(r, d, in, out)
	return out.refused
}

// guard returns why a download under way is to end, which may be that its grant does;
// nil when it has ended. It asks about the grant and not about the link: what begins
// in the life of a link may take longer.
func (f *Files) guard(ctx context.Context, fulfilment, file string) error {
	tick := time.NewTicker(cmp.Or(f.Recheck, time.Minute))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.ending():
			return errStopping
		case <-tick.C:
			if f.ended(ctx, fulfilment, file) {
				return errEnded
			}
		}
	}
}

// ended is false where the ledger does not answer.
func (f *Files) ended(ctx context.Context, fulfilment, file string) bool {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	_, err := f.owed(ctx, fulfilment, file)
	return errors.Is(err, goneFile)
}

var errEnded = errors.New("the grant has ended")

// tell logs why a download was cut, and cuts it. Of a client that went away there
// is nothing to tell.
func (f *Files) tell(r *http.Request, d grant.Download, in *watched, out *going) {
	failed := in.failure()
	about := []any{slog.String("file", d.ID), slog.Int64("sent", out.sent)}
	switch {
	case out.cut != nil:
		f.Log.Info("a download was cut off", append(about, slog.String("why", out.cut.Error()))...)
	case failed != nil && r.Context().Err() == nil:
		f.Log.Error("a download was cut off: the store does not read to the end", append(about, slog.Any("err", failed))...)
	case failed == nil:
		return
	}
	panic(http.ErrAbortHandler)
}

// watched remembers whether the store failed. Where several ranges are sent, who
// reads may outlive the answer by a moment.
type watched struct {
	mu     sync.Mutex
	blob   bucket.Reader
	closed bool
	failed error
}

// Read implements io.Reader.
func (b *watched) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, os.ErrClosed
	}
	n, err := b.blob.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.failed = err
	}
	return n, err
}

// Seek implements io.Seeker.
func (b *watched) Seek(offset int64, whence int) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, os.ErrClosed
	}
	return b.blob.Seek(offset, whence)
}

// Close implements io.Closer.
func (b *watched) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return b.blob.Close()
}

func (b *watched) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failed
}

// going is an answer on its way out. Once it is known to carry bytes, it is a
// download, which may be one too many.
type going struct {
	http.ResponseWriter
	pace
	ctx     context.Context // its cause is why the transfer is to end
	admit   func(resumed bool) error
	refused error
	cut     error // why we ended it
	sent    int64
}

// WriteHeader implements http.ResponseWriter.
func (g *going) WriteHeader(status int) {
	if status == http.StatusOK || status == http.StatusPartialContent {
		piece := g.Header().Get("Content-Range") // none, where several ranges are sent
		if g.refused = g.admit(piece != "" && !strings.HasPrefix(piece, "bytes 0-")); g.refused != nil {
			for _, name := range []string{"Accept-Ranges", "Content-Disposition", "Content-Length", "Content-Range", "Content-Type", "ETag", "Last-Modified"} {
				g.Header().Del(name)
			}
			return
		}
	}
	g.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (g *going) Write(p []byte) (n int, err error) {
	if g.refused != nil {
		return 0, g.refused
	}
	if g.cut = g.told(); g.cut == nil {
		n, err = g.ResponseWriter.Write(p)
		g.sent += int64(n)
		g.cut = cmp.Or(g.told(), tooSlow(err), g.move(n))
	}
	return n, errors.Join(err, g.cut)
}

// told is what the guard has ended the transfer for, if it has.
func (g *going) told() error {
	if why := context.Cause(g.ctx); errors.Is(why, errEnded) || errors.Is(why, errStopping) {
		return why
	}
	return nil
}

func tooSlow(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errSlow
	}
	return nil
}
