package handlers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode"

	"fulfilld/grant"
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
	admit := func(resumed bool) error {
		if r.Method == http.MethodHead {
			return nil
		}
		return f.count(r.Context(), fulfilment, d, resumed)
	}
	url, err := f.Blobs.Presigned(ctx, d.Blob, disposition(d.Name), d.MIMEType, presignedFor)
	switch {
	case err != nil:
		return fmt.Errorf("sign the address of file %s: %w", d.ID, err)
	case url == "":
		return f.serve(w, r, fulfilment, d, admit)
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
	d, err = f.owed(ctx, fulfilment, file)
	return fulfilment, d, err
}

// owed is a file of a grant's, if it is owed now.
func (f *Files) owed(ctx context.Context, fulfilment, file string) (grant.Download, error) {
	d, err := f.Ledger.Download(ctx, fulfilment, file)
	if errors.Is(err, grant.ErrNotFound) || err == nil && !d.Owed {
		return d, goneFile
	}
	return d, err
}

// count counts a download, unless what is asked for belongs to the last one.
func (f *Files) count(ctx context.Context, fulfilment string, d grant.Download, resumed bool) error {
	within := f.belongs(d, resumed)
	if time.Since(d.CountedAt) < within {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	err := f.Ledger.CountDownload(ctx, fulfilment, d.ID, within, f.most(d))
	if errors.Is(err, grant.ErrUsedUp) {
		return usedUp
	}
	return err
}

// resumeWithin is how long after its first byte a download may be taken up again:
// what 10 GB take at 40 KB/s. It ends: who leaves out the first byte alone could
// have the rest for ever.
const resumeWithin = 72 * time.Hour

// belongs is how long after a download's first byte what is asked for is a part of
// it: anything for as long as a link lives, and what does not begin at the first
// byte for longer, unless other bytes have come under the file's id.
func (f *Files) belongs(d grant.Download, resumed bool) time.Duration {
	if resumed && d.CountedAt.After(d.UploadedAt) {
		return max(f.LinkLife, resumeWithin)
	}
	return f.LinkLife
}

// laterPiece is a Range that does not begin at the first byte.
var laterPiece = regexp.MustCompile(`^bytes=0*[1-9][0-9]*-[0-9]*$`)

// elsewhere sends the customer on to the store's own address. It answers itself
// what that address does not: HEAD, and whether the file has changed. The store has
// its own ETag and date for the file, so HEAD does not tell ours.
func elsewhere(w http.ResponseWriter, r *http.Request, d grant.Download, url string, admit func(resumed bool) error) error {
	switch {
	case matches(r.Header.Values("If-None-Match"), strong(d.SHA256)):
		w.WriteHeader(http.StatusNotModified)
	case r.Method == http.MethodHead:
		w.Header().Set("Accept-Ranges", "bytes")
		w.Header().Set("Content-Length", fmt.Sprint(d.Size))
		w.Header().Del("ETag")
	default:
		if err := admit(laterPiece.MatchString(r.Header.Get("Range"))); err != nil {
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
