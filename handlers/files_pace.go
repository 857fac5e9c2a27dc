package handlers

import (
	"cmp"
	"errors"
	"time"
)

// pace cuts off a transfer that hardly moves: in each stretch of stall, paceBytes
// must pass. It stands in for the listener's limits, which are made for small bodies.
type pace struct {
	stall  time.Duration
	set    func(time.Time) error
	moved  int
	ending <-chan struct{}
}

const (
	paceBytes = 64 << 10

	// What a sender sends is read as it comes.
	readStall = 30 * time.Second

	// A write waits until the system, or a proxy, has passed on a good part of what
	// it holds: of the usual 4 MB a third. At 10 KB/s that takes over two minutes.
	writeStall = 5 * time.Minute
)

func (f *Files) pace(set func(time.Time) error, stall time.Duration) pace {
	return pace{stall: cmp.Or(f.Stall, stall), set: set, ending: f.ending()}
}

func (p *pace) begin() {
	p.moved = 0
	_ = p.set(time.Now().Add(p.stall)) // every connection of net/http's has deadlines
}

// move notes what has moved. Its error ends the transfer.
func (p *pace) move(n int) error {
	if p.moved += n; p.moved >= paceBytes {
		p.begin()
	}
	select {
	case <-p.ending:
		return errStopping
	default:
		return nil
	}
}

var (
	errStopping = errors.New("the daemon is stopping")
	errSlow     = errors.New("the client hardly takes anything")
)
