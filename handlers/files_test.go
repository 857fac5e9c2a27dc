package handlers

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"fulfilld/grant"
)

var theFile = id("file", 1)

func TestAFileIsUploadedInThePlatformsShapes(t *testing.T) {
	t.Parallel()
	told := 0
	d := newDepot(t, func(d *depot) { d.Changed = func() { told++ } })
	const text = "the bytes"
	b64, hexed := sha(text)
	created := d.do(http.MethodPost, "/v1/files/", strings.NewReader(`{"name":"app.zip","mime_type":"application/zip","size":9,"service":"downloadable",
		"version":"2.1","organization_id":"`+id("org", 1)+`","checksum_sha256_base64":"`+b64+`","upload":{"parts":[{"number":1,"chunk_start":0,"chunk_end":9}]}}`))
	d.want("create", created, http.StatusCreated)
	wantKeys(t, "FileUpload", created.body, "id", "organization_id", "name", "path", "mime_type", "size", "storage_version", "checksum_etag",
		"checksum_sha256_base64", "checksum_sha256_hex", "last_modified_at", "upload", "version", "is_uploaded", "service", "size_readable")
	u := decoded[fileUpload](t, created.body)
	if p := u.Upload.Parts; len(p) != 1 || p[0].Number != 1 || p[0].ChunkEnd != 9 || string(p[0].SHA256Base64) != b64 || u.Uploaded {
		t.Errorf("%+v", u)
	}
	d.want("finished too early", d.finish(u), http.StatusConflict)
	up := d.want("upload", d.do(http.MethodPut, u.url(), strings.NewReader(text), "Authorization: "), http.StatusOK)
	if got := up.Header.Get("ETag"); got != `"`+hexed+`"` {
		t.Errorf("ETag %s", got)
	}
	if l := d.want("list", d.do(http.MethodGet, "/v1/files/", nil), http.StatusOK); !strings.Contains(l.body, `"total_count":0`) || told != 0 {
		t.Errorf("a half file is listed: %s", l.body)
	}
	done := d.want("finish", d.finish(u), http.StatusOK)
	wantKeys(t, "DownloadableFileRead", done.body, "id", "organization_id", "name", "path", "mime_type", "size", "storage_version", "checksum_etag",
		"checksum_sha256_base64", "checksum_sha256_hex", "last_modified_at", "version", "service", "is_uploaded", "created_at", "flagged_malicious_at", "size_readable")
	got := decoded[fileRead](t, done.body)
	if string(got.SHA256Hex) != hexed || !got.Uploaded || got.Name != "app.zip" || got.Version != "2.1" || got.SizeReadable != "9 B" || told != 1 {
		t.Errorf("told %d times: %+v", told, got)
	}
	again := d.want("finish again", d.finish(u), http.StatusOK)
	if again.body != done.body {
		t.Errorf("then %s", again.body)
	}
	list := d.want("list", d.do(http.MethodGet, "/v1/files/?ids="+u.ID+"&organization_id="+id("org", 1), nil, "Authorization: Bearer "+appToken), http.StatusOK)
	if want := `{"items":[` + strings.TrimSpace(done.body) + `],"pagination":{"total_count":1,"max_page":1}}`; strings.TrimSpace(list.body) != want {
		t.Errorf("list %s\nwant %s", list.body, want)
	}
}

