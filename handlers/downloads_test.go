package handlers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fulfilld/grant"
	"fulfilld/internal/bucket"
)

const bytesOfIt = "0123456789abcdefghij"

// stocked is a depot with one file, which is sold.
func stocked(t *testing.T, change ...func(*depot)) (*depot, string) {
	t.Helper()
	d := newDepot(t, change...)
	d.put(theFile, "app.zip", bytesOfIt)
	d.sold(theFile)
	return d, d.link(theFile)
}

func (d *depot) counted() int64 {
	d.t.Helper()
	got, err := d.ledger.Download(d.t.Context(), id("grant", 1)+".downloadables", theFile)
	if err != nil {
		d.t.Fatal(err)
	}
	return got.Count
}

func TestADownloadIsSentAsAFileAndNothingElse(t *testing.T) {
	t.Parallel()
	d, link := stocked(t)
	_, hexed := sha(bytesOfIt)
	whole := d.want("get", d.get(link), http.StatusOK)
	if whole.body != bytesOfIt {
		t.Errorf("body %q", whole.body)
	}
	head := d.want("head", d.do(http.MethodHead, link, nil, "Authorization: "), http.StatusOK)
	for _, r := range []replied{whole, head} {
		for name, want := range map[string]string{
			"Content-Type": "application/zip", "Content-Length": "20", "Accept-Ranges": "bytes", "ETag": `"` + hexed + `"`,
			"Content-Disposition": "attachment; filename=app.zip", "X-Content-Type-Options": "nosniff",
			"Content-Security-Policy": "default-src 'none'; sandbox", "Cache-Control": "private, no-cache", "Referrer-Policy": "no-referrer",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if _, err := http.ParseTime(r.Header.Get("Last-Modified")); err != nil {
			t.Error(err)
		}
	}
}

func TestRangesAndConditionsAreKept(t *testing.T) {
	t.Parallel()
	d, link := stocked(t)
	_, hexed := sha(bytesOfIt)
	tag := `"` + hexed + `"`
	for _, tt := range []struct {
		name    string
		headers []string
		status  int
		body    string
	}{
		{"a piece", []string{"Range: bytes=3-5"}, 206, "345"},
		{"the rest", []string{"Range: bytes=18-"}, 206, "ij"},
		{"the end", []string{"Range: bytes=-3"}, 206, "hij"},
		{"behind the end", []string{"Range: bytes=20-"}, 416, "invalid range: failed to overlap\n"},
		{"nonsense", []string{"Range: bytes=x"}, 416, "invalid range\n"},
		{"of the same file", []string{"Range: bytes=3-5", "If-Range: " + tag}, 206, "345"},
		{"of another", []string{"Range: bytes=3-5", `If-Range: "other"`}, 200, bytesOfIt},
		{"known", []string{"If-None-Match: " + tag}, 304, ""},
		{"one of those known", []string{`If-None-Match: "a", ` + tag}, 304, ""},
		{"unknown", []string{`If-None-Match: "other"`}, 200, bytesOfIt},
		{"only if it is another", []string{`If-Match: "other"`}, 412, ""},
	} {
		r := d.get(link, tt.headers...)
		if r.StatusCode != tt.status || r.body != tt.body {
			t.Errorf("%s: %d %q, want %d %q", tt.name, r.StatusCode, r.body, tt.status, tt.body)
		}
	}
}

func TestSeveralRangesComeInOneAnswer(t *testing.T) {
	t.Parallel()
	d, link := stocked(t)
	r := d.want("get", d.get(link, "Range: bytes=0-1,10-11,-1"), http.StatusPartialContent)
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/byteranges" {
		t.Fatalf("%s, %v", r.Header.Get("Content-Type"), err)
	}
	var got []string
	for parts := multipart.NewReader(strings.NewReader(r.body), parameters["boundary"]); ; {
		p, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(p)
		got = append(got, string(text)+" "+p.Header.Get("Content-Range"))
	}
	if want := "[01 bytes 0-1/20 ab bytes 10-11/20 j bytes 19-19/20]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

func TestAFileOfNothingIsDownloaded(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	d.put(theFile, "empty.txt", "")
	d.sold(theFile)
	for _, headers := range [][]string{nil, {"Range: bytes=0-"}} {
		if r := d.get(d.link(theFile), headers...); r.StatusCode != http.StatusOK || r.body != "" || r.err != nil {
			t.Errorf("%v: %d %q %v", headers, r.StatusCode, r.body, r.err)
		}
	}
}

// A customer whose grant ends has what was sent, and not a byte more.
func TestALinkEndsWithItsGrantBetweenTwoRanges(t *testing.T) {
	t.Parallel()
	d, link := stocked(t)
	d.want("the first half", d.get(link, "Range: bytes=0-9"), http.StatusPartialContent)
	d.says(2, grant.SaysRevoked)
	for _, headers := range [][]string{{"Range: bytes=10-19"}, nil, {`If-None-Match: "x"`}} {
		r := d.want("the second half", d.get(link, headers...), http.StatusGone)
		if strings.Contains(r.body, "abc") || r.Header.Get("Content-Disposition") != "" || r.Header.Get("ETag") != "" {
			t.Errorf("it tells of the file: %v %s", r.Header, r.body)
		}
	}
	d.want("head", d.do(http.MethodHead, link, nil), http.StatusGone)
	d.says(3, grant.SaysGranted)
	d.want("revived", d.get(link, "Range: bytes=10-19"), http.StatusPartialContent)
}

func TestALinkIsGoodForItsGrantAndFileAlone(t *testing.T) {
	t.Parallel()
	d, link := stocked(t)
	other := id("file", 2)
	d.put(other, "other.zip", "not sold")
	for name, tt := range map[string]struct {
		url  string
		want int
	}{
		"good":             {link, 200},
		"expired":          {d.expired(theFile), 410},
		"a file not given": {d.link(other), 410},
		"no such file":     {d.link(id("file", 9)), 410},
		"forged":           {link[:len(link)-4] + "AAAA", 404},
		"cut":              {link[:len(link)-1], 404},
		"nothing":          {d.PublicURL + "/downloads/x", 404},
		"a path":           {d.PublicURL + "/downloads/..%2f..%2fetc%2fpasswd", 404},
	} {
		if r := d.get(tt.url); r.StatusCode != tt.want {
			t.Errorf("%s: %d, want %d: %s", name, r.StatusCode, tt.want, r.body)
		}
	}
	if said := d.words.String(); strings.Contains(said, link[len(link)-20:]) || strings.Contains(said, "app.zip") {
		t.Errorf("a link or a name is in the log:\n%s", said)
	}
}

func TestRangesInParallelAreOneDownload(t *testing.T) {
	t.Parallel()
	d, link := stocked(t, func(d *depot) { d.Max = 1 })
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			r := d.get(link, fmt.Sprintf("Range: bytes=%d-%d", 2*i, 2*i+1))
			if want := bytesOfIt[2*i : 2*i+2]; r.StatusCode != http.StatusPartialContent || r.body != want {
				t.Errorf("%d %q, want %q", r.StatusCode, r.body, want)
			}
		})
	}
	wg.Wait()
	d.want("a resume by a fresh link", d.get(d.link(theFile), "Range: bytes=7-"), http.StatusPartialContent)
	if n := d.counted(); n != 1 {
		t.Errorf("%d downloads", n)
	}
}

