// Package memredis runs a Redis inside the process: loopback only, behind a
// random password, in memory. It serves where whatever it holds can be
// recovered from elsewhere.
package memredis

import (
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

const tick = 100 * time.Millisecond

// Server is a running in-process Redis.
type Server struct {
	mini *miniredis.Miniredis
	url  string
	stop chan struct{}
	done chan struct{}
	once sync.Once
}

// Start listens on a free loopback port.
func Start() (*Server, error) {
	s := &Server{mini: miniredis.NewMiniRedis(), stop: make(chan struct{}), done: make(chan struct{})}
	password := rand.Text()
	s.mini.RequireAuth(password)
	if err := s.mini.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("in-process redis: %w", err)
	}
	s.url = fmt.Sprintf("redis://:%s@%s/0", password, s.mini.Addr())
	go s.clock()
	return s, nil
}

// URL is the server's address, with its password: a secret.
func (s *Server) URL() string { return s.url }

// Close stops the server; what it held is gone. Closing twice is fine.
func (s *Server) Close() {
	s.once.Do(func() {
		close(s.stop)
		<-s.done
		s.mini.Close()
	})
}

// clock moves the server's time, which stands still by itself: without it no
// key would ever expire.
func (s *Server) clock() {
	defer close(s.done)
	t := time.NewTicker(tick)
	defer t.Stop()
	last := time.Now()
	for {
		select {
		case now := <-t.C:
			s.mini.FastForward(now.Sub(last))
			last = now
		case <-s.stop:
			return
		}
	}
}
