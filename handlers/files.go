package handlers

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"fulfilld/grant"
	"fulfilld/internal/bucket"
	"fulfilld/internal/signed"
)

// FileList is where files are looked up. None is in it before it is whole.
type FileList interface {
	Files(ctx context.Context, f grant.FileFilter, p grant.Page) ([]grant.File, int64, error)
	File(ctx context.Context, id string) (grant.File, error)
}

// FileEdits change files that are there.
type FileEdits interface {
	EditFile(ctx context.Context, id string, name, version *string) (grant.File, error)
	DeleteFile(ctx context.Context, id string) (grants int64, err error)
}

// FileUploads are files on their way: announced, stored, finished.
type FileUploads interface {
	Announce(ctx context.Context, f grant.File) (grant.File, error)
	Unfinished(ctx context.Context, id, upload string) (grant.File, error)
	Store(ctx context.Context, f grant.File) error
	Finish(ctx context.Context, id, upload string) (grant.File, error)
}

// LooseBlobs are what the store may hold beyond the files.
type LooseBlobs interface {
	Loosen(ctx context.Context, blob string, after time.Duration) error
	Removed(ctx context.Context, blob string) error
	Loose(ctx context.Context, age time.Duration) ([]string, error)
}

// DownloadList is what customers may download.
type DownloadList interface {
	Downloads(ctx context.Context, fulfilmentID string) ([]grant.Download, error)
	Download(ctx context.Context, fulfilmentID, fileID string) (grant.Download, error)
	CountDownload(ctx context.Context, fulfilmentID, fileID string, window time.Duration, most int64) error
}

// FileLedger remembers files and who may have them.
type FileLedger interface {
	FileList
	FileEdits
	FileUploads
	LooseBlobs
	DownloadList
}

// Blobs keep the files' bytes; see [bucket.Bucket].
type Blobs interface {
	Write(ctx context.Context, key string, r io.Reader) (int64, error)
	Open(ctx context.Context, key string) (bucket.Reader, error)
	Presigned(ctx context.Context, key, disposition, contentType string, life time.Duration) (string, error)
	Remove(ctx context.Context, key string) error
}

// Files are what merchants upload and customers download. A nil one is switched off.
type Files struct {
	Ledger    FileLedger
	Blobs     Blobs
	Uploads   signed.Keys // sign where to upload to
	Links     signed.Keys // sign where to download from
	PublicURL string      // what links begin with; empty: there are none
	LinkLife  time.Duration
	Max       int64         // downloads of a file by a grant, where the benefit does not say; 0: any number
	Changed   func()        // those who give a file are to be told
	Stall     time.Duration // how long a transfer may hardly move; 0: 30 s up, 5 min down
	Recheck   time.Duration // how often a download under way is asked about; 0: a minute
	Log       *slog.Logger

	made, stop sync.Once
	ends       chan struct{} // see ending
}

// Stop cuts the transfers that are under way: the daemon is about to end. Clients
// take them up again.
func (f *Files) Stop() { f.stop.Do(func() { close(f.ending()) }) }

// ending is closed by Stop.
func (f *Files) ending() chan struct{} {
	f.made.Do(func() { f.ends = make(chan struct{}) })
	return f.ends
}

// The purposes of the keys, and how long what they sign may be good at most.
const (
	UploadKeys   = "upload"
	DownloadKeys = "download"

	UploadLife = time.Hour // of the address: an upload that has begun may take uploadWithin
)

const (
	uploadWithin = 24 * time.Hour
	looseFor     = uploadWithin + time.Hour
	removeWithin = 30 * time.Second
)

// fileRoutes are the platform's for files, and ours for what a grant gives.
func fileRoutes(l GrantList, f *Files) map[string]route {
	benefits := []string{"benefits:read", "benefits:write"}
	read := []string{"files:read", "files:write"}
	write := []string{"files:write"}
	routes := map[string]route{
		"GET /v1/files/{$}":                     {read, f.list},
		"POST /v1/files/{$}":                    {write, f.create},
		"POST /v1/files/{id}/uploaded":          {write, f.uploaded},
		"PATCH /v1/files/{id}":                  {write, f.edit},
		"DELETE /v1/files/{id}":                 {write, f.delete},
		"GET /v1/benefit-grants/{id}/downloads": {benefits, f.downloads(l)},
	}
	if f == nil {
		for pattern, to := range routes {
			routes[pattern] = route{to.scopes, switchedOff}
		}
	}
	return routes
}

func switchedOff(*http.Request) (any, error) {
	return nil, &apiError{status: http.StatusNotImplemented, Name: "NotSwitchedOn",
		Detail: "Downloads are not switched on here. Add fulfillers.downloadables to the config of the daemon."}
}

// takeIn adds what receives files. A transfer takes as long as it takes, and has no
// business with the API's limits; a signed address lets it in.
func (f *Files) takeIn(mux *http.ServeMux, a answers) {
	if f != nil {
		mux.Handle("PUT /v1/files/uploads/{token}", f.receiver(a))
	}
}

// giveOut adds what customers' links lead to.
func (f *Files) giveOut(mux *http.ServeMux) {
	if f != nil {
		mux.Handle("GET /downloads/{token}", f.sender())
	}
}

// Sweep removes what uploads that came to nothing, and deleted files, have left in
// the store. It is called every now and then.
func (f *Files) Sweep(ctx context.Context) {
	loose, err := f.Ledger.Loose(ctx, looseFor)
	for _, blob := range loose {
		if err == nil {
			err = f.remove(ctx, blob)
		}
	}
	if err != nil && ctx.Err() == nil {
		f.Log.Warn("bytes of no file are in the store still; removing them is tried again", slog.Any("err", err))
	}
}

// discard removes a blob that is not to be a file's; what does not go now is swept.
func (f *Files) discard(ctx context.Context, blob string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeWithin)
	defer cancel()
	if err := f.remove(ctx, blob); err != nil {
		f.Log.Warn("bytes of no file are in the store still; removing them is tried again", slog.Any("err", err))
		_ = f.Ledger.Loosen(ctx, blob, 0) // else it is swept when its time is over
	}
}

func (f *Files) remove(ctx context.Context, blob string) error {
	if err := f.Blobs.Remove(ctx, blob); err != nil {
		return err
	}
	return f.Ledger.Removed(ctx, blob)
}