func TestADownloadTooManyIsRefused(t *testing.T) {
	t.Parallel()
	d, link := stocked(t, func(d *depot) { d.Max, d.LinkLife = 2, 2*time.Second })
	_, hexed := sha(bytesOfIt)
	free := func() {
		t.Helper()
		d.do(http.MethodHead, link, nil)
		d.get(link, `If-None-Match: "`+hexed+`"`)
		d.get(link, "Range: bytes=99-")
	}
	free()
	if n := d.counted(); n != 0 {
		t.Errorf("what carries no bytes counts as %d downloads", n)
	}
	for n := int64(1); n <= 2; n++ {
		link = d.link(theFile)
		d.want("a download", d.get(link), http.StatusOK)
		if got := d.counted(); got != n {
			t.Errorf("%d downloads, want %d", got, n)
		}
		d.eventually("its time is over", func() bool {
			got, err := d.ledger.Download(t.Context(), id("grant", 1)+".downloadables", theFile)
			return err == nil && time.Since(got.CountedAt) > d.LinkLife
		})
	}
	link = d.link(theFile)
	d.want("the second, taken up again", d.get(link, "Range: bytes=7-"), http.StatusPartialContent)
	for _, headers := range [][]string{nil, {"Range: bytes=0-1"}, {"Range: bytes=7-", `If-Range: "another"`}, {"Range: bytes=0-1,5-6"}} {
		r := d.want("one too many", d.get(link, headers...), http.StatusForbidden)
		if strings.Contains(r.body, "0") || r.Header.Get("Content-Range") != "" || r.Header.Get("ETag") != "" || !strings.Contains(r.body, "as often as") {
			t.Errorf("%v %s", r.Header, r.body)
		}
	}
	free()
	if n := d.counted(); n != 2 {
		t.Errorf("%d downloads", n)
	}
}

