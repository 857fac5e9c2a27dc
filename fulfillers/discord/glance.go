package discord

import (
	"sync"
	"time"

	"github.com/bwmarrin/discordgo"
)

// glanceAge is how long a member's state may be taken for what it was.
const glanceAge = 2 * time.Second

// glances keep what Observe has just seen of a member for the Grant that follows,
// so that it need not ask the same: reading is limited, too.
type glances struct {
	mu   sync.Mutex
	seen map[string]glance
}

type glance struct {
	member *discordgo.Member
	at     time.Time
}

func glanceKey(fulfilmentID string, e errand) string {
	return fulfilmentID + " " + e.guild + " " + e.user
}

func (g *glances) keep(key string, m *discordgo.Member, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.seen == nil {
		g.seen = map[string]glance{}
	}
	for k, old := range g.seen { // few: they are as many as workers
		if now.Sub(old.at) >= glanceAge {
			delete(g.seen, k)
		}
	}
	g.seen[key] = glance{m, now}
}

// take returns a glance once; nil when there is none.
func (g *glances) take(key string, now time.Time) *discordgo.Member {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, ok := g.seen[key]
	delete(g.seen, key)
	if !ok || now.Sub(s.at) >= glanceAge {
		return nil
	}
	return s.member
}
