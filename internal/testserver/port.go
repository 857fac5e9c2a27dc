//go:build unix

package testserver

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports are drawn from below those that systems give to outgoing connections,
// which could otherwise take the port of a server that is stopped for a while.
// So is a Redis cluster's second port, which is 10000 above its first.
const (
	lowestPort  = 11000
	highestPort = 22000
	busOffset   = 10000
)

// freePort returns a loopback port that nothing listens on, nor on its bus port.
// Another may take it before the server does; callers try again.
func freePort() (int, error) {
	var err error
	for range 100 {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		if err = probe(port); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port: %w", err)
}

func probe(port int) error {
	for _, p := range []int{port, port + busOffset} {
		l, err := net.Listen("tcp", loopback(p))
		if err != nil {
			return err
		}
		_ = l.Close()
	}
	return nil
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