func TestOnlyWhatIsTakenUpAgainBelongsToAnOldDownload(t *testing.T) {
	t.Parallel()
	f := &Files{LinkLife: time.Hour}
	d := grant.Download{CountedAt: time.Now(), File: grant.File{UploadedAt: time.Now().Add(-time.Hour)}}
	if got := f.belongs(d, false); got != time.Hour {
		t.Errorf("from the first byte: %s", got)
	}
	if got := f.belongs(d, true); got != resumeWithin {
		t.Errorf("taken up again: %s", got)
	}
	if d.UploadedAt = time.Now(); f.belongs(d, true) != time.Hour {
		t.Error("another file under the same id is taken up again")
	}
	for header, want := range map[string]bool{
		"bytes=1-": true, "bytes=7-9": true, "bytes=010-": true, "": false, "bytes=0-": false, "bytes=00-9": false, "bytes=-500": false, "bytes=1-2,0-": false,
	} {
		if laterPiece.MatchString(header) != want {
			t.Errorf("%q is taken for a later piece: %t", header, !want)
		}
	}
}

// short is a store that reads so many bytes of a blob, and no more.
type short struct {
	Blobs
	after int64
}

var errDisk = errors.New("input/output error")

func (f short) Open(ctx context.Context, key string) (bucket.Reader, error) {
	r, err := f.Blobs.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	return &shortReader{r, f.after}, nil
}

type shortReader struct {
	bucket.Reader
	left int64
}

func (r *shortReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, errDisk
	}
	n, err := r.Reader.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	return n, err
}

func TestAStoreThatFailsHalfWayCutsTheConnection(t *testing.T) {
	t.Parallel()
	for _, after := range []int64{0, 7, 300 << 10} {
		d := newDepot(t, func(d *depot) { d.Blobs = short{d.Blobs, after} })
		d.put(theFile, "app.zip", strings.Repeat("x", 1<<20))
		d.sold(theFile)
		for _, headers := range [][]string{nil, {"Range: bytes=1-"}, {"Range: bytes=0-9,20-29"}} {
			r := d.get(d.link(theFile), headers...)
			if r.err == nil && after < 40 || r.err == nil && len(headers) == 0 {
				t.Errorf("after %d, %v: a whole answer of %d bytes with status %d", after, headers, len(r.body), r.StatusCode)
			}
		}
		if !strings.Contains(d.words.String(), errDisk.Error()) || !strings.Contains(d.words.String(), theFile) {
			t.Errorf("the log says\n%s", d.words.String())
		}
	}
}

func TestAFileThatIsNotWholeInTheStoreIsNotSent(t *testing.T) {
	t.Parallel()
	d, link := stocked(t)
	blob := filepath.Join(d.dir, d.stored()[0])
	if err := os.Truncate(blob, 7); err != nil {
		t.Fatal(err)
	}
	d.want("cut", d.get(link), http.StatusInternalServerError)
	if err := os.Remove(blob); err != nil {
		t.Fatal(err)
	}
	d.want("gone", d.get(link), http.StatusInternalServerError)
	for _, says := range []string{"has 7 bytes in the store, and 20 in the ledger", "file does not exist"} {
		if !strings.Contains(d.words.String(), says) {
			t.Errorf("the log does not say %q:\n%s", says, d.words.String())
		}
	}
}

// drinker opens a connection, asks for a download, and reads only the status line.
func drinker(t *testing.T, link string) net.Conn {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", u.Path, u.Host)
	line, err := bufio.NewReaderSize(conn, 16).ReadString('\n')
	if err != nil || !strings.Contains(line, "200") {
		t.Fatalf("%q, %v", line, err)
	}
	return conn
}

func TestADownloaderWhoDoesNotReadIsCut(t *testing.T) {
	t.Parallel()
	const size = 64 << 20 // more than sockets hold
	d := newDepot(t, func(d *depot) { d.Stall = 300 * time.Millisecond })
	d.put(theFile, "app.zip", strings.Repeat("x", size))
	d.sold(theFile)
	ended := make(chan struct{})
	inner := d.server.Config.Handler
	d.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		inner.ServeHTTP(w, r)
	})
	conn := drinker(t, d.link(theFile))
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("the server waits still")
	}
	if n, _ := io.Copy(io.Discard, conn); n >= size {
		t.Error("everything was sent")
	}
}

func TestADownloadThatMovesOutlivesTheListenersLimits(t *testing.T) {
	t.Parallel()
	const size = 16 << 20
	d := newDepot(t, func(d *depot) {
		d.server.Config.ReadTimeout, d.server.Config.WriteTimeout = time.Second, time.Second
		d.Blobs, d.Stall = unhurried{d.Blobs}, 10*time.Second
	})
	d.put(theFile, "app.zip", strings.Repeat("x", size))
	d.sold(theFile)
	if r := d.get(d.link(theFile)); r.err != nil || len(r.body) != size {
		t.Errorf("%d bytes, %v", len(r.body), r.err)
	}
}

