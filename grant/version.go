package grant

import "time"

// Version orders what the shop said about one thing. At is the latest of the
// thing's own timestamps (modified_at, granted_at, revoked_at, created_at; for
// a deletion deleted_at); Sent is the envelope's timestamp and breaks ties.
type Version struct {
	At, Sent time.Time
}

// IsZero reports whether nothing has been said yet.
func (v Version) IsZero() bool { return v.At.IsZero() && v.Sent.IsZero() }

// Compare returns -1, 0 or +1 as v is older than, equal to or newer than w.
func (v Version) Compare(w Version) int {
	if c := v.At.Compare(w.At); c != 0 {
		return c
	}
	return v.Sent.Compare(w.Sent)
}

// Newer returns the newer of v and w.
func (v Version) Newer(w Version) Version {
	if v.Compare(w) < 0 {
		return w
	}
	return v
}

// Latest returns the latest of the given times; the zero time when there is none.
func Latest(times ...time.Time) time.Time {
	var last time.Time
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}
