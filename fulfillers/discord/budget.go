package discord

import (
	"net/http"
	"sync"
	"time"
)

const (
	// invalidLimit is half of the 401, 403 and 429 answers in 10 minutes at
	// which Discord bans the address.
	invalidLimit = 5_000
	invalidRest  = 10 * time.Minute
)

// budget counts the answers that Discord holds against us, by minutes.
type budget struct {
	limit int

	mu      sync.Mutex
	minutes [10]struct{ at, n int64 }
}

func newBudget() *budget { return &budget{limit: invalidLimit} }

// spent counts t, and reports whether there were too many in 10 minutes.
func (b *budget) spent(t *trip, now time.Time) bool {
	held := t.status == http.StatusUnauthorized || t.status == http.StatusForbidden || t.status == http.StatusTooManyRequests
	if !held || t.shared {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	minute := now.Unix() / 60
	m := &b.minutes[minute%10]
	if m.at != minute {
		m.at, m.n = minute, 0
	}
	m.n++
	var sum int64
	for _, m := range b.minutes {
		if minute-m.at < 10 {
			sum += m.n
		}
	}
	return sum > int64(b.limit)
}
