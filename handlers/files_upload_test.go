package handlers

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"fulfilld/internal/signed"
)

func TestBytesOtherThanAnnouncedAreRefusedAndLeaveNothing(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	b64, _ := sha("the bytes")
	u := d.announce("app.zip", 9, `,"checksum_sha256_base64":"`+b64+`"`)
	for name, body := range map[string]io.Reader{
		"short": strings.NewReader("the"), "long": strings.NewReader("the bytes and more"), "others": strings.NewReader("the bites"),
		"short, of unknown length": io.MultiReader(strings.NewReader("the")), "long, of unknown length": io.MultiReader(strings.NewReader("the bytes and more")),
	} {
		if r := d.do(http.MethodPut, u.url(), body); r.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, r.StatusCode, r.body)
		}
	}
	d.wantEmpty()
	d.want("the right ones", d.do(http.MethodPut, u.url(), io.MultiReader(strings.NewReader("the bytes"))), http.StatusOK)
	d.want("again", d.do(http.MethodPut, u.url(), strings.NewReader("the bytes")), http.StatusConflict)
	d.want("finish", d.finish(u), http.StatusOK)
	d.want("after the end", d.do(http.MethodPut, u.url(), strings.NewReader("the bytes")), http.StatusConflict)
}

func (d *depot) wantEmpty() {
	d.t.Helper()
	if names := d.stored(); len(names) > 0 {
		d.t.Errorf("the store holds %v", names)
	}
}

func TestAnAddressIsGoodForItsOwnUploadAlone(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	d.put(theFile, "here.zip", "here")
	d.sold(theFile)
	u := d.announce("app.zip", 3, "")
	payload, err := pair(u.ID, u.Upload.ID)
	if err != nil {
		t.Fatal(err)
	}
	late, err := signed.Seal(t.Context(), d.Uploads, payload, time.Now().Add(-time.Second))
	if err != nil {
		t.Fatal(err)
	}
	other := d.announce("app.zip", 3, `,"id":"`+u.ID+`"`)
	link := d.link(theFile)
	for name, tt := range map[string]struct {
		url  string
		want int
	}{
		"expired":                   {"/v1/files/uploads/" + late, http.StatusGone},
		"forged":                    {u.url()[:len(u.url())-3] + "abc", http.StatusNotFound},
		"nothing":                   {"/v1/files/uploads/x", http.StatusNotFound},
		"a link to download":        {"/v1/files/uploads/" + link[strings.LastIndex(link, "/")+1:], http.StatusNotFound},
		"announced again meanwhile": {u.url(), http.StatusConflict},
		"the one that counts":       {other.url(), http.StatusOK},
	} {
		if r := d.do(http.MethodPut, tt.url, strings.NewReader("abc")); r.StatusCode != tt.want {
			t.Errorf("%s: %d, want %d: %s", name, r.StatusCode, tt.want, r.body)
		}
	}
	if r := d.get("/downloads/" + other.url()[strings.LastIndex(other.url(), "/")+1:]); r.StatusCode != http.StatusNotFound {
		t.Errorf("an address to upload to downloads: %d", r.StatusCode)
	}
}

func TestOfUploadsToOneIDAtOnceOneIsTheFile(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	u := d.announce("app.zip", 9, "")
	var wg sync.WaitGroup
	statuses := make([]int, 6)
	for i := range statuses {
		wg.Go(func() {
			statuses[i] = d.do(http.MethodPut, u.url(), io.MultiReader(strings.NewReader(fmt.Sprint("upload ", i, "!")))).StatusCode
		})
	}
	wg.Wait()
	slices.Sort(statuses)
	if want := []int{200, 409, 409, 409, 409, 409}; !slices.Equal(statuses, want) {
		t.Errorf("answered %v, want %v", statuses, want)
	}
	if names := d.stored(); len(names) != 1 {
		t.Errorf("the store holds %v", names)
	}
	d.want("finish", d.finish(u), http.StatusOK)
	d.want("announced again", d.do(http.MethodPost, "/v1/files/", strings.NewReader(`{"id":"`+u.ID+`","name":"x","mime_type":"a/b","size":1}`)), http.StatusConflict)
}

