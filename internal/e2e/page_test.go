//go:build unix

package e2e

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// browser visits the customers' page of a daemon.
type browser struct {
	t      testing.TB
	d      *daemon
	client *http.Client
}

func newBrowser(t testing.TB, d *daemon) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, d, &http.Client{Jar: jar, Timeout: 20 * time.Second}}
}

func (b *browser) read(resp *http.Response, err error) (status int, text string) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(all)
}

// visit follows a link as a customer does, past the proxy that a public_url names.
func (b *browser) visit(link string, status int, says ...string) string {
	b.t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		b.t.Fatal(err)
	}
	got, text := b.read(b.client.Get("http://" + b.d.public + u.Path))
	if got != status {
		b.t.Errorf("%d, want %d: %s", got, status, text)
	}
	for _, want := range says {
		if !strings.Contains(text, want) {
			b.t.Errorf("the page does not say %q: %s", want, text)
		}
	}
	return text
}

var (
	anyLink = regexp.MustCompile(`http://fulfil\.example/customer/enter/\S+`)
	ending  = regexp.MustCompile(`action="(keys/[^"]+/end)"`)
)

func TestACustomerSeesTheirKeyAndFreesADevice(t *testing.T) {
	t.Parallel()
	d, p, _, desktop := bought(t, "FULFILLD_PUBLIC_URL=http://fulfil.example", "FULFILLD_CUSTOMER_PAGE_NAME=Acme", "FULFILLD_LICENSE_API_RATE=1000")
	desktop.wants("activate", map[string]any{"label": "studio-mac"}, 200, "")
	said := d.command("customers", "session", number("customer", 0)).says(0, "Good until")
	link := anyLink.FindString(said.out)

	b := newBrowser(t, d)
	text := b.visit(link, 200, "Your purchases at Acme", desktop.key.Key, "1 of 3 in use", "studio-mac")
	form := ending.FindStringSubmatch(text)
	if form == nil {
		t.Fatalf("no device can be ended: %s", text)
	}
	if status, text := b.read(b.client.PostForm("http://"+d.public+"/customer/"+form[1], nil)); status != 200 || !strings.Contains(text, "0 of 3 in use") {
		t.Errorf("%d %s", status, text)
	}
	newBrowser(t, d).visit(link[:len(link)-6]+"AAAAAA", 401, "no longer valid")

	p.send(t, fact{typ: "revoked", grant: 0, word: "revoked", at: time.Now()}.webhook())
	within(t, patience, "revoked", func() error { return d.shows(0, "revoked") })
	if text := b.visit("/customer/", 200, "Ended (1)"); strings.Contains(text, desktop.key.Key) {
		t.Error("the key of an ended grant is shown")
	}
	if strings.Contains(d.log.String(), desktop.key.Key) || strings.Contains(d.log.String(), link[len(link)-40:]) {
		t.Error("the key or the link is in the log")
	}
}
