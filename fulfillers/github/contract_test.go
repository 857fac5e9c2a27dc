package github

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"fulfilld/fulfillers/fulfillertest"
	"fulfilld/internal/fakegithub"
)

var badParams = map[string]string{
	"nothing":              `{}`,
	"no object":            `[]`,
	"no owner":             `{"repositories":["pro"]}`,
	"a path":               `{"repositories":["acme/../../user"]}`,
	"dots":                 `{"repository":"acme/.."}`,
	"an escape":            `{"repository":"acme/%2e%2e"}`,
	"half a platform's":    `{"repository_owner":"acme"}`,
	"an unknown role":      `{"repository":"acme/pro","permission":"read"}`,
	"numbers":              `{"repositories":[1]}`,
	"a number as role":     `{"repository":"acme/pro","permission":1}`,
	"a login with a query": `{"repository_owner":"acme?x=","repository_name":"pro"}`,
}

func TestGitHubKeepsTheContract(t *testing.T) {
	for name, o := range map[string]options{"App": {}, "Token": {token: true}} {
		t.Run(name, func(t *testing.T) {
			fulfillertest.Run(t, fulfillertest.Harness{Bad: badParams, New: func(t *testing.T) fulfillertest.World { return sample(t, o) }})
		})
	}
}

// sample is a world whose octocat accepts at once: nobody sees the invitation.
func sample(t *testing.T, o options) fulfillertest.World {
	w := start(t, o)
	var invited sync.RWMutex
	w.on(func(r *http.Request) {
		if r.Method == http.MethodPut {
			invited.Lock()
		} else {
			invited.RLock()
		}
	}, func(r *http.Request) {
		if r.Method != http.MethodPut {
			invited.RUnlock()
			return
		}
		defer invited.Unlock()
		for _, i := range w.Invitations(w.pro) {
			_ = w.Accept(i.ID)
		}
	})
	return fulfillertest.World{
		Fulfiller:  w.g,
		Fulfilment: w.owed(pullPro),
		Count: func() int {
			if _, ok := w.Collaborator(w.pro, octocat); ok {
				return 1
			}
			return len(w.Invitations(w.pro))
		},
		Secrets: func() []string { return []string{pat, keyPEM(), "ghs_"} },
		Faults:  faults(w),
	}
}

func faults(w *world) fulfillertest.Faults {
	heal := func() {}
	inject := func(f fakegithub.Fault) func() { return func() { heal = w.Inject(f) } }
	return fulfillertest.Faults{
		ServerError: inject(fakegithub.Fault{Kind: fakegithub.ServerError}),
		Hang:        inject(fakegithub.Fault{Kind: fakegithub.Hang}),
		Malformed:   inject(fakegithub.Fault{Kind: fakegithub.HalfBody}),
		TooManyRequests: func(wait time.Duration) {
			inject(fakegithub.Fault{Kind: fakegithub.SecondaryLimit, Status: http.StatusTooManyRequests, Wait: wait})()
		},
		Heal: func() {
			heal()
			w.lanes.wake()
		},
	}
}
