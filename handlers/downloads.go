package handlers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode"

	"fulfilld/grant"
	"fulfilld/internal/bucket"
	"fulfilld/internal/signed"
)

// presignedFor is how long the address is good that a store in the cloud is asked
// for: long enough to follow it, and it cannot be taken back.
const presignedFor = 45 * time.Second

// sender gives customers their files. Each request is judged anew by what the grant
// is owed at that moment, so a link ends with the grant, in the middle of a download
// in pieces, too.
func (f *Files) sender() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "private, no-cache")
		h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Robots-Tag", "noindex")
		if err := f.send(w, r); err != nil {
			f.refuse(w, r, err)
		}
	})
}

// refused is an answer for a customer's eyes.
type refused struct {
	status int
	text   string
}

// Error implements error.
func (e *refused) Error() string { return e.text }

var (
	noLink      = &refused{http.StatusNotFound, "This link is not valid. Please check that it is complete."}
	expiredLink = &refused{http.StatusGone, "This link has expired. Please get a new one where you found it."}
	goneFile    = &refused{http.StatusGone, "This download is no longer available."}
	usedUp      = &refused{http.StatusForbidden, "This file has been downloaded as often as the purchase allows. Please ask the seller."}
)

func (f *Files) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var known *refused
	if !errors.As(err, &known) {
		if r.Context().Err() != nil { // nobody is left to tell
			return
		}
		f.Log.Error("a download failed", slog.Any("err", err))
		known = &refused{http.StatusInternalServerError, "The download failed. Please try again later."}
	}
	http.Error(w, known.text, known.status)
}

func (f *Files) send(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
	defer cancel()
	fulfilment, d, err := f.linked(ctx, r.PathValue("token"))
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", d.MIMEType)
	h.Set("Content-Disposition", disposition(d.Name))
	h.Set("ETag", strong(d.SHA256))
	admit := func() error {
		if r.Method == http.MethodHead {
			return nil
		}
		return f.count(r.Context(), fulfilment, d)
	}
	url, err := f.Blobs.Presigned(ctx, d.Blob, disposition(d.Name), d.MIMEType, presignedFor)
	switch {
	case err != nil:
		return fmt.Errorf("sign the address of file %s: %w", d.ID, err)
	case url == "":
		return f.serve(w, r, d, admit)
	}
	return elsewhere(w, r, d, url, admit)
}

// linked is the file that a link is for, if it is owed now.
func (f *Files) linked(ctx context.Context, token string) (fulfilment string, d grant.Download, err error) {
	payload, _, err := signed.Open(ctx, f.Links, token)
	switch {
	case errors.Is(err, signed.ErrExpired):
		return "", d, expiredLink
	case errors.Is(err, signed.ErrForged):
		return "", d, noLink
	case err != nil:
		return "", d, err
	}
	grantID, file, err := unpair(payload)
	if err != nil {
		return "", d, noLink
	}
	fulfilment = grant.FulfilmentID(grantID, downloadables)
	d, err = f.Ledger.Download(ctx, fulfilment, file)
	if errors.Is(err, grant.ErrNotFound) || err == nil && !d.Owed {
		return "", d, goneFile
	}
	return fulfilment, d, err
}

