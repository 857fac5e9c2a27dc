package main

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"fulfilld/internal/alarm"
)

const webhookSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// running is a daemon of the test's own.
func running(t *testing.T) (d *daemon, hook string) {
	t.Helper()
	d, err := startDaemon(t.Context(), &options{environ: []string{
		"FULFILLD_LISTEN=127.0.0.1:0",
		"FULFILLD_ADMIN_LISTEN=127.0.0.1:0",
		"FULFILLD_DATABASE_URL=sqlite://" + filepath.Join(t.TempDir(), "fulfilld.db"),
		"FULFILLD_WEBHOOKS_POLAR_SECRETS=" + webhookSecret,
	}}, slog.New(slog.DiscardHandler), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.shutdown(); err != nil {
			t.Error(err)
		}
	})
	return d, "http://" + d.publicAddr.String() + "/webhooks/polar"
}

func deliver(t *testing.T, hook, id, body string) {
	t.Helper()
	status, answer, err := send(t.Context(), hook, webhookSecret, "auto", id, []byte(body))
	if err != nil || status != http.StatusAccepted {
		t.Fatalf("%s: answered %d %s, %v", body, status, answer, err)
	}
}

func TestAnEndpointOfTheWrongFormatRaisesAnAlarm(t *testing.T) {
	t.Parallel()
	for format, body := range map[string]string{
		"Discord": `{"content":"New order","embeds":[{"title":"New Order","description":"Ada bought Pro"}]}`,
		"Slack":   `{"text":"New order","blocks":[{"type":"section","text":{"type":"mrkdwn","text":"Ada bought Pro"}}]}`,
		"Raw":     `{"type":"product.updated","timestamp":"2026-10-01T12:00:00Z","data":{}}`,
	} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			d, hook := running(t)
			deliver(t, hook, uuid.NewString(), body)
			var raised, mend string
			for _, a := range d.alarms.List() {
				if a.Code == "webhook_format" {
					raised, mend = a.Text, a.Next
				}
			}
			if (raised != "") != (format != "Raw") || raised != "" && !strings.Contains(mend, "raw") {
				t.Errorf("raised %q, to be mended by %q", raised, mend)
			}
		})
	}
}

func TestWebhooksThatAreAllRefusedRaiseAnAlarm(t *testing.T) {
	t.Parallel()
	d, hook := running(t)
	raised := func() bool {
		return slices.ContainsFunc(d.alarms.List(), func(a alarm.Alarm) bool { return a.Code == "webhooks_refused" })
	}
	body := []byte(`{"type":"product.updated","timestamp":"2026-10-01T12:00:00Z","data":{}}`)
	forge := func() {
		t.Helper()
		if status, _, err := send(t.Context(), hook, "whsec_"+strings.Repeat("AAAA", 12), "auto", uuid.NewString(), body); err != nil || status != http.StatusUnauthorized {
			t.Fatal(status, err)
		}
	}
	deliver(t, hook, uuid.NewString(), string(body))
	forge()
	if raised() {
		t.Error("stands though a good one has just come")
	}
	d, hook = running(t) // has not seen a good one yet
	forge()
	if !raised() {
		t.Error("does not stand though none is good")
	}
}

func TestWhatOpensACheckoutIsNotKept(t *testing.T) {
	t.Parallel()
	d, hook := running(t)
	deliver(t, hook, "msg_1", `{"type":"checkout.created","timestamp":"2026-10-01T12:00:00Z","data":{"client_secret":"polar_c_S3CRETS3CRET","customer_ip_address":"S3CRET"}}`)
	ev, err := d.ledger.Event(t.Context(), "msg_1")
	if err != nil || !bytes.Contains(ev.Body, []byte("client_secret")) || bytes.Contains(ev.Body, []byte("S3CRET")) {
		t.Errorf("kept %s, %v", ev.Body, err)
	}
}

func TestHeadersAreLookedAtBeforeTheBody(t *testing.T) {
	t.Parallel()
	at := &door{alarms: alarm.NewBoard(alarm.Options{Registerer: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler)})}
	now := func(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).Unix(), 10) }
	for _, tt := range []struct {
		name, id, stamp, signature string
		want                       int // 0: the body is waited for
	}{
		{"Fine", "msg_1", now(0), "v1,AAAA", 0},
		{"AlmostTooOld", "msg_1", now(-4 * time.Minute), "v1,AAAA", 0},
		{"TooOld", "msg_1", now(-6 * time.Minute), "v1,AAAA", 401},
		{"TooEarly", "msg_1", now(6 * time.Minute), "v1,AAAA", 401},
		{"EndOfTime", "msg_1", "9223372036854775807", "v1,AAAA", 401},
		{"BeforeTime", "msg_1", "-9223372036854775808", "v1,AAAA", 401},
		{"NoID", "", now(0), "v1,AAAA", 400},
		{"NoTime", "msg_1", "", "v1,AAAA", 400},
		{"NoNumber", "msg_1", "now", "v1,AAAA", 400},
		{"NoSignature", "msg_1", now(0), "", 400},
	} {
		h := http.Header{}
		for name, value := range map[string]string{"webhook-id": tt.id, "webhook-timestamp": tt.stamp, "webhook-signature": tt.signature} {
			if value != "" {
				h.Set(name, value)
			}
		}
		got := 0
		if refusal := admitPolar(5*time.Minute, at)(h); refusal != nil {
			got = refusal.Status
		}
		if got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestABodyWithoutItsHeadersIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	d, _ := running(t)
	conn, err := net.Dial("tcp", d.publicAddr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil { // it is cut after ten
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "POST /webhooks/polar HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
		t.Errorf("answered %q, %v", answer, err)
	}
}

func TestBothListenersSurviveAPanic(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	d := &daemon{log: slog.New(slog.NewTextHandler(&log, nil)), failed: make(chan error, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /boom/{what}", func(http.ResponseWriter, *http.Request) { panic("hunter2") })
	s, addr, err := d.serve("listen", "127.0.0.1:0", mux)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	resp, err := http.Get("http://" + addr.String() + "/boom/hunter2?q=hunter2")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusInternalServerError || !strings.Contains(log.String(), `route="GET /boom/{what}"`) || strings.Contains(log.String(), "hunter2") {
		t.Errorf("answered %s, logged %s", resp.Status, &log)
	}
}