// With one part, its checksum is the file's.
func TestThePartsChecksumIsTheFiles(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	right, hexed := sha("the bytes")
	wrong, _ := sha("the bites")
	announce := func(status int, part, whole string) replied {
		t.Helper()
		return d.want("announce", d.do(http.MethodPost, "/v1/files/", strings.NewReader(`{"name":"a","mime_type":"a/b","size":9,"checksum_sha256_base64":`+whole+
			`,"upload":{"parts":[{"number":1,"chunk_start":0,"chunk_end":9,"checksum_sha256_base64":`+part+`}]}}`)), status)
	}
	refused := announce(http.StatusUnprocessableEntity, `"`+wrong+`"`, `"`+right+`"`)
	if want := `"loc":["body","upload","parts","0","checksum_sha256_base64"]`; !strings.Contains(refused.body, want) {
		t.Error(refused.body)
	}
	u := decoded[fileUpload](t, announce(http.StatusCreated, `"`+right+`"`, `null`).body)
	if p := u.Upload.Parts[0]; string(p.SHA256Base64) != right || string(u.SHA256Hex) != hexed {
		t.Errorf("announced %+v", u)
	}
	d.want("other bytes", d.do(http.MethodPut, u.url(), strings.NewReader("the bites")), http.StatusBadRequest)
	d.want("the bytes", d.do(http.MethodPut, u.url(), strings.NewReader("the bytes")), http.StatusOK)
	finish := func(parts string) replied {
		return d.do(http.MethodPost, "/v1/files/"+u.ID+"/uploaded", strings.NewReader(`{"id":"`+u.Upload.ID+`","path":"`+u.Upload.Path+`","parts":`+parts+`}`))
	}
	part := func(sum string) string {
		return `[{"number":1,"checksum_etag":"x","checksum_sha256_base64":"` + sum + `"}]`
	}
	if r := d.want("two parts", finish(`[{},{}]`), http.StatusUnprocessableEntity); !strings.Contains(r.body, `"loc":["body","parts"]`) {
		t.Error(r.body)
	}
	d.want("other bytes were meant", finish(part(wrong)), http.StatusBadRequest)
	if l := d.do(http.MethodGet, "/v1/files/", nil); !strings.Contains(l.body, `"total_count":0`) {
		t.Errorf("it is a file: %s", l.body)
	}
	d.want("finish", finish(part(right)), http.StatusOK)
	d.want("finish again", finish(part(right)), http.StatusOK)
	d.want("other bytes were meant", finish(part(wrong)), http.StatusBadRequest)
}

func wantKeys(t *testing.T, schema, body string, want ...string) {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("%s (-want +got):\n%s", schema, diff)
	}
}

func TestAnAnnouncementIsChecked(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	good := map[string]string{"name": `"app.zip"`, "mime_type": `"application/zip"`, "size": `9`, "service": `"downloadable"`, "upload": `{"parts":[]}`}
	for _, tt := range []struct{ field, value, says string }{
		{"name", ``, "Field required"},
		{"name", `""`, "at least 1 character"},
		{"name", `"a\u0000b"`, "valid string"},
		{"name", `"a\nb"`, "no control characters"},
		{"name", `"` + strings.Repeat("ä", 256) + `"`, "at most 255"},
		{"mime_type", `"zip"`, "media type"},
		{"mime_type", `"text/html\r\nSet-Cookie: a=b"`, "no control characters"},
		{"size", `-1`, "greater than or equal to 0"},
		{"size", `10737418241`, "less than or equal to 10737418240"},
		{"size", `1.5`, "fractional"},
		{"service", `"organization_avatar"`, "'downloadable'"},
		{"upload", `{"parts":[{},{}]}`, `"loc":["body","upload","parts"],"msg":"List should have at most 1 item after validation, not 2: here, a file is uploaded in one part","input":[{},{}]`},
		{"upload", `{"parts":7}`, `"loc":["body","upload","parts"],"msg":"Input should be a valid list","input":7`},
		{"upload", `{"parts":[7]}`, `"loc":["body","upload","parts","0"]`},
		{"upload", `{"parts":[{"checksum_sha256_base64":"abc"}]}`, "32 bytes"},
		{"upload", `7`, "valid dictionary"},
		{"checksum_sha256_base64", `"abc"`, "32 bytes"},
		{"id", `"../../x"`, "valid UUID"},
		{"version", `7`, "valid string"},
	} {
		fields := maps.Clone(good)
		if fields[tt.field] = tt.value; tt.value == "" {
			delete(fields, tt.field)
		}
		var parts []string
		for name, value := range fields {
			parts = append(parts, fmt.Sprintf("%q:%s", name, value))
		}
		r := d.do(http.MethodPost, "/v1/files/", strings.NewReader("{"+strings.Join(parts, ",")+"}"))
		if r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(r.body, tt.says) || !strings.Contains(r.body, `"`+tt.field+`"`) {
			t.Errorf("%s %s: %d %s", tt.field, tt.value, r.StatusCode, r.body)
		}
	}
}

