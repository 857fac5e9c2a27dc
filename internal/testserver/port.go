//go:build unix

package testserver

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// Ports are drawn from below those that systems give to outgoing connections,
// which could otherwise take the port of a server that is stopped for a while.
// So is a Redis cluster's second port, which is 10000 above its first.
const (
	lowestPort  = 11000
	highestPort = 20000
	busOffset   = 10000
	lowestFree  = 30000 // of those for the tests' own servers
	highestFree = 32700
)

// drawn are the ports that this process has given away: none is given to two, for
// a server may be stopped for a while, or not have begun to listen.
var drawn sync.Map

// draw returns a loopback port that nothing listens on, nor on those so far above
// it. Another process may take it before the server does.
func draw(lowest, highest int, offsets ...int) (int, error) {
	err := fmt.Errorf("all from %d to %d are given away", lowest, highest)
	for range 100 {
		port := lowest + rand.IntN(highest-lowest)
		if _, taken := drawn.LoadOrStore(port, true); taken {
			continue
		}
		if err = probe(port, offsets...); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port: %w", err)
}

// freePort is for a server that is tried again on another port.
func freePort() (int, error) { return draw(lowestPort, highestPort, 0, busOffset) }

// FreeAddress returns a loopback address that nothing listens on, and that a
// server which is started again finds free again.
func FreeAddress(t testing.TB) string {
	t.Helper()
	port, err := draw(lowestFree, highestFree, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { drawn.Delete(port) })
	return loopback(port)
}

func probe(port int, offsets ...int) error {
	for _, offset := range offsets {
		l, err := net.Listen("tcp", loopback(port+offset))
		if err != nil {
			return err
		}
		_ = l.Close()
	}
	return nil
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
