//go:build unix

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"fulfilld/internal/testserver"
	"fulfilld/polar"
)

// warehouse is a daemon whose benefit 0 gives a file to download.
type warehouse struct {
	*daemon
	file string // its id
}

func newWarehouse(t *testing.T, ledger, redis string, settings ...string) *warehouse {
	t.Helper()
	w := &warehouse{file: number("file", 0)}
	w.daemon = newDaemon(t, ledger, redis, append(settings, "FULFILLD_BENEFITS="+fmt.Sprintf(
		`[{"id":%q,"fulfill":[{"kind":"downloadables","files":[%q],"max_downloads":2}]}]`, number("benefit", 0), w.file))...)
	w.env = append(w.env, "FULFILLD_PUBLIC_URL=http://"+w.public, "FULFILLD_FULFILLERS_DOWNLOADABLES_CONCURRENCY=4")
	w.start()
	return w
}

// says is the platform's word on grant 0.
func (w *warehouse) says(word string) {
	w.t.Helper()
	typ := map[string]string{"granted": "created", "revoked": "revoked"}[word]
	newPlatform(w.daemon).send(w.t, fact{typ: typ, grant: 0, word: word, at: time.Now()}.webhook())
}

func (w *warehouse) grantIs(state string) {
	w.t.Helper()
	w.eventually("the grant is "+state, func() error {
		var g grantItem
		if err := w.api(http.MethodGet, "/v1/benefit-grants/"+grantID(0), &g); err != nil {
			return err
		}
		if g.State != state {
			return fmt.Errorf("it is %s: %s", g.State, g.LastError)
		}
		return nil
	})
}

// link asks for a fresh one.
func (w *warehouse) link() string {
	w.t.Helper()
	var got struct{ Items []struct{ URL, Name string } }
	if err := w.api(http.MethodGet, "/v1/benefit-grants/"+grantID(0)+"/downloads", &got); err != nil || len(got.Items) != 1 {
		w.t.Fatalf("%+v, %v", got, err)
	}
	return got.Items[0].URL
}

// random is a file of so many bytes that cannot be packed.
func (w *warehouse) random(size int) (path string, content []byte) {
	w.t.Helper()
	content = make([]byte, size)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(content)
	path = filepath.Join(w.dir, "app 2.1 – für alle.zip")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path, content
}

// curl runs a real client and returns what it printed.
func (w *warehouse) curl(args ...string) (string, error) {
	w.t.Helper()
	path, err := exec.LookPath("curl")
	if err != nil {
		testserver.Missing(w.t, "curl", "install it")
	}
	out, err := exec.CommandContext(w.t.Context(), path, append([]string{"--silent", "--show-error", "--noproxy", "*"}, args...)...).CombinedOutput()
	return string(out), err
}

// A customer buys before the merchant has put the file, and downloads it with a
// client that breaks off.
func TestAFileGoesFromTheMerchantToTheCustomer(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, ledger, redis string) {
		w := newWarehouse(t, ledger, redis)
		w.says("granted")
		w.grantIs("waiting")
		w.command("grants", "show", grantID(0)).says(0, "waiting on the merchant", "`fulfilld files put --id "+w.file+" FILE`", "the merchant must put the file")
		w.raised("files_missing", true)
		path, content := w.random(3 << 20)
		w.command("files", "put", "--id", w.file, "--version", "2.1", path).says(0, w.file, "app 2.1 – für alle.zip", "3.1 MB")
		w.grantIs("granted")
		w.raised("files_missing", false)
		w.command("files", "put", "--id", w.file, path).says(1, "FileExists", "a file does not change")
		w.command("files", "list").says(0, w.file, "2.1", "1 in all")
		w.resumes(content)
		w.command("grants", "downloads", grantID(0)).says(0, "http://"+w.public+"/downloads/", "1 of 2")
		w.command("files", "rename", w.file, "other.zip").says(0, "other.zip")
		w.eventually("the grant tells the new name", func() error {
			var text string
			if err := w.api(http.MethodGet, "/v1/benefit-grants/"+grantID(0), &text); err != nil || strings.Contains(text, `"name":"other.zip"`) {
				return err
			}
			return errors.New(text)
		})
		link := w.link()
		w.says("revoked")
		w.grantIs("revoked")
		if out, _ := w.curl("-o", "/dev/null", "-w", "%{http_code}", "-r", "0-9", link); out != "410" {
			t.Errorf("after the revoke: %s", out)
		}
		w.says("granted")
		w.grantIs("granted")
		w.command("files", "delete", w.file).says(0, "Grants that had it: 1.")
		if out, _ := w.curl("-o", "/dev/null", "-w", "%{http_code}", link); out != "410" {
			t.Errorf("after the file was deleted: %s", out)
		}
		w.command("files", "delete", w.file).says(3, "not found")
		w.grantIs("granted")
		w.edited(path)
	})
}

