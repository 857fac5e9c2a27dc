package ledger

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	tallyFor = time.Second // how long a validation is only in memory
	atOnce   = 500         // keys in one write: some milliseconds' worth
)

// counted is what was counted of a key.
type counted struct {
	validations int64
	last        time.Time
}

func (c counted) plus(o counted) counted {
	if o.last.After(c.last) {
		c.last = o.last
	}
	c.validations += o.validations
	return c
}

// tally counts validations in memory, and writes them together: a validation
// reads, and must not wait for the writer. A process that dies loses at most
// tallyFor of them.
type tally struct {
	write func(ids []string, counts map[string]counted) error
	turns sync.Mutex // writes are one after another

	mu      sync.Mutex
	waiting map[string]counted // by key id
	writing map[string]counted
	timer   *time.Timer // nil while nothing waits: an idle ledger stays idle
	stopped bool
}

func newTally(write func([]string, map[string]counted) error) *tally {
	return &tally{write: write, waiting: map[string]counted{}}
}

// add counts a validation, and returns how many of the key are not written yet.
func (t *tally) add(id string, at time.Time) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting[id] = t.waiting[id].plus(counted{1, at})
	t.arm()
	return t.waiting[id].validations + t.writing[id].validations
}

// arm has what waits written in a while. The lock is held.
func (t *tally) arm() {
	if t.timer == nil && !t.stopped && len(t.waiting) > 0 {
		t.timer = time.AfterFunc(tallyFor, func() { _ = t.flush() }) // what fails is tried again; the ledger's own alarm tells of it
	}
}

// flush writes what waits, in portions between other commits.
func (t *tally) flush() (err error) {
	t.turns.Lock()
	defer t.turns.Unlock()
	t.mu.Lock()
	t.waiting, t.writing = map[string]counted{}, t.waiting
	all := t.writing
	t.mu.Unlock()
	// Everybody takes them in one order, so that no two daemons wait for each other.
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(all)), atOnce) {
		failed := t.write(ids, all)
		t.wrote(ids, failed != nil)
		err = errors.Join(err, failed)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer = nil
	t.arm()
	return err
}

// wrote forgets what is written, or has it wait once more.
func (t *tally) wrote(ids []string, again bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range ids {
		if again {
			t.waiting[id] = t.waiting[id].plus(t.writing[id])
		}
		delete(t.writing, id)
	}
}

// stop writes what is left.
func (t *tally) stop() error {
	t.mu.Lock()
	t.stopped = true
	if t.timer != nil {
		t.timer.Stop()
	}
	t.mu.Unlock()
	return t.flush()
}
