package licensekeys

import (
	"errors"
	"fmt"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// expires is how long a key lives.
type expires struct {
	TTL       int    `json:"ttl"`
	Timeframe string `json:"timeframe"`
}

// maxTTL has the platform's limits.
var maxTTL = map[string]int{"year": 457, "month": 1200, "day": 36500}

func (e *expires) check() error {
	if e == nil {
		return nil
	}
	longest, ok := maxTTL[e.Timeframe]
	if !ok {
		return errors.New("expires.timeframe: must be year, month or day")
	}
	if e.TTL < 1 || e.TTL > longest {
		return fmt.Errorf("expires.ttl: must be 1 to %d for the timeframe %s; remove expires if the key never ends", longest, e.Timeframe)
	}
	return nil
}

// expiry is when the key of g ends; zero is never. It counts from the first
// grant, so an edit of the benefit moves the end of issued keys, and reviving
// a key does not.
func (p params) expiry(g grant.Grant) (time.Time, error) {
	once := g.OrderID != "" && g.SubscriptionID == ""
	if p.Expires == nil || !once && !p.ExpireSubscriptions {
		return time.Time{}, nil
	}
	for _, from := range []time.Time{g.FirstGrantedAt, g.GrantedAt, g.CreatedAt} {
		if !from.IsZero() {
			return p.Expires.after(from.UTC()), nil
		}
	}
	return time.Time{}, fulfillers.Permanent("no_grant_time",
		"license_keys: the grant carries no time to count the expiry from; replay its event")
}

func (e *expires) after(from time.Time) time.Time {
	switch e.Timeframe {
	case "year":
		return addMonths(from, 12*e.TTL)
	case "month":
		return addMonths(from, e.TTL)
	default:
		return from.AddDate(0, 0, e.TTL)
	}
}

// addMonths stays within the month it reaches: 31 January and one month is the
// end of February, where time.AddDate would run into March.
func addMonths(from time.Time, n int) time.Time {
	first := from.AddDate(0, 0, 1-from.Day()).AddDate(0, n, 0)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(from.Day(), last)-1)
}