// edited sells files by a native benefit of the platform, and edits it.
func (w *warehouse) edited(path string) {
	w.t.Helper()
	shop := newPlatform(w.daemon)
	text, err := polar.Template("benefit_grant.created", "downloadables")
	var grant map[string]any
	if err := errors.Join(err, json.Unmarshal(text, &grant)); err != nil {
		w.t.Fatal(err)
	}
	data := grant["data"].(map[string]any)
	benefit := data["benefit"].(map[string]any)
	files := benefit["properties"].(map[string]any)["files"].([]any)
	kept, dropped, added := files[0].(string), files[1].(string), number("file", 3)
	for _, id := range []string{kept, dropped, added} {
		w.command("files", "put", "--id", id, path).says(0, id)
	}
	shop.send(w.t, webhook{id: "msg_native_grant", body: text})
	before := w.gives(data["id"].(string), kept, dropped)
	w.answers(before[kept], "206")
	w.answers(before[dropped], "206")
	edit := func(n int, archived map[string]bool) {
		w.t.Helper()
		benefit["modified_at"] = wire(time.Now())
		benefit["properties"] = map[string]any{"files": []string{added, kept}, "archived": archived}
		body, err := json.Marshal(map[string]any{"type": "benefit.updated", "timestamp": wire(time.Now()), "api_version": grant["api_version"], "data": benefit})
		if err != nil {
			w.t.Fatal(err)
		}
		shop.send(w.t, webhook{id: fmt.Sprint("msg_native_edit_", n), body: body})
	}
	edit(1, map[string]bool{kept: true})
	after := w.gives(data["id"].(string), added)
	w.answers(before[kept], "410") // archived
	w.answers(before[dropped], "410")
	w.answers(after[added], "206")
	edit(2, map[string]bool{kept: false})
	w.gives(data["id"].(string), added, kept)
	w.answers(before[kept], "206")
	var list struct{ Items []struct{ ID string } }
	if err := w.api(http.MethodGet, "/v1/files/?organization_id="+benefit["organization_id"].(string), &list); err != nil || len(list.Items) != 3 {
		w.t.Errorf("files of the organization: %v, %v", list, err)
	}
}

// gives waits until a grant gives these files, in this order, and returns links to them.
func (w *warehouse) gives(grant string, want ...string) (links map[string]string) {
	w.t.Helper()
	w.eventually("the grant gives what it should", func() error {
		var got struct{ Items []struct{ ID, URL string } }
		if err := w.api(http.MethodGet, "/v1/benefit-grants/"+grant+"/downloads", &got); err != nil {
			return err
		}
		links = map[string]string{}
		var ids []string
		for _, i := range got.Items {
			links[i.ID], ids = i.URL, append(ids, i.ID)
		}
		if !slices.Equal(ids, want) {
			return fmt.Errorf("it gives %v, want %v", ids, want)
		}
		return nil
	})
	return links
}

// answers asks for a piece of what is behind a link.
func (w *warehouse) answers(link, status string) {
	w.t.Helper()
	if out, err := w.curl("-o", "/dev/null", "-w", "%{http_code}", "-r", "0-9", link); out != status {
		w.t.Errorf("%s, %v, want %s", out, err, status)
	}
}

// resumes downloads with curl: in pieces at once, and broken off and taken up again.
func (w *warehouse) resumes(content []byte) {
	w.t.Helper()
	link := w.link()
	var wg sync.WaitGroup
	const pieces = 6
	size := len(content) / pieces
	for i := range pieces {
		wg.Go(func() {
			out, err := w.curl("-r", fmt.Sprintf("%d-%d", i*size, (i+1)*size-1), link)
			if err != nil || out != string(content[i*size:(i+1)*size]) {
				w.t.Errorf("piece %d: %d bytes, %v", i, len(out), err)
			}
		})
	}
	wg.Wait()
	part := filepath.Join(w.dir, "part.zip")
	if err := os.WriteFile(part, content[:1<<20], 0o600); err != nil {
		w.t.Fatal(err)
	}
	if out, err := w.curl("-C", "-", "-o", part, w.link()); err != nil {
		w.t.Errorf("%v %s", err, out)
	}
	if got, err := os.ReadFile(part); err != nil || !bytes.Equal(got, content) {
		w.t.Errorf("resumed: %d bytes, %v", len(got), err)
	}
	named := filepath.Join(w.dir, "named")
	if err := os.Mkdir(named, 0o700); err != nil {
		w.t.Fatal(err)
	}
	if out, err := w.curl("--output-dir", named, "-OJ", w.link()); err != nil {
		w.t.Errorf("%v %s", err, out)
	}
}

