package main

import (
	"math"
	"testing"
	"time"
)

// bursts are so many calls at a time, again after each gap.
func bursts(from time.Time, first, gap time.Duration, sizes ...int) (calls []time.Time) {
	for i, n := range sizes {
		for range n {
			calls = append(calls, from.Add(first+time.Duration(i)*gap))
		}
	}
	return calls
}

func TestShare(t *testing.T) {
	t.Parallel()
	from := time.Now()
	for name, c := range map[string]struct {
		calls  []time.Time
		limit  int
		window time.Duration
		want   float64
	}{
		"AllThatIsAllowed":   {bursts(from, 0, 10*time.Second, 10, 10, 10, 10, 10), 10, 10 * time.Second, 1},
		"LastWindowHalfFull": {bursts(from, 0, 10*time.Second, 10, 10, 3), 10, 10 * time.Second, 1},
		"NineOfTen":          {bursts(from, 0, 10*time.Second, 9, 9, 9, 9, 9, 5), 10, 10 * time.Second, .9},
		"EveryOtherWindow":   {bursts(from, 0, 20*time.Second, 10, 10, 10), 10, 10 * time.Second, .5},
		"LateStart":          {bursts(from, 10*time.Second, 10*time.Second, 10, 10), 10, 10 * time.Second, .5},
		"OneASecond":         {bursts(from, 0, time.Second, 1, 1, 1, 1, 1), 1, time.Second, 1},
		"OneIn1250ms":        {bursts(from, 0, 1250*time.Millisecond, 1, 1, 1, 1, 1), 1, time.Second, .8},
		"OneWindow":          {bursts(from, 0, time.Second, 7), 10, 10 * time.Second, 1},
		"None":               {nil, 10, 10 * time.Second, 1},
	} {
		if got := share(c.calls, from, c.limit, c.window); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: share %v, want %v", name, got, c.want)
		}
	}
}
