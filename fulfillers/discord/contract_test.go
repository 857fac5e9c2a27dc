package discord

import (
	"testing"
	"time"

	"fulfilld/fulfillers/fulfillertest"
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
				Fulfiller:  w.d,
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