// count counts a download. What is asked for within a link's life of its beginning
// belongs to it: ranges, resumes, a second try.
func (f *Files) count(ctx context.Context, fulfilment string, d grant.Download) error {
	if time.Since(d.CountedAt) < f.LinkLife {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	err := f.Ledger.CountDownload(ctx, fulfilment, d.ID, f.LinkLife, f.most(d))
	if errors.Is(err, grant.ErrUsedUp) {
		return usedUp
	}
	return err
}

// elsewhere sends the customer on to the store's own address. It answers itself
// what that address does not: HEAD, and whether the file has changed.
func elsewhere(w http.ResponseWriter, r *http.Request, d grant.Download, url string, admit func() error) error {
	switch {
	case r.Header.Get("If-None-Match") == strong(d.SHA256):
		w.WriteHeader(http.StatusNotModified)
	case r.Method == http.MethodHead:
		w.Header().Set("Accept-Ranges", "bytes")
		w.Header().Set("Content-Length", fmt.Sprint(d.Size))
		w.Header().Set("Last-Modified", d.UploadedAt.UTC().Format(http.TimeFormat))
	default:
		if err := admit(); err != nil {
			return err
		}
		w.Header().Del("Content-Type") // this answer's own is none
		w.Header().Del("Content-Disposition")
		w.Header().Del("ETag")
		w.Header().Set("Location", url)
		w.WriteHeader(http.StatusFound)
	}
	return nil
}

// serve sends a file that we have here, with everything of ranges and conditions.
// When it cannot be read to its end the connection is cut: a short answer might pass
// for a whole one.
func (f *Files) serve(w http.ResponseWriter, r *http.Request, d grant.Download, admit func() error) error {
	blob, err := f.Blobs.Open(r.Context(), d.Blob)
	if err != nil {
		return fmt.Errorf("open file %s: %w", d.ID, err)
	}
	defer blob.Close()
	if blob.Size() != d.Size {
		return fmt.Errorf("file %s has %d bytes in the store, and %d in the ledger; put it back from a backup", d.ID, blob.Size(), d.Size)
	}
	c := http.NewResponseController(w)
	out := &going{ResponseWriter: w, pace: f.pace(c.SetWriteDeadline), admit: admit}
	in := &watched{Reader: blob, every: cmp.Or(f.Recheck, time.Minute), asked: time.Now(), owed: func() bool { return f.stillOwed(r) }}
	out.begin()
	http.ServeContent(out, r, "", d.UploadedAt, in)
	if in.failed != nil && !errors.Is(in.failed, errEnded) && r.Context().Err() == nil {
		f.Log.Error("a download was cut off: the store does not read to the end", slog.String("file", d.ID), slog.Any("err", in.failed))
	}
	if in.failed != nil {
		panic(http.ErrAbortHandler)
	}
	return out.refused
}

// stillOwed reports whether a download under way may go on. Where the ledger does
// not answer, it may.
func (f *Files) stillOwed(r *http.Request) bool {
	ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
	defer cancel()
	_, _, err := f.linked(ctx, r.PathValue("token"))
	return !errors.Is(err, goneFile)
}

var errEnded = errors.New("the grant has ended")

// watched remembers whether the store failed, and asks from time to time whether
// the customer may still have the file.
type watched struct {
	bucket.Reader
	every  time.Duration
	asked  time.Time
	owed   func() bool
	failed error
}

// Read implements io.Reader.
func (b *watched) Read(p []byte) (int, error) {
	if time.Since(b.asked) >= b.every {
		if b.asked = time.Now(); !b.owed() {
			b.failed = errEnded
			return 0, errEnded
		}
	}
	n, err := b.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.failed = err
	}
	return n, err
}

// going is an answer on its way out. Once it is known to carry bytes, it is a
// download, which may be one too many.
type going struct {
	http.ResponseWriter
	pace
	admit   func() error
	refused error
}

// WriteHeader implements http.ResponseWriter.
func (g *going) WriteHeader(status int) {
	if status == http.StatusOK || status == http.StatusPartialContent {
		if g.refused = g.admit(); g.refused != nil {
			for _, name := range []string{"Accept-Ranges", "Content-Disposition", "Content-Length", "Content-Range", "Content-Type", "ETag", "Last-Modified"} {
				g.Header().Del(name)
			}
			return
		}
	}
	g.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (g *going) Write(p []byte) (int, error) {
	if g.refused != nil {
		return 0, g.refused
	}
	n, err := g.ResponseWriter.Write(p)
	return n, errors.Join(err, g.move(n))
}

// disposition has a browser save a file under its name, or what of it cannot be
// taken for anything else: no path, nothing invisible, nothing that turns letters
// around, and not only dots.
func disposition(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r == '/' || r == '\\':
			return '_'
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, name)
	if strings.Trim(name, ". ") == "" {
		name = "download"
	}
	return mime.FormatMediaType("attachment", map[string]string{"filename": name})
}
