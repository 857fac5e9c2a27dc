package handlers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestTooManyAtOnce(t *testing.T) {
	g := newGate()
	var inside sync.WaitGroup
	inside.Add(maxInFlight)
	leave := make(chan struct{})
	g.store.accept = func(context.Context) error { inside.Done(); <-leave; return nil }
	var all sync.WaitGroup
	for i := range maxInFlight {
		all.Go(func() {
			if got := g.answer(deliver(fmt.Sprint(i), paid)); got.StatusCode != 202 {
				t.Errorf("%d: %s", i, got.Status)
			}
		})
	}
	inside.Wait()
	comeBack(t, g.answer(deliver("late", paid)))
	if n := g.counted(t)["busy/other"]; n != 1 {
		t.Errorf("busy %v times", n)
	}
	close(leave)
	all.Wait()
	g.store.accept = nil
	if got := g.answer(deliver("late", paid)); got.StatusCode != 202 {
		t.Errorf("when there is room again: %s", got.Status)
	}
}

// stuck is a body whose first bytes are there and whose rest never comes.
type stuck struct {
	first   io.Reader
	waiting func()
	cut     chan struct{}
}

func (s stuck) Read(p []byte) (int, error) {
	if n, _ := s.first.Read(p); n > 0 {
		return n, nil
	}
	s.waiting()
	<-s.cut
	return 0, os.ErrDeadlineExceeded
}

// stall has n senders send size bytes of a body each, and no more until they
// are cut.
func (g *gate) stall(t *testing.T, n, size int) (cut func()) {
	t.Helper()
	var waiting, all sync.WaitGroup
	waiting.Add(n)
	end := make(chan struct{})
	for range n {
		r := deliver("", "")
		r.ContentLength = -1
		r.Body = io.NopCloser(stuck{strings.NewReader(strings.Repeat(" ", size)), waiting.Done, end})
		all.Go(func() {
			if got := g.answer(r); got.StatusCode != http.StatusRequestTimeout {
				t.Errorf("a sender that was cut: %s", got.Status)
			}
		})
	}
	waiting.Wait()
	cut = sync.OnceFunc(func() { close(end); all.Wait() })
	t.Cleanup(cut)
	return cut
}

func TestSlowSendersKeepNobodyOut(t *testing.T) {
	g := newGate()
	g.stall(t, 2*maxInFlight, 1)
	if got := g.answer(deliver("prompt", paid)); got.StatusCode != 202 {
		t.Errorf("beside slow senders: %s", got.Status)
	}
}

func TestBodiesOnTheirWayInAreCounted(t *testing.T) {
	for _, c := range []struct {
		name        string
		among, size int
		refused     string
	}{
		{"Small", maxReading, 1, paid},
		{"Large", maxLarge, smallBody, paid + strings.Repeat(" ", smallBody)},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGate()
			cut := g.stall(t, c.among, c.size)
			comeBack(t, g.answer(deliver("late", c.refused)))
			if n := g.counted(t)["busy/other"]; n != 1 {
				t.Errorf("busy %v times", n)
			}
			cut()
			if got := g.answer(deliver("late", c.refused)); got.StatusCode != 202 {
				t.Errorf("when there is room again: %s", got.Status)
			}
		})
	}
}

func TestAnAnnouncementAloneTakesNoRoom(t *testing.T) {
	g := newGate()
	r := deliver("1", paid)
	r.ContentLength = maxBody
	room := 0
	r.Body = io.NopCloser(asked{r.Body, &room})
	if got := g.answer(r); got.StatusCode != 202 {
		t.Fatal(got.Status)
	}
	if room > firstRoom+512 {
		t.Errorf("room for %d bytes before the first of them", room)
	}
}

// asked notes how much its first read had room for.
type asked struct {
	io.Reader
	room *int
}

func (a asked) Read(p []byte) (int, error) {
	if *a.room == 0 {
		*a.room = len(p)
	}
	return a.Reader.Read(p)
}

func TestARefusalByTheHeadersWaitsForNoBody(t *testing.T) {
	g := newGate()
	conn, err := net.Dial("tcp", g.serve(t, time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "POST /webhooks/test HTTP/1.1\r\nHost: x\r\nstale: yes\r\nContent-Length: 1000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 401 ") || err != nil {
		t.Errorf("answered %q, %v", answer, err)
	}
}

// serve runs the receiver behind a real connection.
func (g *gate) serve(t *testing.T, readTimeout time.Duration) (addr string) {
	t.Helper()
	s := httptest.NewUnstartedServer(g)
	s.Config.ReadTimeout = readTimeout
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestSenderThatDribblesIsCut(t *testing.T) {
	g := newGate()
	conn, err := net.Dial("tcp", g.serve(t, 300*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "POST /webhooks/test HTTP/1.1\r\nHost: x\r\nsignature: good\r\nContent-Length: 1000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if _, err := conn.Write([]byte(" ")); err != nil {
					return
				}
			case <-stop:
				return
			}
		}
	}()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
		t.Fatal("the connection is still open")
	}
	if !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") || g.store.holds() != 0 {
		t.Errorf("answered %q, %v", answer, err)
	}
	if n := g.counted(t)["timeout/other"]; n != 1 {
		t.Errorf("counted %v", g.counted(t))
	}
}
