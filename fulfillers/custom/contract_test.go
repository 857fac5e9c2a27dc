package custom

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"fulfilld/fulfillers/fulfillertest"
)

func TestCustomKeepsTheContract(t *testing.T) {
	fulfillertest.Run(t, fulfillertest.Harness{
		Bad: map[string]string{
			"no object":        `"https://example.com"`,
			"a number as URL":  `{"url":7}`,
			"a file":           `{"url":"file:///etc/passwd"}`,
			"a user in it":     `{"url":"https://ada:hunter2@example.com/"}`,
			"no host":          `{"url":"https:///hook"}`,
			"a number as note": `{"note":1}`,
			"a host in Greek":  `{"url":"https://παράδειγμα.example/"}`,
		},
		New: func(t *testing.T) fulfillertest.World {
			w := newWorld(t)
			return fulfillertest.World{
				Fulfiller: w.c, Fulfilment: w.f, Count: w.count, Faults: faults(w),
				Secrets: func() []string { return []string{oldSecret.Reveal(), "path-that-nobody-may-see", "hunter2"} },
			}
		},
	})
}

// faults has no malformed answer: a 2xx is a yes, whatever its body.
func faults(w *world) fulfillertest.Faults {
	return fulfillertest.Faults{
		ServerError: func() { w.answers(true, status(http.StatusInternalServerError)) },
		TooManyRequests: func(wait time.Duration) {
			w.answers(true, func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
				rw.WriteHeader(http.StatusTooManyRequests)
			})
		},
		Hang: func() { w.answers(true, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }) },
		Heal: func() { w.answers(false, nil); w.lanes.wake() },
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}
