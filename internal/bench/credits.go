package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"fulfilld/polar"
)

const (
	spenders    = 100 // customers who consume
	creditToken = "the-token-of-the-bench-program-1"
	creditMeter = "d2982d76-8d8f-4cea-ab62-070a2485598e"
)

// creditSettings give everybody as many units as there can be, so that it is the
// hard stop that is measured.
var creditSettings = []string{
	`FULFILLD_TOKENS=[{name: bench, token: ` + creditToken + `, scopes: ["events:write", "customer_meters:read"]}]`,
	`FULFILLD_FULFILLERS_METER_CREDIT_METERS=[{id: ` + creditMeter + `, name: API calls, event: api_call}]`,
	`FULFILLD_BENEFITS=[{id: b37aeb01-e3d6-4361-8da9-e0f7409ebbbb, fulfill: [{kind: meter_credit, credits: 2147483647, meter_id: ` + creditMeter + `}]}]`,
}

// credits measures how many events a second are consumed, one and a hundred to a
// request, and then the same on a Postgres of our own, which syncs like SQLite does.
func (b *bench) credits(func(string) bool) error {
	for range b.settings.rounds {
		floor, err := b.startFloor()
		if err != nil {
			return err
		}
		err = floor.spend("credits", 0)
		floor.drop()
		if err != nil {
			return err
		}
		if err := b.spenders("credits", ""); err != nil {
			return err
		}
	}
	if postgresBin() == "" {
		fmt.Println("credits on Postgres are NOT measured: there is no initdb here, neither in PATH nor in /usr/lib/postgresql/*/bin")
		return nil
	}
	b.table.share("credits-pg", 0, "credits", 1)
	for range b.settings.rounds {
		if err := b.spendersOnPostgres(); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) spendersOnPostgres() error {
	url, stop, err := b.startPostgres()
	if err != nil {
		return err
	}
	defer stop()
	return b.spenders("credits-pg", url)
}

// spenders measures a daemon.
func (b *bench) spenders(part, database string) error {
	daemon, err := b.startDaemon(daemonOptions{database: database, environ: creditSettings})
	if err != nil {
		return err
	}
	if err = daemon.credit(); err == nil {
		err = daemon.spend(part, 1)
	}
	daemon.drop()
	if err != nil {
		return daemon.proc.failed(err)
	}
	return nil
}

func spender(n int) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, "spender", n)).String()
}

// credit gives every spender their units, by webhooks.
func (s *subject) credit() error {
	template, err := polar.Template("benefit_grant.created", "meter_credit")
	if err != nil {
		return err
	}
	for n := range spenders {
		body, err := polar.Personalise(template, polar.Personal{CustomerID: spender(n), GrantID: uuid.NewString(), At: time.Now()})
		if err != nil {
			return err
		}
		headers, err := polar.Sign(s.secret, "auto", uuid.NewString(), time.Now(), body)
		if err != nil {
			return err
		}
		if _, err := call(s.ctx, http.DefaultClient, http.MethodPost, "http://"+s.address+"/webhooks/polar", headers, body, http.StatusAccepted); err != nil {
			return err
		}
	}
	for {
		n, _, err := s.spent()
		if err != nil || n == spenders {
			return err
		}
		if err := s.pause(20 * time.Millisecond); err != nil {
			return err
		}
	}
}

// spend measures both sizes of requests, and what is in no balance.
func (s *subject) spend(part string, column int) error {
	sent := 0
	for _, size := range []struct {
		events         int
		rate, p99, cpu string
	}{{1, spendOne, spendOneP99, spendOneCPU}, {100, spendMany, spendManyP99, spendManyCPU}} {
		used := cpu(s.proc.cmd.Process.Pid)
		requests, took, waits, err := s.spends(size.events)
		if err != nil {
			return err
		}
		n := float64(requests * size.events)
		sent += requests * size.events
		s.table.add(part, column, size.rate, n/took.Seconds())
		s.table.add(part, column, size.p99, ms(percentile(waits, 99)))
		s.table.add(part, column, size.cpu, float64((cpu(s.proc.cmd.Process.Pid)-used).Microseconds())/n)
	}
	if column == 0 {
		return nil
	}
	_, consumed, err := s.spent()
	s.table.add(part, column, spendLost, float64(sent-consumed))
	return err
}

// spends has every connection send one request after another, for a while.
func (s *subject) spends(events int) (requests int, took time.Duration, waits []time.Duration, err error) {
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var wg sync.WaitGroup
	began := time.Now()
	for range connections {
		wg.Go(func() {
			var mine []time.Duration
			var failed error
			for failed == nil && time.Since(began) < s.short {
				body, sent := spending(events), time.Now()
				_, failed = call(s.ctx, client, http.MethodPost, "http://"+s.address+"/v1/events/ingest", bearing(), body, http.StatusOK)
				mine = append(mine, time.Since(sent))
			}
			mu.Lock()
			defer mu.Unlock()
			waits = append(waits, mine...)
			if failed != nil {
				err = failed
			}
		})
	}
	wg.Wait()
	took = time.Since(began)
	slices.Sort(waits)
	return len(waits), took, waits, err
}

// spending is a request of so many events, each of a customer of its own.
func spending(events int) []byte {
	var b bytes.Buffer
	first := int(time.Now().UnixNano() % spenders)
	for i := range events {
		fmt.Fprintf(&b, `,{"name":"api_call","customer_id":%q,"external_id":%q,"metadata":{"route":"/v1/things","status":200}}`, spender((first+i)%spenders), uuid.NewString())
	}
	return append(append([]byte(`{"events":[`), b.Bytes()[1:]...), "]}"...)
}

func bearing() http.Header { return http.Header{"Authorization": {"Bearer " + creditToken}} }

// spent is how many customers have a meter, and what they have consumed in all.
func (s *subject) spent() (customers, units int, err error) {
	text, err := call(s.ctx, http.DefaultClient, http.MethodGet, "http://"+s.address+"/v1/customer-meters/?limit=100", bearing(), nil, http.StatusOK)
	if err != nil {
		return 0, 0, err
	}
	var l struct {
		Items []struct {
			Consumed float64 `json:"consumed_units"`
		}
	}
	err = json.Unmarshal(text, &l)
	for _, m := range l.Items {
		units += int(m.Consumed)
	}
	return len(l.Items), units, err
}

// call sends a request, and returns the answer's body if it is as it should be.
func call(ctx context.Context, client *http.Client, method, url string, h http.Header, body []byte, want int) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = h
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != want {
		err = fmt.Errorf("%s: answered %d %.200s", url, resp.StatusCode, text)
	}
	return text, err
}
