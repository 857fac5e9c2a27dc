// Package bucket keeps blobs, whole or not at all: in a directory, or in a bucket
// of S3 or of what speaks like it.
//
// Keys are ids that the caller makes; no name that people give becomes one. It
// does not know what a blob is for.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"fulfilld/internal/secret"
)

// Options say where blobs are kept.
type Options struct {
	// URL is file://PATH, or s3://BUCKET with a prefix of keys behind it, if any.
	URL string

	// Of S3. Without a region and keys, those count that AWS's own tools find.
	Region          string
	Endpoint        string // of what is not AWS, such as https://minio.example.com
	AccessKeyID     string
	SecretAccessKey secret.Text
}

// Check returns everything wrong with o, each with its field. It does not touch the
// network.
func (o Options) Check() error {
	var errs []error
	u, err := url.Parse(o.URL)
	switch {
	case strings.HasPrefix(o.URL, "file://") && len(o.URL) > len("file://"):
	case err != nil || u.Scheme != "s3" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		errs = append(errs, errors.New("store: must be file://PATH or s3://BUCKET, for example file://./data/files"))
	}
	if o.Endpoint != "" {
		if e, err := url.Parse(o.Endpoint); err != nil || e.Host == "" || e.User != nil || e.Scheme != "https" && e.Scheme != "http" {
			errs = append(errs, errors.New("endpoint: must be a whole URL without credentials, for example https://minio.example.com"))
		}
	}
	if (o.AccessKeyID == "") != o.SecretAccessKey.IsZero() {
		errs = append(errs, errors.New("access_key_id and secret_access_key: must be set both or neither; without them the ones that AWS's own tools find count"))
	}
	return errors.Join(errs...)
}

// Bucket is an open store of blobs; it is safe for concurrent use.
type Bucket struct {
	blobs *blob.Bucket
	dir   string     // of files; empty: S3
	s3    *s3.Client // nil: files
	name  string     // of the bucket
	path  string     // before each key
}

// Open opens the store. A directory is made; S3 is not asked anything.
func Open(ctx context.Context, o Options) (*Bucket, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if dir, ok := strings.CutPrefix(o.URL, "file://"); ok {
		return openDir(filepath.FromSlash(dir))
	}
	return openS3(ctx, o)
}

// Close lets go of it.
func (b *Bucket) Close() error { return b.blobs.Close() }

// Ping reports whether blobs can be listed.
func (b *Bucket) Ping(ctx context.Context) error {
	ok, err := b.blobs.IsAccessible(ctx)
	if err == nil && !ok {
		err = errors.New("there is no such bucket")
	}
	return err
}

// Write makes a blob of everything that r has; when that fails there is none, and
// Remove removes what may be left. What it returned for is on the disk.
func (b *Bucket) Write(ctx context.Context, key string, r io.Reader) (n int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var file *os.File
	w, err := b.blobs.NewWriter(ctx, key, &blob.WriterOptions{
		ContentType:    "application/octet-stream",
		MaxConcurrency: 2, // parts that S3 is sent at once, which wait in memory
		BeforeWrite:    func(as func(any) bool) error { as(&file); return nil },
	})
	if err != nil {
		return 0, err
	}
	n, err = io.Copy(w, r)
	if err == nil && file != nil {
		err = file.Sync()
	}
	if err != nil {
		cancel() // or Close would make a blob of the half
		_ = w.Close()
		return n, err
	}
	if err := w.Close(); err != nil {
		return n, err
	}
	return n, b.syncDir()
}

// Reader reads a blob from any place.
type Reader interface {
	io.ReadSeekCloser
	Size() int64
}

// Open opens a blob; the error is [fs.ErrNotExist] when there is none.
func (b *Bucket) Open(ctx context.Context, key string) (Reader, error) {
	r, err := b.blobs.NewReader(ctx, key, nil)
	if err != nil {
		return nil, missing(err)
	}
	return r, nil
}

// missing puts the standard library's word for it.
func missing(err error) error {
	if gcerrors.Code(err) == gcerrors.NotFound {
		return fmt.Errorf("%w: %w", os.ErrNotExist, err)
	}
	return err
}

// Presigned returns an address at which anybody may read a blob for a short while,
// with these headers; empty when the store has none.
func (b *Bucket) Presigned(ctx context.Context, key, disposition, contentType string, life time.Duration) (string, error) {
	if b.s3 == nil {
		return "", nil
	}
	return b.blobs.SignedURL(ctx, key, &blob.SignedURLOptions{Expiry: life, BeforeSign: func(as func(any) bool) error {
		var in *s3.GetObjectInput
		if as(&in) {
			in.ResponseContentDisposition, in.ResponseContentType = &disposition, &contentType
		}
		return nil
	}})
}

// Remove removes a blob, and what a Write that was interrupted has left of it. That
// there is none is fine.
func (b *Bucket) Remove(ctx context.Context, key string) error {
	err := b.blobs.Delete(ctx, key)
	if gcerrors.Code(err) == gcerrors.NotFound {
		err = nil
	}
	if b.s3 != nil {
		return errors.Join(err, b.abort(ctx, key))
	}
	return errors.Join(err, b.removeHalves(key))
}
