package downloadables

import (
	"context"
	"slices"
	"sync"

	"fulfilld/grant"
)

// memory is a Store that can break. It has every file whose id is in here.
type memory struct {
	mu    sync.Mutex
	here  []string
	given map[string][]string // by fulfilment
	most  *int64
	fault func(ctx context.Context) error
}

func newMemory(here ...string) *memory { return &memory{here: here, given: map[string][]string{}} }

func (m *memory) GiveFiles(ctx context.Context, id string, files []string, most *int64, _ int64) (here []grant.File, missing []string, err error) {
	if err := m.enter(ctx); err != nil {
		return nil, nil, err
	}
	defer m.mu.Unlock()
	m.given[id], m.most = slices.Clone(files), most
	for _, f := range files {
		if slices.Contains(m.here, f) {
			here = append(here, grant.File{ID: f, Name: "file " + f[:1]})
		} else {
			missing = append(missing, f)
		}
	}
	return here, missing, nil
}

func (m *memory) TakeFiles(ctx context.Context, id string, _ int64) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	delete(m.given, id)
	return nil
}

// enter returns with the lock held, or with an error.
func (m *memory) enter(ctx context.Context) error {
	m.mu.Lock()
	fault := m.fault
	if err := ctx.Err(); err != nil || fault != nil {
		m.mu.Unlock()
		if err == nil {
			err = fault(ctx)
		}
		return err
	}
	return nil
}

func (m *memory) breakWith(fault func(context.Context) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = fault
}

// times is how many times a fulfilment gives a file.
func (m *memory) times(id, file string) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.given[id] {
		if f == file {
			n++
		}
	}
	return n
}
