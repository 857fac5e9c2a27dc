package ledger

import (
	"errors"
	"fmt"
	"time"
)

const (
	maxBatch  = 512                   // writes combined into one commit
	maxWait   = 3 * time.Millisecond  // how long a write of intake waits for others
	maxOpen   = 25 * time.Millisecond // how long a transaction takes on work
	crowd     = 8                     // callers of intake that make it busy
	busyFor   = 10 * time.Millisecond // how long it counts as busy after that
	workShare = 10                    // while it is, work gets one part in ten of the time
	maxCredit = 5 * time.Millisecond  // what work may save up
)

var errUnsure = errors.New("ledger: the commit before could not be made durable")

// writer is one connection and the commits that go through it. While one commit
// is made durable, the next is being filled.
type writer struct {
	*writers
	tx *tx

	until   time.Time     // the transaction under way takes on writes
	busy    time.Time     // intake is busy until then
	credit  time.Duration // what work may use while it is
	counted time.Time     // when credit was last counted
	last    bool          // no more writes will come
	syncing chan error    // the last commit's sync, while it is under way
	unsure  bool          // a sync has failed: what lies in the log may not be on the disk
}

func (w *writer) loop() {
	defer w.tx.close()
	for j := w.first(); j != nil; j = w.first() {
		w.batch(j)
	}
	_ = w.synced() // its callers have been told
}

// first waits for a write; nil when all were taken and no more will come.
func (w *writer) first() *job {
	for {
		if j := w.ready(); j != nil {
			return j
		}
		lane, tick := w.work()
		select {
		case j := <-w.lanes[intake]:
			return j
		case j := <-lane:
			return j
		case <-tick:
		case <-w.closing:
			w.last = true
			return w.ready()
		}
	}
}

// ready takes a write that waits. Intake goes first, except before what work may
// do beside it.
func (w *writer) ready() *job {
	lanes := [2]chan *job{w.lanes[intake]}
	switch w.count() {
	case free:
		lanes[1] = w.lanes[work]
	case its:
		lanes[0], lanes[1] = w.lanes[work], w.lanes[intake]
	}
	for _, l := range lanes {
		select {
		case j := <-l:
			return j
		default:
		}
	}
	return nil
}

// turn says what work may do.
type turn int

const (
	free turn = iota // whatever intake leaves
	its              // its share, while intake is busy
	none             // it has had its share
)

// count finds out whose turn it is.
func (w *writer) count() turn {
	now := time.Now()
	w.credit = min(w.credit+now.Sub(w.counted)/workShare, maxCredit)
	w.counted = now
	if w.waiting.Load() >= crowd {
		w.busy = now.Add(busyFor)
	}
	switch {
	case w.last || now.After(w.busy):
		return free
	case w.credit > 0:
		return its
	}
	return none
}

// work is the lane to wait at, or when to look again whose turn it is.
func (w *writer) work() (lane chan *job, again <-chan time.Time) {
	if w.count() == none {
		return nil, time.After(time.Millisecond)
	}
	return w.lanes[work], nil
}

// next is another write for the transaction; nil when it is to be committed.
func (w *writer) next(had int) *job {
	if had >= maxBatch || w.syncing == nil && time.Now().After(w.until) {
		return nil
	}
	if j := w.ready(); j != nil || w.syncing == nil {
		return j
	}
	lane, _ := w.work()
	select { // there is time until the last commit is durable
	case j := <-w.lanes[intake]:
		return j
	case j := <-lane:
		return j
	case err := <-w.syncing:
		w.ended(err)
		return w.ready()
	}
}

// run runs a write and charges work for its time.
func (w *writer) run(j *job) error {
	began := time.Now()
	w.tx.spoilt, w.tx.owed = nil, ""
	err := j.run(w.tx)
	if j.lane == work {
		w.credit = max(w.credit-time.Since(began), -maxCredit)
	}
	return err
}

// batch commits a write and what comes meanwhile. When that fails, each write
// gets a transaction of its own, so that one bad write never fails its
// neighbours; where none can be begun, that would only take longer.
func (w *writer) batch(j *job) {
	began := time.Now()
	jobs, err := w.together(j)
	if errors.Is(err, errBegin) { // nor can it be for those who wait: one wait for all
		jobs = append(jobs, w.drain()...)
	}
	if err == nil || errors.Is(err, errBegin) || len(jobs) == 1 && !errors.Is(err, errUnsure) {
		w.answer(jobs, began, err)
		return
	}
	w.onCommit(len(jobs), time.Since(began), err)
	for i, j := range jobs {
		began := time.Now()
		err := w.transact(func() error { return errors.Join(w.run(j), w.synced()) })
		if errors.Is(err, errBegin) {
			w.answer(jobs[i:], began, err)
			return
		}
		w.answer(jobs[i:i+1], began, err)
	}
}

func (w *writer) together(j *job) (jobs []*job, err error) {
	jobs = append(jobs, j)
	err = w.transact(func() error {
		w.until = time.Now().Add(maxOpen)
		for {
			if soon := time.Now().Add(maxWait); j.lane == intake && soon.Before(w.until) {
				w.until = soon
			}
			if err := w.run(j); err != nil {
				return err
			}
			if j = w.next(len(jobs)); j == nil {
				return w.synced()
			}
			jobs = append(jobs, j)
		}
	})
	return jobs, err
}

func (w *writer) transact(fn func() error) error {
	if err := w.mend(); err != nil {
		return fmt.Errorf("%w: %w", errBegin, err)
	}
	return w.tx.transact(fn)
}

// drain takes all that waits.
func (w *writer) drain() (all []*job) {
	for _, lane := range w.lanes {
		for range len(lane) {
			select {
			case j := <-lane:
				all = append(all, j)
			default:
			}
		}
	}
	return all
}

// answer tells the callers how it went, once what was committed is durable.
func (w *writer) answer(jobs []*job, began time.Time, err error) {
	if err != nil || w.log == nil {
		w.tell(jobs, began, err)
		return
	}
	syncing := make(chan error, 1)
	w.syncing = syncing
	go func() {
		err := w.log.sync(len(jobs))
		w.tell(jobs, began, err)
		syncing <- err
	}()
}

func (w *writers) tell(jobs []*job, began time.Time, err error) {
	w.onCommit(len(jobs), time.Since(began), err)
	for _, j := range jobs {
		j.finish(err)
	}
}

// synced waits until all that was committed is durable.
func (w *writer) synced() error {
	if w.syncing != nil {
		w.ended(<-w.syncing)
	}
	if w.unsure {
		return errUnsure
	}
	return nil
}

func (w *writer) ended(err error) {
	w.syncing = nil
	w.unsure = w.unsure || err != nil
}

// mend has a long log begin afresh. And it makes sure of what a failed sync has
// left in doubt: that goes into the database file, which is synced. Until then
// nothing more is written.
func (w *writer) mend() error {
	if w.log == nil {
		return nil
	}
	if w.log.crowded.Swap(false) {
		w.tx.restartLog()
	}
	if !w.unsure {
		return nil
	}
	err := w.tx.checkpoint("FULL")
	w.unsure = err != nil
	return err
}
