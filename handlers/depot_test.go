package handlers

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fulfilld/grant"
	"fulfilld/internal/bucket"
	"fulfilld/internal/signed"
)

// depot is the public listener of a shop that sells files, over real HTTP, with a
// real ledger and a directory for the bytes.
type depot struct {
	*desk
	*Files
	dir    string
	server *httptest.Server
	words  logged
}

// logged is a log that can be read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

const filesToken = "a-token-of-the-merchants-uploader"

// newDepot opens a depot; change adjusts it before it opens.
func newDepot(t *testing.T, change ...func(*depot)) *depot {
	t.Helper()
	d := &depot{desk: newDesk(t), dir: filepath.Join(t.TempDir(), "files")}
	b, err := bucket.Open(t.Context(), bucket.Options{URL: "file://" + d.dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	d.server = httptest.NewUnstartedServer(nil)
	d.server.Config.ReadTimeout, d.server.Config.WriteTimeout = 10*time.Second, time.Minute
	d.Files = &Files{
		Ledger: d.ledger, Blobs: b, Changed: func() {}, LinkLife: time.Hour, Log: slog.New(slog.NewTextHandler(&d.words, nil)),
		Uploads: d.ledger.SigningKeys(UploadKeys, UploadLife), Links: d.ledger.SigningKeys(DownloadKeys, time.Hour),
	}
	for _, c := range change {
		c(d)
	}
	d.server.Config.Handler = Public(PublicOptions{
		Ledger: d.ledger, Webhook: named("webhook"), Health: named("health"), Files: d.Files, Log: d.Log,
		Tokens: []Token{{"up", filesToken, []string{"files:write", "benefits:read"}}, {"look", appToken, []string{"files:read"}}},
	})
	d.server.Start()
	t.Cleanup(d.server.Close)
	if d.PublicURL == "" {
		d.PublicURL = d.server.URL
	}
	if d.PublicURL == "none" {
		d.PublicURL = ""
	}
	return d
}

// replied is an answer with its body.
type replied struct {
	*http.Response
	body string
	err  error // of reading the body
}

// do sends a request with the merchant's token; headers are "Name: value".
func (d *depot) do(method, url string, body io.Reader, headers ...string) replied {
	d.t.Helper()
	if !strings.HasPrefix(url, "http") {
		url = d.server.URL + url
	}
	req, err := http.NewRequestWithContext(d.t.Context(), method, url, body)
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+filesToken)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	if err != nil {
		return replied{Response: &http.Response{}, err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return replied{resp, string(text), err}
}

// get is what a customer does, who has no token.
func (d *depot) get(url string, headers ...string) replied {
	d.t.Helper()
	return d.do(http.MethodGet, url, nil, append(headers, "Authorization: ")...)
}

func (d *depot) want(what string, r replied, status int) replied {
	d.t.Helper()
	if r.StatusCode != status {
		d.t.Fatalf("%s: %d, want %d: %s%v\n%s", what, r.StatusCode, status, r.body, r.err, d.words.String())
	}
	return r
}

func sha(text string) (b64, hexed string) {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:]), hex.EncodeToString(sum[:])
}

// announce asks for an address to upload to; more is further JSON.
func (d *depot) announce(name string, size int, more string) fileUpload {
	d.t.Helper()
	body := fmt.Sprintf(`{"name":%q,"mime_type":"application/zip","size":%d,"service":"downloadable","upload":{"parts":[{"number":1,"chunk_start":0,"chunk_end":%d}]}%s}`, name, size, size, more)
	r := d.want("announce", d.do(http.MethodPost, "/v1/files/", strings.NewReader(body)), http.StatusCreated)
	return decoded[fileUpload](d.t, r.body)
}

func decoded[T any](t *testing.T, text string) (v T) {
	t.Helper()
	var loose map[string]any
	if err := json.Unmarshal([]byte(text), &loose); err != nil {
		t.Fatal(err)
	}
	for name, value := range loose { // a stamp is for writing only
		if strings.HasSuffix(name, "_at") || value == nil {
			delete(loose, name)
		}
	}
	if up, ok := loose["upload"].(map[string]any); ok {
		for _, part := range up["parts"].([]any) {
			delete(part.(map[string]any), "expires_at")
		}
	}
	clean, err := json.Marshal(loose)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(clean, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func (u fileUpload) url() string { return u.Upload.Parts[0].URL }

func (d *depot) finish(u fileUpload) replied {
	return d.do(http.MethodPost, "/v1/files/"+u.ID+"/uploaded", strings.NewReader(`{"id":"`+u.Upload.ID+`","path":"`+u.Upload.Path+`","parts":[]}`))
}

// put uploads a file under an id.
func (d *depot) put(id, name, text string) {
	d.t.Helper()
	u := d.announce(name, len(text), `,"id":"`+id+`"`)
	d.want("upload", d.do(http.MethodPut, u.url(), strings.NewReader(text)), http.StatusOK)
	d.want("finish", d.finish(u), http.StatusOK)
}

// sold grants files to a customer.
func (d *depot) sold(files ...string) {
	d.t.Helper()
	d.says(1, grant.SaysGranted)
	if _, _, err := d.ledger.GiveFiles(d.t.Context(), id("grant", 1)+".downloadables", files, nil, 1); err != nil {
		d.t.Fatal(err)
	}
}

// says is the shop's word on the grant.
func (d *depot) says(n int, word grant.Word) {
	d.t.Helper()
	b := grant.Benefit{ID: id("benefit", 1), Type: "downloadables", Version: version(1)}
	g := grant.Grant{ID: id("grant", 1), BenefitID: b.ID, CustomerID: id("customer", 1), Source: grant.Platform, GrantedAt: day(1), Word: word, Version: version(n)}
	d.hear(fmt.Sprint("msg_says_", n), "benefit_grant.updated", grant.News{Benefits: []grant.Benefit{b}, Grants: []grant.Grant{g}}, nil)
}

func (d *depot) link(file string) string {
	d.t.Helper()
	l, err := d.Link(d.t.Context(), id("grant", 1), file)
	if err != nil {
		d.t.Fatal(err)
	}
	return l.URL
}

// expired is a link that was good until a moment ago.
func (d *depot) expired(file string) string {
	d.t.Helper()
	payload, err := pair(id("grant", 1), file)
	if err != nil {
		d.t.Fatal(err)
	}
	token, err := signed.Seal(d.t.Context(), d.Links, payload, time.Now().Add(-time.Second))
	if err != nil {
		d.t.Fatal(err)
	}
	return d.PublicURL + "/downloads/" + token
}

// stored are the names in the store.
func (d *depot) stored() (names []string) {
	d.t.Helper()
	all, err := os.ReadDir(d.dir)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names
}
