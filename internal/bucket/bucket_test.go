package bucket

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"fulfilld/internal/secret"
)

// key is what keys look like.
const key = "0f8a4f0e-5a0e-4a51-8f0e-3b1f4f3c2d1a"

// onEachStore runs a test on a directory and on an S3 over HTTP; with S3_ENDPOINT
// and S3_BUCKET, and AWS's own variables for keys, on that one too.
func onEachStore(t *testing.T, test func(t *testing.T, b *Bucket)) {
	t.Parallel()
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		test(t, opened(t, Options{URL: "file://" + filepath.Join(t.TempDir(), "data", "files")}))
	})
	for name, path := range map[string]string{"s3": "", "s3 with a prefix": "/shop/one"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, opened(t, fakeS3(t, path)))
		})
	}
	t.Run("foreign s3", func(t *testing.T) {
		t.Parallel()
		endpoint := os.Getenv("S3_ENDPOINT")
		if endpoint == "" {
			text := "NOT TESTED: " + t.Name() + " needs an S3 server of somebody else's; set S3_ENDPOINT, S3_BUCKET, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
			fmt.Fprintln(os.Stderr, text) // go test shows the reason of a skip only with -v
			t.Skip(text)                  // also where nothing may be left out: the fake one above is what is required
		}
		test(t, opened(t, Options{URL: "s3://" + os.Getenv("S3_BUCKET") + "/" + rand.Text(), Endpoint: endpoint}))
	})
}

func fakeS3(t *testing.T, path string) Options {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("files"); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(s.Close)
	return Options{URL: "s3://files" + path, Endpoint: s.URL, AccessKeyID: "id", SecretAccessKey: secret.New("a-secret-access-key")}
}