func TestADaemonThatStopsCutsTransfersThatGoOn(t *testing.T) {
	t.Parallel()
	const size = 4 << 20
	d := newDepot(t)
	d.put(theFile, "app.zip", strings.Repeat("x", size))
	d.sold(theFile)
	link, u := d.link(theFile), d.announce("more.zip", size, "")
	d.Stop()
	if r := d.get(link); r.err == nil || len(r.body) >= size {
		t.Errorf("a whole download of %d bytes", len(r.body))
	}
	if r := d.do(http.MethodPut, u.url(), strings.NewReader(strings.Repeat("x", size))); r.err == nil && r.StatusCode != http.StatusBadRequest {
		t.Errorf("an upload was answered %d %s", r.StatusCode, r.body)
	}
	d.eventually("the half is removed", func() bool { return len(d.stored()) == 1 })
	if n := d.counted(); n != 1 {
		t.Errorf("%d downloads", n)
	}
}

// unhurried is a store that takes its time over every quarter.
type unhurried struct{ Blobs }

func (u unhurried) Open(ctx context.Context, key string) (bucket.Reader, error) {
	r, err := u.Blobs.Open(ctx, key)
	return &unhurriedReader{r, 0}, err
}

type unhurriedReader struct {
	bucket.Reader
	read int64
}

func (r *unhurriedReader) Read(p []byte) (int, error) {
	if r.read >= 4<<20 {
		r.read = 0
		time.Sleep(400 * time.Millisecond)
	}
	n, err := r.Reader.Read(p)
	r.read += int64(n)
	return n, err
}

// cloud is a store that has addresses of its own.
type cloud struct{ Blobs }

func (cloud) Presigned(_ context.Context, key, disposition, contentType string, life time.Duration) (string, error) {
	if life > time.Minute {
		return "", errors.New("too long")
	}
	return "https://cloud.example.com/" + key + "?type=" + url.QueryEscape(contentType) + "&as=" + url.QueryEscape(disposition), nil
}

func TestAStoreInTheCloudSendsTheFileItself(t *testing.T) {
	t.Parallel()
	d, link := stocked(t, func(d *depot) { d.Blobs, d.Max, d.LinkLife = cloud{d.Blobs}, 1, time.Hour })
	_, hexed := sha(bytesOfIt)
	head := d.want("head", d.do(http.MethodHead, link, nil), http.StatusOK)
	if head.Header.Get("Content-Length") != "20" || head.Header.Get("ETag") != "" || head.Header.Get("Last-Modified") != "" {
		t.Errorf("%v", head.Header) // the store's are others
	}
	for _, known := range []string{`"` + hexed + `"`, `W/"` + hexed + `"`, `"a", "` + hexed + `"`, "*"} {
		d.want("known", d.get(link, "If-None-Match: "+known), http.StatusNotModified)
	}
	if n := d.counted(); n != 0 {
		t.Errorf("%d downloads", n)
	}
	r := d.want("get", d.get(link, "Range: bytes=3-"), http.StatusFound)
	if to := r.Header.Get("Location"); to != "https://cloud.example.com/"+d.stored()[0]+"?type=application%2Fzip&as=attachment%3B+filename%3Dapp.zip" || r.body != "" {
		t.Errorf("to %s", to)
	}
	d.want("again", d.get(link), http.StatusFound)
	if n := d.counted(); n != 1 {
		t.Errorf("%d downloads", n)
	}
	d.says(2, grant.SaysRevoked)
	d.want("revoked", d.get(link), http.StatusGone)
}

// A link may expire while its download goes on, which does not end the download,
// nor let it outlive the grant.
func TestADownloadUnderWayEndsWithItsGrant(t *testing.T) {
	t.Parallel()
	for _, life := range []time.Duration{time.Hour, 2 * time.Second} { // links know whole seconds
		d := newDepot(t, func(d *depot) { d.Recheck, d.LinkLife = time.Millisecond, life })
		d.put(theFile, "large.bin", strings.Repeat("large ", 8<<20)) // more than sockets hold
		d.sold(theFile)
		link := d.link(theFile)
		resp, err := http.Get(link)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.ReadFull(resp.Body, make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
		if life < time.Hour {
			d.eventually("the link expires", func() bool { return d.do(http.MethodHead, link, nil).StatusCode == http.StatusGone })
		}
		d.says(2, grant.SaysRevoked)
		if n, err := io.Copy(io.Discard, resp.Body); err == nil || n > 40<<20 {
			t.Errorf("%d more bytes, %v", n, err)
		}
		d.eventually("the log says why", func() bool { return strings.Contains(d.words.String(), errEnded.Error()) })
		if strings.Contains(d.words.String(), "does not read") {
			t.Errorf("the store is blamed: %s", d.words.String())
		}
	}
}
