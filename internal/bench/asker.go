package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// asker is one connection that asks about license keys.
type asker struct {
	conn       net.Conn
	in         *bufio.Reader
	head, tail string
	out        []byte
	waits      []time.Duration
}

func (s *licenseShop) asker(address string) (*asker, error) {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &asker{
		conn: conn, in: bufio.NewReader(conn),
		head: "POST /v1/license-keys/validate HTTP/1.1\r\nHost: " + address + "\r\nAuthorization: Bearer " + licenseToken +
			"\r\nContent-Type: application/json\r\nContent-Length: ",
		tail: `","organization_id":"` + s.organization + `"}`,
	}, nil
}

// ask sends one request and returns its answer, which must be good.
func (a *asker) ask(key string) ([]byte, error) {
	const begin = `{"key":"`
	a.out = append(a.out[:0], a.head...)
	a.out = strconv.AppendInt(a.out, int64(len(begin)+len(key)+len(a.tail)), 10)
	a.out = append(append(append(append(a.out, "\r\n\r\n"...), begin...), key...), a.tail...)
	if _, err := a.conn.Write(a.out); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(a.in, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("answered %d %.200q", resp.StatusCode, text)
	}
	return text, err
}

// asking is how many connections validate keys: they keep two cores busy, and more
// would only wait for each other.
const asking = 8

// storm asks about random keys over several connections, as fast as answers come, and
// returns how long each took, sorted.
func (s *licenseShop) storm(ctx context.Context, address string, d time.Duration) (waits []time.Duration, err error) {
	askers, errs := make([]*asker, asking), make([]error, asking)
	for i := range askers {
		if askers[i], err = s.asker(address); err != nil {
			return nil, err
		}
		defer askers[i].conn.Close()
		defer context.AfterFunc(ctx, func() { _ = askers[i].conn.SetDeadline(time.Now()) })()
	}
	var wg sync.WaitGroup
	end := time.Now().Add(d)
	for i, a := range askers {
		wg.Go(func() { errs[i] = a.until(end, s.keys) })
	}
	wg.Wait()
	for _, a := range askers {
		waits = append(waits, a.waits...)
	}
	slices.Sort(waits)
	return waits, errors.Join(errs...)
}

func (a *asker) until(end time.Time, keys []string) error {
	_ = a.conn.SetDeadline(end.Add(30 * time.Second))
	for now := time.Now(); now.Before(end); now = time.Now() {
		if _, err := a.ask(keys[rand.IntN(len(keys))]); err != nil {
			return err
		}
		a.waits = append(a.waits, time.Since(now))
	}
	return nil
}