func opened(t *testing.T, o Options) *Bucket {
	t.Helper()
	b, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func mustWrite(t *testing.T, b *Bucket, key string, text []byte) {
	t.Helper()
	if n, err := b.Write(t.Context(), key, bytes.NewReader(text)); n != int64(len(text)) || err != nil {
		t.Fatalf("wrote %d of %d: %v", n, len(text), err)
	}
}

func TestABlobIsReadFromAnyPlace(t *testing.T) {
	onEachStore(t, func(t *testing.T, b *Bucket) {
		if err := b.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		text := bytes.Repeat([]byte("0123456789"), 2<<20) // parts of S3 have 8 MB
		mustWrite(t, b, key, text)
		mustWrite(t, b, key+"0", nil)
		r, err := b.Open(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if r.Size() != int64(len(text)) {
			t.Errorf("size %d", r.Size())
		}
		for _, at := range []int64{0, 7, int64(len(text)) - 3} {
			if _, err := r.Seek(at, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, text[at:]) {
				t.Errorf("from %d: %d bytes, %v", at, len(got), err)
			}
		}
		empty, err := b.Open(t.Context(), key+"0")
		if err != nil {
			t.Fatal(err)
		}
		defer empty.Close()
		if empty.Size() != 0 {
			t.Errorf("nothing has %d bytes", empty.Size())
		}
	})
}

func TestARemovedBlobIsGone(t *testing.T) {
	onEachStore(t, func(t *testing.T, b *Bucket) {
		mustWrite(t, b, key, []byte("x"))
		mustWrite(t, b, key+"0", []byte("y"))
		for range 2 {
			if err := b.Remove(t.Context(), key); err != nil {
				t.Error(err)
			}
		}
		if _, err := b.Open(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("open: %v", err)
		}
		another, err := b.Open(t.Context(), key+"0")
		if err != nil {
			t.Fatalf("another that begins so: %v", err)
		}
		_ = another.Close()
	})
}

// broken fails after some bytes.
type broken struct {
	r   io.Reader
	err error
}

func (b broken) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF {
		err = b.err
	}
	return n, err
}

func TestAnInterruptedWriteLeavesNothing(t *testing.T) {
	onEachStore(t, func(t *testing.T, b *Bucket) {
		for _, size := range []int{3, 20 << 20} {
			cause := errors.New("the sender hung up")
			if _, err := b.Write(t.Context(), key, broken{bytes.NewReader(make([]byte, size)), cause}); !errors.Is(err, cause) {
				t.Errorf("%d bytes: %v", size, err)
			}
			if _, err := b.Open(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%d bytes: %v", size, err)
			}
			if err := b.Remove(t.Context(), key); err != nil {
				t.Error(err)
			}
			wantNothing(t, b)
		}
	})
}

func wantNothing(t *testing.T, b *Bucket) {
	t.Helper()
	if b.s3 != nil {
		begun, err := b.s3.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &b.name, Prefix: &b.path})
		if err == nil && len(begun.Uploads) > 0 { // with none, the server has an error
			t.Errorf("%d uploads are open", len(begun.Uploads))
		}
		return
	}
	if left, err := os.ReadDir(b.dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// A process that is killed removes nothing.
func TestWhatAKilledProcessLeftIsRemoved(t *testing.T) {
	onEachStore(t, func(t *testing.T, b *Bucket) {
		if b.s3 != nil {
			name := b.path + key
			if _, err := b.s3.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &b.name, Key: &name}); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(filepath.Join(b.dir, key+".18b2.tmp"), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := b.Remove(t.Context(), key); err != nil {
			t.Error(err)
		}
		wantNothing(t, b)
	})
}

func TestADirectoryIsForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data", "files")
	opened(t, Options{URL: "file://" + dir})
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestS3HandsOutShortAddresses(t *testing.T) {
	onEachStore(t, func(t *testing.T, b *Bucket) {
		mustWrite(t, b, key, []byte("the bytes"))
		url, err := b.Presigned(t.Context(), key, `attachment; filename="a b.zip"`, "application/zip", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if b.s3 == nil {
			if url != "" {
				t.Errorf("a directory has the address %s", url)
			}
			return
		}
		for _, part := range []string{"X-Amz-Expires=60", "response-content-disposition=attachment", "response-content-type=application%2Fzip", "/" + b.name + "/" + b.path + key} {
			if !strings.Contains(url, part) {
				t.Errorf("%s is not in %s", part, url)
			}
		}
		if strings.Contains(url, "a-secret-access-key") {
			t.Error("the secret is in the address")
		}
		follow(t, url)
	})
}

// follow gets what an address leads to.
func follow(t *testing.T, url string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); string(text) != "the bytes" || err != nil {
		t.Errorf("%d %q, %v", resp.StatusCode, text, err)
	}
	if got := resp.Header.Get("Content-Disposition"); got != `attachment; filename="a b.zip"` {
		t.Errorf("Content-Disposition %q", got)
	}
}

func TestAStoreThatRefusesSaysSo(t *testing.T) {
	t.Parallel()
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	t.Cleanup(refuses.Close)
	b := opened(t, Options{URL: "s3://files", Endpoint: refuses.URL, AccessKeyID: "id", SecretAccessKey: secret.New("a-secret-access-key")})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, open := b.Open(ctx, key)
	_, write := b.Write(ctx, key, strings.NewReader("x"))
	for call, err := range map[string]error{"ping": b.Ping(ctx), "open": open, "write": write, "remove": b.Remove(ctx, key)} {
		if err == nil || errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "a-secret-access-key") {
			t.Errorf("%s: %v", call, err)
		}
	}
}

func TestOptionsAreCheckedWithoutTheNetwork(t *testing.T) {
	t.Parallel()
	key := secret.New("k")
	for _, tt := range []struct {
		o    Options
		says string // empty: fine
	}{
		{Options{URL: "file://./data/files"}, ""},
		{Options{URL: "s3://bucket"}, ""},
		{Options{URL: "s3://bucket/shop", Region: "eu-central-1", AccessKeyID: "a", SecretAccessKey: key}, ""},
		{Options{}, "store: must be"},
		{Options{URL: "file://"}, "store: must be"},
		{Options{URL: "s3://"}, "store: must be"},
		{Options{URL: "gs://bucket"}, "store: must be"},
		{Options{URL: "s3://id:secret@bucket"}, "store: must be"},
		{Options{URL: "s3://bucket?region=x"}, "store: must be"},
		{Options{URL: "s3://bucket", Endpoint: "minio:9000"}, "endpoint: must be"},
		{Options{URL: "s3://bucket", AccessKeyID: "a"}, "both or neither"},
		{Options{URL: "s3://bucket", SecretAccessKey: key}, "both or neither"},
	} {
		err := tt.o.Check()
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v: %v, want %q", tt.o, err, tt.says)
		}
	}
}