func TestANameIsNeverAPath(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	for name, want := range map[string]string{
		"app 2.1.zip":               `attachment; filename="app 2.1.zip"`,
		"../../etc/passwd":          `attachment; filename=.._.._etc_passwd`,
		`a\b.exe`:                   `attachment; filename=a_b.exe`,
		"...":                       `attachment; filename=download`,
		"..":                        `attachment; filename=download`,
		". .":                       `attachment; filename=download`,
		"Übung \"1\".pdf":           `attachment; filename*=utf-8''%C3%9Cbung%20%221%22.pdf`,
		`say "hi".txt`:              `attachment; filename="say \"hi\".txt"`,
		"fdp.\u202eexe":             `attachment; filename=fdp.exe`,
		"日本語.zip":                   `attachment; filename*=utf-8''%E6%97%A5%E6%9C%AC%E8%AA%9E.zip`,
		strings.Repeat("x", 255):    `attachment; filename=` + strings.Repeat("x", 255),
		"a;filename=\"evil.exe\";b": `attachment; filename="a;filename=\"evil.exe\";b"`,
	} {
		file := uuid.NewString()
		d.put(file, name, "x")
		if got := disposition(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
	form := regexp.MustCompile(`^[0-9a-f-]{36}$`)
	for _, name := range d.stored() {
		if !form.MatchString(name) {
			t.Errorf("the store holds %q", name)
		}
	}
}

func TestAFileIsRenamedAndDeleted(t *testing.T) {
	t.Parallel()
	told := 0
	d := newDepot(t, func(d *depot) { d.Changed = func() { told++ } })
	d.put(theFile, "old.zip", "x")
	d.sold(theFile)
	told = 0
	r := d.want("rename", d.do(http.MethodPatch, "/v1/files/"+theFile, strings.NewReader(`{"name":"new.zip","version":null}`)), http.StatusOK)
	if got := decoded[fileRead](t, r.body); got.Name != "new.zip" || told != 1 {
		t.Errorf("told %d times: %+v", told, got)
	}
	d.want("no name", d.do(http.MethodPatch, "/v1/files/"+theFile, strings.NewReader(`{"name":""}`)), http.StatusUnprocessableEntity)
	d.want("no such file", d.do(http.MethodPatch, "/v1/files/"+id("file", 9), strings.NewReader(`{"name":"x"}`)), http.StatusNotFound)
	link := d.link(theFile)
	d.want("download", d.get(link), http.StatusOK)
	r = d.want("delete", d.do(http.MethodDelete, "/v1/files/"+theFile, nil), http.StatusNoContent)
	if got := r.Header.Get(GrantsHeader); got != "1" || told != 2 {
		t.Errorf("%s grants had it; told %d times", got, told)
	}
	d.wantEmpty()
	d.want("download", d.get(link), http.StatusGone)
	d.want("delete again", d.do(http.MethodDelete, "/v1/files/"+theFile, nil), http.StatusNotFound)
}

func TestScopesSayWhoMayDoWhatToFiles(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	for request, want := range map[string]int{
		"GET /v1/files/": 200, "POST /v1/files/": 403, "PATCH /v1/files/" + theFile: 403, "DELETE /v1/files/" + theFile: 403,
		"POST /v1/files/" + theFile + "/uploaded": 403, "GET /v1/benefit-grants/" + id("grant", 1) + "/downloads": 403,
	} {
		method, path, _ := strings.Cut(request, " ")
		if r := d.do(method, path, nil, "Authorization: Bearer "+appToken); r.StatusCode != want {
			t.Errorf("%s with files:read: %d, want %d", request, r.StatusCode, want)
		}
		if r := d.do(method, path, nil, "Authorization: "); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d", request, r.StatusCode)
		}
	}
}

func TestWithoutTheKindFilesSaySo(t *testing.T) {
	t.Parallel()
	d := street(newDesk(t), Token{"up", filesToken, []string{"files:write"}})
	if r := d.ask("GET /v1/files/\nAuthorization: Bearer " + filesToken); r.Code != http.StatusNotImplemented || !strings.Contains(r.Body.String(), "fulfillers.downloadables") {
		t.Errorf("%d %s", r.Code, r.Body)
	}
	if r := d.ask("GET /downloads/x\nAuthorization: "); r.Code != http.StatusNotFound {
		t.Errorf("%d", r.Code)
	}
}

func TestTheOperatorUploadsThroughTheAdminListener(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	admin := Admin(AdminOptions{Ledger: d.ledger, Token: token, Health: named("health"), Metrics: named("metrics"), Files: d.Files, Log: slog.New(slog.DiscardHandler)})
	d.desk.Handler = admin
	u := d.announce("big.bin", maxBody+1, "")
	path := u.url()[strings.Index(u.url(), "/v1/"):]
	request := func(auth string) string {
		return "PUT " + path + "\n" + auth + "\n\n" + strings.Repeat("x", maxBody+1)
	}
	if r := d.ask(request("Authorization: ")); r.Code != http.StatusUnauthorized {
		t.Errorf("without a token: %d", r.Code)
	}
	if r := d.ask(request("Authorization: Bearer " + token)); r.Code != http.StatusOK {
		t.Errorf("%d %s", r.Code, r.Body)
	}
}

func TestTheSweepRemovesWhatNobodyHas(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	d.put(theFile, "kept.zip", "x")
	if _, err := d.Blobs.Write(t.Context(), "loose", strings.NewReader("y")); err != nil {
		t.Fatal(err)
	}
	if err := d.ledger.Loosen(t.Context(), "loose", time.Hour); err != nil {
		t.Fatal(err)
	}
	d.Sweep(t.Context())
	if n := len(d.stored()); n != 2 {
		t.Errorf("%d blobs are left, want 2: the one may still become a file's", n)
	}
	if err := d.ledger.Loosen(t.Context(), "loose", 0); err != nil {
		t.Fatal(err)
	}
	d.Sweep(t.Context())
	if names := d.stored(); len(names) != 1 || names[0] == "loose" {
		t.Errorf("left: %v", names)
	}
	if all, err := d.ledger.Loose(t.Context(), time.Hour); len(all) > 0 || err != nil {
		t.Errorf("still loose: %v, %v", all, err)
	}
}

func TestLinksAreMadeWhenAskedFor(t *testing.T) {
	t.Parallel()
	d := newDepot(t, func(d *depot) { d.Max = 3 })
	d.put(theFile, "app.zip", "the bytes")
	d.sold(theFile, id("file", 2))
	address := "/v1/benefit-grants/" + id("grant", 1) + "/downloads"
	r := d.want("downloads", d.do(http.MethodGet, address, nil), http.StatusOK)
	var got struct {
		Items []struct {
			ID, Name, URL string
			Size          int64
			ExpiresAt     time.Time `json:"expires_at"`
			MaxDownloads  int64     `json:"max_downloads"`
		}
		Problem *string
	}
	if err := json.Unmarshal([]byte(r.body), &got); err != nil || len(got.Items) != 1 || got.Problem != nil {
		t.Fatalf("%v %s", err, r.body)
	}
	if i := got.Items[0]; i.ID != theFile || i.Name != "app.zip" || i.Size != 9 || i.MaxDownloads != 3 || time.Until(i.ExpiresAt) < 50*time.Minute {
		t.Errorf("%+v", i)
	}
	d.want("the link", d.get(got.Items[0].URL), http.StatusOK)
	d.want("no such grant", d.do(http.MethodGet, "/v1/benefit-grants/"+id("grant", 9)+"/downloads", nil), http.StatusNotFound)
	d.says(2, grant.SaysRevoked)
	if r := d.do(http.MethodGet, address, nil); !strings.HasPrefix(r.body, `{"items":[],`) {
		t.Errorf("after the revoke: %s", r.body)
	}
}

func TestWithoutAPublicURLThereAreNoLinksAndItSaysWhy(t *testing.T) {
	t.Parallel()
	d := newDepot(t, func(d *depot) { d.PublicURL = "none" })
	u := d.announce("app.zip", 1, `,"id":"`+theFile+`"`)
	if !strings.HasPrefix(u.url(), "/v1/files/uploads/") {
		t.Errorf("the address to upload to: %s", u.url())
	}
	d.want("upload", d.do(http.MethodPut, u.url(), strings.NewReader("x")), http.StatusOK)
	d.want("finish", d.finish(u), http.StatusOK)
	d.sold(theFile)
	r := d.want("downloads", d.do(http.MethodGet, "/v1/benefit-grants/"+id("grant", 1)+"/downloads", nil), http.StatusOK)
	if !strings.Contains(r.body, `"url":null`) || !strings.Contains(r.body, "public_url is not set") {
		t.Error(r.body)
	}
}
