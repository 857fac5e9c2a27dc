package fakegithub

import "time"

// window counts what happened in the last while.
type window struct {
	entries []entry // oldest first
	sum     int
}

type entry struct {
	at   time.Time
	cost int
}

// full is how long it takes until so much more fits below the limit: 0 when it
// fits now.
func (w *window) full(now time.Time, span time.Duration, cost, limit int) time.Duration {
	for len(w.entries) > 0 && now.Sub(w.entries[0].at) >= span {
		w.sum -= w.entries[0].cost
		w.entries = w.entries[1:]
	}
	excess := w.sum + cost - limit
	if excess <= 0 || cost == 0 {
		return 0
	}
	for _, e := range w.entries {
		if excess -= e.cost; excess <= 0 {
			return e.at.Add(span).Sub(now)
		}
	}
	return span
}

func (w *window) add(now time.Time, cost int) {
	if cost > 0 {
		w.entries = append(w.entries, entry{now, cost})
		w.sum += cost
	}
}
