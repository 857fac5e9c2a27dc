package licensekeys

import (
	"context"
	"fmt"
	"sync"

	"fulfilld/grant"
)

// memory is a Store that can break.
type memory struct {
	mu    sync.Mutex
	rows  map[string]grant.LicenseKey // by fulfilment
	asked []string                    // every key that was ever offered
	calls int
	fault func(ctx context.Context, key string) error
}

func newMemory() *memory { return &memory{rows: map[string]grant.LicenseKey{}} }

func (m *memory) IssueLicenseKey(ctx context.Context, want grant.LicenseKey, _ int64) (grant.LicenseKey, error) {
	if err := m.enter(ctx, want.Key); err != nil {
		return grant.LicenseKey{}, err
	}
	defer m.mu.Unlock()
	k, ok := m.rows[want.FulfilmentID]
	if !ok {
		k = want
		k.ID = "key-of-" + want.FulfilmentID
	}
	k.Active, k.ExpiresAt = true, want.ExpiresAt
	k.LimitActivations, k.LimitUsage = want.LimitActivations, want.LimitUsage
	m.rows[k.FulfilmentID] = k
	return k, nil
}

func (m *memory) RevokeLicenseKey(ctx context.Context, id string, _ int64) error {
	if err := m.enter(ctx, ""); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if k, ok := m.rows[id]; ok {
		k.Active = false
		m.rows[id] = k
	}
	return nil
}

// enter returns with the lock held, or with an error.
func (m *memory) enter(ctx context.Context, key string) error {
	m.mu.Lock()
	m.calls++
	if key != "" {
		m.asked = append(m.asked, key)
	}
	fault := m.fault
	if err := ctx.Err(); err != nil || fault != nil {
		m.mu.Unlock()
		if err == nil {
			err = fault(ctx, key)
		}
		return err
	}
	return nil
}

// only returns the one key there is.
func (m *memory) only() grant.LicenseKey {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.rows) != 1 {
		panic(fmt.Sprintf("%d keys, want 1", len(m.rows)))
	}
	for _, k := range m.rows {
		return k
	}
	panic("unreachable")
}

func (m *memory) active() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.rows {
		if k.Active {
			n++
		}
	}
	return n
}

func (m *memory) secrets() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.asked...)
}

func (m *memory) breakWith(fault func(context.Context, string) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = fault
}
