package discord

import (
	"context"
	"slices"
	"testing"
	"time"

	"fulfilld/fulfillers/fulfillertest"
	"fulfilld/grant"
	"fulfilld/internal/fakediscord"
)

func TestDiscordKeepsTheContract(t *testing.T) {
	fulfillertest.Run(t, fulfillertest.Harness{
		Bad: map[string]string{
			"no object":             `"123"`,
			"no guild":              `{"role_id":"2"}`,
			"no role":               `{"guild_id":"1"}`,
			"@everyone":             `{"guild_id":"1","role_id":"1"}`,
			"a path as guild":       `{"guild_id":"1/../2","role_id":"3"}`,
			"a number as role":      `{"guild_id":"1","role_id":1234567890123456789}`,
			"a word as kick_member": `{"guild_id":"1","role_id":"2","kick_member":"maybe"}`,
		},
		New: func(t *testing.T) fulfillertest.World {
			w := newWorld(t)
			return fulfillertest.World{
				Fulfiller:  staged{w.d},
				Fulfilment: w.owed(w.ada, w.params(w.role)),
				Count: func() int {
					n := 0
					for _, r := range w.Roles(w.guild, w.ada) {
						if r == w.role {
							n++
						}
					}
					return n
				},
				Secrets: func() []string { return []string{token, "a-secret"} },
				Faults:  faults(w),
			}
		},
	})
}

func faults(w *world) fulfillertest.Faults {
	fail := func(f fakediscord.Fault) { w.Fail(fakediscord.Match{}, f, fakediscord.Always) }
	return fulfillertest.Faults{
		ServerError:     func() { fail(fakediscord.Status(503)) },
		TooManyRequests: func(wait time.Duration) { fail(fakediscord.RateLimited(wait)) },
		Hang:            func() { fail(fakediscord.Hang()) },
		Malformed:       func() { fail(fakediscord.NotJSON()) },
		Heal: func() {
			w.Mend()
			w.clock.move(time.Hour) // what was to rest has rested
		},
	}
}

// staged hands holds to the fulfiller as the worker does: without a level to
// Revoke, and without what Revoke must not look at.
type staged struct{ *Fulfiller }

func (s staged) Revoke(ctx context.Context, f grant.Fulfilment) error {
	f.Target, f.Account = grant.Target{}, grant.Account{}
	f.Holds = slices.Clone(f.Holds)
	for i := range f.Holds {
		f.Holds[i].Level = 0
	}
	return s.Fulfiller.Revoke(ctx, f)
}
