package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// connections is how many the load comes over.
const connections = 32

// sent is what came of a load.
type sent struct {
	events  int
	refused int             // answers other than 202
	waits   []time.Duration // until each acknowledgement, sorted
	began   time.Time       // the first send
	took    time.Duration   // until the last acknowledgement
}

// load is many connections to one address.
type load struct {
	ctx     context.Context
	address string
	key     []byte
}

// sender is one connection and what it has seen.
type sender struct {
	conn  net.Conn
	req   *request
	in    [4096]byte
	waits []time.Duration
	bad   int
}

func (l load) sender() (*sender, error) {
	req, err := newRequest(l.key, l.address)
	if err != nil {
		return nil, err
	}
	conn, err := net.DialTimeout("tcp", l.address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &sender{conn: conn, req: req, waits: make([]time.Duration, 0, 1<<16)}, nil
}

// send sends one more event, made now, and waits for its answer.
func (s *sender) send(now time.Time) error {
	if _, err := s.conn.Write(s.req.renew(now)); err != nil {
		return err
	}
	n := 0
	for !bytes.HasSuffix(s.in[:n], []byte("\r\n\r\n")) { // a 202 has no body
		if n > 12 && !bytes.HasPrefix(s.in[:n], []byte("HTTP/1.1 202")) {
			s.bad++
			return fmt.Errorf("answered %q", s.in[:min(n, 200)])
		}
		more, err := s.conn.Read(s.in[n:])
		if err != nil {
			return err
		}
		n += more
	}
	s.waits = append(s.waits, time.Since(now))
	return nil
}

// burst sends as fast as answers come, for a while.
func (l load) burst(d time.Duration) (sent, error) {
	end := time.Now().Add(d)
	return l.run(d, func(s *sender) error {
		for now := time.Now(); now.Before(end); now = time.Now() {
			if err := s.send(now); err != nil {
				return err
			}
		}
		return nil
	})
}

// steady sends at a rate, whether or not answers come.
func (l load) steady(rate int, d time.Duration) (sent, error) {
	due := make(chan time.Time, rate*int(d/time.Second+1))
	go func() {
		defer close(due)
		gap := time.Second / time.Duration(rate)
		for began, n := time.Now(), 0; time.Duration(n)*gap < d && l.ctx.Err() == nil; n++ {
			time.Sleep(time.Until(began.Add(time.Duration(n) * gap)))
			due <- time.Now()
		}
	}()
	return l.run(d, func(s *sender) error {
		for at := range due {
			if err := s.send(at); err != nil {
				return err
			}
		}
		return nil
	})
}

// run has every connection do its part.
func (l load) run(d time.Duration, part func(*sender) error) (sent, error) {
	senders := make([]*sender, connections)
	for i := range senders {
		s, err := l.sender()
		if err != nil {
			return sent{}, err
		}
		defer s.conn.Close()
		_ = s.conn.SetDeadline(time.Now().Add(d + 30*time.Second))
		defer context.AfterFunc(l.ctx, func() { _ = s.conn.SetDeadline(time.Now()) })()
		senders[i] = s
	}
	errs := make([]error, connections)
	var wg sync.WaitGroup
	got := sent{began: time.Now()}
	for i, s := range senders {
		wg.Go(func() { errs[i] = part(s) })
	}
	wg.Wait()
	got.took = time.Since(got.began)
	for _, s := range senders {
		got.waits = append(got.waits, s.waits...)
		got.refused += s.bad
	}
	got.events = len(got.waits)
	slices.Sort(got.waits)
	return got, errors.Join(errs...)
}