func TestAnInterruptedUploadLeavesNothing(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	u := d.announce("app.zip", 1<<20, "")
	body, sender := io.Pipe()
	go func() {
		_, _ = sender.Write(make([]byte, 500<<10))
		sender.CloseWithError(io.ErrClosedPipe) // the client hangs up
	}()
	if r := d.do(http.MethodPut, u.url(), body); r.err == nil {
		t.Fatalf("answered %d", r.StatusCode)
	}
	d.eventually("the half is removed", func() bool { return len(d.stored()) == 0 })
	d.want("finish", d.finish(u), http.StatusConflict)
}

// full is a store that fails after so many bytes of a blob.
type full struct {
	Blobs
	after int64
}

func (f full) Write(ctx context.Context, key string, r io.Reader) (int64, error) {
	return f.Blobs.Write(ctx, key, io.MultiReader(io.LimitReader(r, f.after), iotest.ErrReader(errDisk)))
}

func TestAStoreThatFailsHalfWayLeavesNothingOfAnUpload(t *testing.T) {
	t.Parallel()
	var whole Blobs
	var ledger counting
	d := newDepot(t, func(d *depot) {
		ledger.FileLedger, whole = d.Files.Ledger, d.Blobs
		d.Files.Ledger, d.Blobs = &ledger, full{d.Blobs, 1000}
	})
	text := strings.Repeat("x", 200<<10)
	u := d.announce("app.zip", len(text), "")
	r := d.want("upload", d.do(http.MethodPut, u.url(), strings.NewReader(text)), http.StatusInternalServerError)
	if want := `{"error":"InternalServerError","detail":"Internal Server Error"}`; strings.TrimSpace(r.body) != want {
		t.Errorf("%s, want %s", r.body, want)
	}
	if says := d.words.String(); !strings.Contains(says, errDisk.Error()) || strings.Contains(says, u.url()[len(u.url())-20:]) {
		t.Errorf("the log says %s", says)
	}
	d.wantEmpty()
	if ledger.loose != 0 {
		t.Errorf("%d blobs are loose", ledger.loose)
	}
	d.want("finish", d.finish(u), http.StatusConflict)
	d.Blobs = whole
	d.want("again", d.do(http.MethodPut, u.url(), strings.NewReader(text)), http.StatusOK)
	d.want("finish", d.finish(u), http.StatusOK)
}

// counting is a ledger that counts the blobs that are loose.
type counting struct {
	FileLedger
	loose int
}

func (c *counting) Loosen(ctx context.Context, blob string, after time.Duration) error {
	c.loose++
	return c.FileLedger.Loosen(ctx, blob, after)
}

func (c *counting) Removed(ctx context.Context, blob string) error {
	c.loose--
	return c.FileLedger.Removed(ctx, blob)
}

// eventually polls what another goroutine brings about.
func (d *depot) eventually(what string, check func() bool) {
	d.t.Helper()
	for deadline := time.Now().Add(time.Minute); !check(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.t.Fatalf("%s: it never came", what)
		}
	}
}

// slow is a body that comes in small pieces.
type slow struct {
	pieces, size int
	every        time.Duration
}

func (s *slow) Read(p []byte) (int, error) {
	if s.pieces--; s.pieces < 0 {
		return 0, io.EOF
	}
	time.Sleep(s.every)
	return copy(p, make([]byte, s.size)), nil
}

func TestAnUploadThatMovesOutlivesTheListenersLimits(t *testing.T) {
	t.Parallel()
	d := newDepot(t, func(d *depot) {
		d.server.Config.ReadTimeout, d.server.Config.WriteTimeout = time.Second, time.Second
		d.Stall = 10 * time.Second
	})
	u := d.announce("app.zip", 6*16<<10, "")
	d.want("upload", d.do(http.MethodPut, u.url(), &slow{6, 16 << 10, 250 * time.Millisecond}), http.StatusOK)
}

func TestAnUploadThatDribblesIsCut(t *testing.T) {
	t.Parallel()
	d := newDepot(t, func(d *depot) { d.server.Config.ReadTimeout, d.Stall = 0, 300*time.Millisecond })
	u := d.announce("app.zip", 1<<20, "")
	r := d.do(http.MethodPut, u.url(), &slow{1 << 20, 1, 20 * time.Millisecond})
	if r.err == nil && r.StatusCode != http.StatusRequestTimeout {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	d.eventually("the half is removed", func() bool { return len(d.stored()) == 0 })
	if says := d.words.String(); !strings.Contains(says, "an upload was cut off") || !strings.Contains(says, u.ID) {
		t.Errorf("the log says %s", says)
	}
}