// An S3 that is not AWS's, over real HTTP, with uploads in parts.
func TestFilesInS3AreDownloadedFromThere(t *testing.T) {
	t.Parallel()
	backend := s3mem.New()
	if err := backend.CreateBucket("shop-files"); err != nil {
		t.Fatal(err)
	}
	s3 := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(s3.Close)
	w := newWarehouse(t, "", "",
		"FULFILLD_FULFILLERS_DOWNLOADABLES_STORE=s3://shop-files/fulfilld", "FULFILLD_FULFILLERS_DOWNLOADABLES_ENDPOINT="+s3.URL,
		"FULFILLD_FULFILLERS_DOWNLOADABLES_ACCESS_KEY_ID=an-access-key", "FULFILLD_FULFILLERS_DOWNLOADABLES_SECRET_ACCESS_KEY=a-secret-access-key-for-e2e")
	w.command("check", "--online").says(0, "ok", "downloadables")
	w.says("granted")
	path, content := w.random(20 << 20)
	w.command("files", "put", "--id", w.file, path).says(0, w.file)
	w.grantIs("granted")
	link := w.link()
	head, err := w.curl("-I", link)
	if err != nil || !strings.Contains(head, "Content-Length: 20971520") {
		t.Errorf("%v %s", err, head)
	}
	out, err := w.curl("-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", link)
	if err != nil || !strings.HasPrefix(out, "302 "+s3.URL+"/shop-files/fulfilld/") || !strings.Contains(out, "X-Amz-Expires=45") {
		t.Errorf("%v %s", err, out)
	}
	got := filepath.Join(w.dir, "got.zip")
	if out, err := w.curl("-L", "-o", got, link); err != nil {
		t.Errorf("%v %s", err, out)
	}
	if text, err := os.ReadFile(got); err != nil || !bytes.Equal(text, content) {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	w.command("files", "delete", w.file).says(0, "Grants that had it: 1.")
	if all, err := backend.ListBucket("shop-files", nil, gofakes3.ListBucketPage{}); err != nil || len(all.Contents) > 0 {
		t.Errorf("%d objects are left, %v", len(all.Contents), err)
	}
	if strings.Contains(w.log.String(), "a-secret-access-key-for-e2e") {
		t.Error("the secret is in the log")
	}
}

// hugeFile is more than a process should ever hold.
const hugeFile = 2 << 30

// TestAHugeFileDoesNotFillTheMemory uploads and downloads a file with a hole.
func TestAHugeFileDoesNotFillTheMemory(t *testing.T) {
	if testing.Short() || testserver.Raced() {
		t.Skip("it moves 4 GB")
	}
	t.Parallel()
	w := newWarehouse(t, "", "", "FULFILLD_LOG_LEVEL=error")
	path := filepath.Join(w.dir, "huge.bin")
	if err := errors.Join(os.WriteFile(path, []byte("begin"), 0o600), os.Truncate(path, hugeFile)); err != nil {
		t.Fatal(err)
	}
	w.says("granted")
	before := w.peak()
	w.command("files", "put", "--id", w.file, path).says(0, "2.1 GB")
	uploaded := w.peak()
	w.grantIs("granted")
	w.drinks(w.link())
	downloaded := w.peak()
	t.Logf("peak memory: %d MB before, %d MB after the upload, %d MB after the download", before>>20, uploaded>>20, downloaded>>20)
	if grew := downloaded - before; grew > 64<<20 {
		t.Errorf("memory grew by %d MB", grew>>20)
	}
}

// drinks downloads the huge file.
func (w *warehouse) drinks(link string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, link, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	begin := make([]byte, 6)
	_, err = io.ReadFull(resp.Body, begin)
	n, more := io.Copy(io.Discard, resp.Body)
	if string(begin) != "begin\x00" || n != hugeFile-6 || err != nil || more != nil {
		w.t.Errorf("%q and %d bytes, %v, %v", begin, n, err, more)
	}
}

// peak is the most memory that the daemon ever had, in bytes.
func (w *warehouse) peak() int64 {
	w.t.Helper()
	cmd, _ := w.process()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		w.t.Skipf("NOT TESTED: needs /proc: %v", err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		w.t.Fatalf("no VmHWM in\n%s", status)
	}
	kb, _ := strconv.ParseInt(string(m[1]), 10, 64)
	return kb << 10
}

// A daemon that is killed in the middle of an upload has no half of a file.
func TestAnUploadThatACrashBrokeOffIsNoFile(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, "", "")
	var to struct {
		ID     string
		Upload struct{ Parts []struct{ URL string } }
	}
	body := fmt.Sprintf(`{"id":%q,"name":"a.bin","mime_type":"a/b","size":%d}`, w.file, 64<<20)
	text := w.post("/v1/files/", body)
	if err := json.Unmarshal([]byte(text), &to); err != nil || len(to.Upload.Parts) != 1 {
		t.Fatalf("%v %s", err, text)
	}
	r, sender := io.Pipe()
	sent := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, to.Upload.Parts[0].URL, r)
		if err == nil {
			_, err = http.DefaultClient.Do(req)
		}
		sent <- err
	}()
	if _, err := sender.Write(make([]byte, 8<<20)); err != nil {
		t.Fatal(err)
	}
	w.kill()
	_ = sender.Close()
	if err := <-sent; err == nil {
		t.Error("the upload was answered")
	}
	w.start()
	w.command("files", "list").says(0, "0 in all")
	path, _ := w.random(1 << 10)
	w.command("files", "put", "--id", w.file, path).says(0, w.file)
}

// post sends JSON to the admin listener.
func (d *daemon) post(path, body string) string {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, "http://"+d.admin+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusCreated {
		d.t.Fatalf("%d %s %v", resp.StatusCode, text, err)
	}
	return string(text)
}
