package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

var errDuration = errors.New("not a duration")

// parseDuration reads Go's durations and whole days before them: 30s, 1h30m,
// 7d, 1d12h. Negative ones are refused.
func parseDuration(text string) (time.Duration, error) {
	days, rest, found := strings.Cut(text, "d")
	if !found {
		return positive(time.ParseDuration(text))
	}
	n, err := strconv.ParseInt(days, 10, 64)
	if err != nil || n < 0 || n > int64(math.MaxInt64/day) {
		return 0, errDuration
	}
	total := time.Duration(n) * day
	if rest == "" {
		return total, nil
	}
	d, err := positive(time.ParseDuration(rest))
	if err != nil || total > math.MaxInt64-d {
		return 0, errDuration
	}
	return total + d, nil
}

func positive(d time.Duration, err error) (time.Duration, error) {
	if err != nil || d < 0 {
		return 0, errDuration
	}
	return d, nil
}

// formatDuration writes whole days as such, the rest as Go does without the
// zeros at its end.
func formatDuration(d time.Duration) string {
	if d > 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	text := d.String()
	if before, ok := strings.CutSuffix(text, "m0s"); ok {
		text = before + "m"
	}
	if before, ok := strings.CutSuffix(text, "h0m"); ok {
		text = before + "h"
	}
	return text
}
