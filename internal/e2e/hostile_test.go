//go:build unix

package e2e

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"fulfilld/polar"
)

func dial(t testing.TB, address string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// attempt is one request that a daemon is not meant to like.
type attempt struct {
	method string // POST when empty
	body   []byte
	secret string              // of the signature
	at     time.Duration       // from now
	spoil  func(h http.Header) // after signing
	want   int
}

func (a attempt) send(t testing.TB, d *daemon) {
	t.Helper()
	id := uuid.NewString()
	if a.secret == "" {
		a.secret = webhookSecret
	}
	headers, err := polar.Sign(a.secret, "auto", id, time.Now().Add(a.at), a.body)
	if err != nil {
		t.Fatal(err)
	}
	if a.spoil != nil {
		a.spoil(headers)
	}
	if a.method == "" {
		a.method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(t.Context(), a.method, d.hook(), bytes.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = headers
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != a.want {
		t.Errorf("answered %d %.200s, want %d", resp.StatusCode, text, a.want)
	}
	if len(text) > 300 || bytes.Contains(text, []byte("e2e")) {
		t.Errorf("the answer tells too much: %.500q", text)
	}
}

func padded(size int) []byte {
	body := buys(900).body
	return append(body, bytes.Repeat([]byte(" "), size-len(body))...)
}

func without(names ...string) func(http.Header) {
	return func(h http.Header) {
		for _, n := range names {
			h.Del(n)
		}
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	t.Parallel()
	d := started(t, "", "")
	good := buys(1).body
	for name, a := range map[string]attempt{
		"NotJSON":           {body: []byte("hello"), want: 400},
		"HalfAnObject":      {body: good[:len(good)/2], want: 400},
		"AnArray":           {body: []byte(`[1,2]`), want: 400},
		"NoType":            {body: []byte(`{"data":{}}`), want: 400},
		"TypeIsANumber":     {body: []byte(`{"type":5,"data":{}}`), want: 400},
		"TypeHasAQuote":     {body: []byte(`{"type":"a' OR 1=1 --","data":{}}`), want: 400},
		"Empty":             {body: nil, want: 400},
		"InvalidUTF8":       {body: bytes.Replace(good, []byte("A Customer"), []byte("A \xff\xfe"), 1), want: 400},
		"DeeplyNested":      {body: []byte(`{"type":"order.paid","data":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`), want: 400},
		"DeeplyNestedOpen":  {body: []byte(`{"type":"order.paid","data":` + strings.Repeat(`{"a":`, 100_000)), want: 400},
		"TooLarge":          {body: padded(1<<20 + 1), want: 413},
		"TenMinutesEarly":   {body: good, at: 10 * time.Minute, want: 401},
		"TenMinutesLate":    {body: good, at: -10 * time.Minute, want: 401},
		"AnotherSecret":     {body: good, secret: "whsec_YW5vdGhlci1zZWNyZXQtYW5vdGhlci1zZWNyZXQ=", want: 401},
		"AnotherBody":       {body: good, spoil: func(h http.Header) { h.Set("webhook-signature", "v1,AAAA") }, want: 401},
		"AnotherId":         {body: good, spoil: func(h http.Header) { h.Set("webhook-id", uuid.NewString()) }, want: 401},
		"IdWithSQL":         {body: good, spoil: func(h http.Header) { h.Set("webhook-id", "1'; DROP TABLE events; --") }, want: 400},
		"IdWithAPath":       {body: good, spoil: func(h http.Header) { h.Set("webhook-id", "../../etc/passwd") }, want: 400},
		"IdTooLong":         {body: good, spoil: func(h http.Header) { h.Set("webhook-id", strings.Repeat("a", 256)) }, want: 400},
		"TwoIds":            {body: good, spoil: func(h http.Header) { h.Add("webhook-id", "another") }, want: 400},
		"TimestampIsNoTime": {body: good, spoil: func(h http.Header) { h.Set("webhook-timestamp", "1e9") }, want: 400},
		"TimestampTooLong":  {body: good, spoil: func(h http.Header) { h.Set("webhook-timestamp", strings.Repeat("9", 400)) }, want: 400},
		"NoSignature":       {body: good, spoil: without("webhook-signature"), want: 400},
		"NoTimestamp":       {body: good, spoil: without("webhook-timestamp"), want: 400},
		"NoId":              {body: good, spoil: without("webhook-id"), want: 400},
		"NoHeaders":         {body: good, spoil: without("webhook-id", "webhook-timestamp", "webhook-signature"), want: 400},
		"GET":               {method: http.MethodGet, want: 405},
		"PUT":               {method: http.MethodPut, body: good, want: 405},
		"DELETE":            {method: http.MethodDelete, want: 405},
	} {
		t.Run(name, func(t *testing.T) { a.send(t, d) })
	}
	db := openLedger(t, "sqlite://"+filepath.Join(d.dir, "fulfilld.db"))
	for _, table := range []string{"events", "bodies", "grants", "customers", "license_keys"} {
		none(t, db, "stored in "+table, "SELECT count(*) FROM "+table)
	}
}

func TestOneMebibyteIsAccepted(t *testing.T) {
	t.Parallel()
	d := started(t, "", "")
	attempt{body: padded(1 << 20), want: 202}.send(t, d)
	d.issued(900, patience)
}

// wrong are the JSON values that a field may not expect.
var wrong = map[string]string{
	"null": `null`, "true": `true`, "zero": `0`, "negative": `-1`, "fraction": `1.5`, "1e999": `1e999`,
	"digits": strings.Repeat("9", 400), "empty": `""`, "text": `"text"`, "sql": `"'; DROP TABLE grants; --"`,
	"path": `"../../../etc/passwd"`, "nul": `"a\u0000b"`, "surrogate": `"\ud800"`,
	"UUID": `"2017D130-6FBE-4BC3-8B4E-54D58BE046B0"`, "uuid": `"2017d130-6fbe-4bc3-8b4e-54d58be046b0"`,
	"array": `[]`, "list": `[1,"a",null]`, "object": `{}`, "nested": `{"id":{"id":[]}}`,
	"deep": strings.Repeat(`[`, 5000) + strings.Repeat(`]`, 5000),
	"long": `"` + strings.Repeat("x", 20_000) + `"`,
}

// Every field of a grant's event, with everything that can be wrong with it: the
// event is taken in, and then applied or kept as failed. Nothing crashes, nothing
// stays behind, and what does not look like an id becomes none.
func TestWrongTypesInEveryField(t *testing.T) {
	t.Parallel()
	d := started(t, "", "")
	p := newPlatform(d)
	var bad []webhook
	for _, at := range fields(t, buys(0).body) {
		for _, name := range slices.Sorted(maps.Keys(wrong)) {
			// A grant of its own each, so that its neighbours tell nothing of it.
			body := replace(t, buys(1000+len(bad)).body, at, wrong[name])
			if at[0] == "type" { // refused at the door; see TestBadRequestsAreRefused
				continue
			}
			bad = append(bad, webhook{uuid.NewString(), body})
		}
	}
	bad = append(bad,
		webhook{uuid.NewString(), []byte(`{"type":"benefit_grant.created"}`)},
		webhook{uuid.NewString(), []byte(`{"type":"benefit_grant.created","data":{}}`)},
		webhook{uuid.NewString(), []byte(`{"type":"nobody.knows","data":{"id":"'; DROP TABLE grants; --"}}`)})
	<-p.deliverAll(t, 16, bad)
	good := buys(1) // behind them; by now its own benefit may have been "deleted"
	good.body = bytes.ReplaceAll(good.body, []byte(number("benefit", 1)), []byte(number("benefit", 99)))
	p.send(t, good)
	d.issued(1, patience)

	db := openLedger(t, "sqlite://"+filepath.Join(d.dir, "fulfilld.db"))
	looked(t, db)
	states := map[string]int{}
	events, err := pairs(db, `SELECT webhook_id, state FROM events`)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range bad {
		states[events[w.id]]++
	}
	t.Logf("%d events: %v", len(bad), states)
	if states["applied"] == 0 || states["failed"] == 0 || states["applied"]+states["failed"]+states["ignored"] != len(bad) {
		t.Errorf("%v", states)
	}
	whole(t, db)
	for _, column := range []string{"grants.id", "grants.benefit_id", "grants.customer_id", "customers.id", "benefits.id", "license_keys.customer_id"} {
		table, name, _ := strings.Cut(column, ".")
		none(t, db, "ids that are none in "+column, fmt.Sprintf(`SELECT count(*) FROM %s WHERE %s NOT GLOB '[0-9a-f]*-*-*-*-*' OR length(%[2]s) <> 36`, table, name))
	}
	none(t, db, "failed events without a reason", `SELECT count(*) FROM events WHERE state = 'failed' AND error = ''`)
	if _, err := all[eventItem](d, "/v1/events/"); err != nil {
		t.Error(err)
	}
	if _, err := all[grantItem](d, "/v1/benefit-grants/"); err != nil {
		t.Error(err)
	}
	if status, body := d.ready(); status != http.StatusOK {
		t.Errorf("/readyz: %d %s", status, body)
	}
}

// looked waits until every event has been looked at and every grant tried.
func looked(t testing.TB, db *sql.DB) {
	t.Helper()
	within(t, patience, "everything tried", func() error {
		events, err := one(db, `SELECT count(*) FROM events WHERE state = 'accepted'`)
		if err != nil {
			return err
		}
		work, err := one(db, `SELECT count(*) FROM fulfilments WHERE due_at > 0 AND attempts = 0`)
		if err == nil && events+work > 0 {
			err = fmt.Errorf("%d events are not applied, %d fulfilments not tried", events, work)
		}
		return err
	})
}

// fields are the paths of every value in a body.
func fields(t testing.TB, body []byte) (paths [][]string) {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	var walk func(at []string, v any)
	walk = func(at []string, v any) {
		if len(at) > 0 {
			paths = append(paths, at)
		}
		if m, ok := v.(map[string]any); ok {
			for _, k := range slices.Sorted(maps.Keys(m)) {
				walk(append(slices.Clone(at), k), m[k])
			}
		}
	}
	walk(nil, v)
	return paths
}

// replace puts a value in place of another, as it is.
func replace(t testing.TB, body []byte, at []string, value string) []byte {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	m := v
	for _, k := range at[:len(at)-1] {
		m = m[k].(map[string]any)
	}
	const mark = "here-it-goes"
	m[at[len(at)-1]] = mark
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Replace(text, []byte(`"`+mark+`"`), []byte(value), 1)
}

// unfinished opens a delivery whose headers are in order and whose body is only
// begun.
func unfinished(t testing.TB, d *daemon) net.Conn {
	t.Helper()
	conn := dial(t, d.public)
	fmt.Fprintf(conn, "POST /webhooks/polar HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000\r\n"+
		"webhook-id: %s\r\nwebhook-timestamp: %d\r\nwebhook-signature: v1,AAAA\r\n\r\n{", d.public, uuid.NewString(), time.Now().Unix())
	return conn
}

// announce sends the head of a delivery whose body is not there yet.
func announce(conn net.Conn, d *daemon) {
	fmt.Fprintf(conn, "POST /webhooks/polar HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000\r\n"+
		"Webhook-Id: announced\r\nWebhook-Signature: v1,none\r\nWebhook-Timestamp: %d\r\n\r\n{", d.public, time.Now().Unix())
}

// A sender that dribbles is cut off and holds nobody up.
func TestSlowSenderIsCut(t *testing.T) {
	t.Parallel()
	d := started(t, "", "")
	began := time.Now()
	conn := unfinished(t, d)
	cut := make(chan time.Duration, 1)
	go func() {
		_, _ = io.Copy(io.Discard, conn)
		cut <- time.Since(began)
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case took := <-cut:
			if took < 8*time.Second || took > 25*time.Second {
				t.Errorf("cut after %v", took)
			}
			return
		case <-tick.C:
			_, _ = conn.Write([]byte("x"))
			if time.Since(began) > 30*time.Second {
				t.Fatal("never cut")
			}
		}
	}
}

// Senders that have proven nothing, and send nothing, keep nobody out.
func TestSlowSendersKeepNobodyOut(t *testing.T) {
	t.Parallel()
	d := started(t, "", "")
	for range 1000 {
		unfinished(t, d)
	}
	attempt{body: buys(1).body, want: 202}.send(t, d)
	d.issued(1, patience)
}
