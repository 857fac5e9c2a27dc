package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/google/uuid"

	"fulfilld/grant"
	"fulfilld/internal/signed"
)

// receiver takes a file's bytes, as they come: none of them waits in memory, and
// nobody sees the file before all of them were right.
func (f *Files) receiver(a answers) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		sum, err := f.receive(c, r)
		_ = c.SetWriteDeadline(time.Now().Add(answerWithin))
		if err != nil {
			w.Header().Set("Connection", "close") // what else is sent is not worth reading
			a.fail(w, r, err)
			return
		}
		w.Header().Set("ETag", strong(sum))
		w.WriteHeader(http.StatusOK)
	})
}

// strong is a file's ETag: equal bytes have equal ones, and others never.
func strong(sum string) string { return `"` + sum + `"` }

func (f *Files) receive(c *http.ResponseController, r *http.Request) (sum string, err error) {
	ctx, cancel := context.WithTimeout(r.Context(), uploadWithin)
	defer cancel()
	file, err := f.expected(ctx, r.PathValue("token"))
	if err != nil {
		return "", err
	}
	if n := r.ContentLength; n >= 0 && n != file.Size {
		return "", wrongSize(file.Size)
	}
	file.Blob = uuid.NewString()
	if err := f.Ledger.Loosen(ctx, file.Blob, looseFor); err != nil {
		return "", err
	}
	if err := f.write(ctx, c, r, &file); err != nil {
		f.discard(ctx, file.Blob)
		return "", err
	}
	err = f.Ledger.Store(ctx, file)
	if errors.Is(err, grant.ErrNotFound) { // any other error may be about a commit that went through
		f.discard(ctx, file.Blob)
		return "", notExpected()
	}
	return file.SHA256, err
}

// expected is the file that an address was signed for, unless it is here already.
func (f *Files) expected(ctx context.Context, token string) (grant.File, error) {
	payload, _, err := signed.Open(ctx, f.Uploads, token)
	switch {
	case errors.Is(err, signed.ErrExpired):
		return grant.File{}, &apiError{status: http.StatusGone, Name: "UploadExpired", Detail: "The address to upload to has expired. Announce the file again."}
	case errors.Is(err, signed.ErrForged):
		return grant.File{}, notFound()
	case err != nil:
		return grant.File{}, err
	}
	id, upload, err := unpair(payload)
	if err != nil {
		return grant.File{}, notFound()
	}
	file, err := f.Ledger.Unfinished(ctx, id, upload)
	if errors.Is(err, grant.ErrNotFound) || err == nil && file.Blob != "" {
		return grant.File{}, notExpected()
	}
	return file, err
}

func notExpected() *apiError {
	return &apiError{status: http.StatusConflict, Name: "UploadNotExpected",
		Detail: "These bytes are not expected: others came first, or the file was announced again since."}
}

func wrongSize(want int64) *apiError {
	return &apiError{status: http.StatusBadRequest, Name: "WrongSize", Detail: "The file was announced with " + strconv.FormatInt(want, 10) + " bytes; these are more or fewer."}
}

func wrongChecksum() *apiError {
	return &apiError{status: http.StatusBadRequest, Name: "WrongChecksum", Detail: "The bytes are not those that were announced: their SHA-256 differs. Try again."}
}

// write stores what is sent, and checks it against what was announced.
func (f *Files) write(ctx context.Context, c *http.ResponseController, r *http.Request, file *grant.File) error {
	hash := sha256.New()
	body := &sending{ctx: ctx, r: r.Body, pace: f.pace(c.SetReadDeadline, readStall)}
	_ = c.SetWriteDeadline(time.Time{})
	body.begin()
	n, err := f.Blobs.Write(ctx, file.Blob, io.TeeReader(io.LimitReader(body, file.Size+1), hash))
	switch {
	case errors.Is(body.failed, os.ErrDeadlineExceeded):
		f.Log.Info("an upload was cut off", slog.String("file", file.ID), slog.Int64("received", n), slog.String("why", "the sender hardly sends anything"))
		return &apiError{status: http.StatusRequestTimeout, Name: "TooSlow", Detail: "The upload hardly moved, and was ended. Try again."}
	case body.failed != nil:
		return &apiError{status: http.StatusBadRequest, Name: "Interrupted", Detail: "The upload broke off. Try again.", cause: body.failed}
	case err != nil:
		return err
	case n != file.Size:
		return wrongSize(file.Size)
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	if file.SHA256 != "" && file.SHA256 != sum {
		return wrongChecksum()
	}
	file.SHA256 = sum
	return nil
}

// sending is a body on its way in. It remembers whether the sender failed, which
// is another matter than a store that does.
type sending struct {
	pace
	ctx    context.Context // how long it may take at all
	r      io.Reader
	failed error
	left   time.Time // when the last Read returned
}

// Read implements io.Reader.
func (s *sending) Read(p []byte) (int, error) {
	if s.failed = s.ctx.Err(); s.failed != nil {
		return 0, s.failed
	}
	if !s.left.IsZero() && time.Since(s.left) > time.Second { // the store was slow, not the sender
		s.begin()
	}
	defer func() { s.left = time.Now() }()
	n, err := s.r.Read(p)
	switch {
	case err == nil:
		err = s.move(n)
		s.failed = err
	case !errors.Is(err, io.EOF): // after which the listener itself watches whether the sender is there
		s.failed = err
	}
	return n, err
}
