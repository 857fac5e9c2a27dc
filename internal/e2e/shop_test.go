//go:build unix

package e2e

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// shop is a day's traffic: what is sent, and what must come of it.
type shop struct {
	webhooks []webhook
	facts    map[int][]fact // of each grant
	events   int            // distinct ones
	cycles   int            // distinct renewals
}

// newShop makes exactly so many events about so many grants. The same seed makes
// the same shop, ids aside.
func newShop(seed uint64, events, grants int) *shop {
	r := rand.New(rand.NewPCG(seed, 0))
	s := &shop{facts: map[int][]fact{}}
	clock := time.Now().Add(-24 * time.Hour).Truncate(time.Microsecond)
	tick := func() time.Time { clock = clock.Add(time.Millisecond); return clock }
	for g := range grants {
		word := "granted"
		if r.IntN(20) == 0 {
			word = "none" // the customer must act first
		}
		s.says(fact{typ: "created", grant: g, word: word, at: tick()})
	}
	for s.events < events {
		g := r.IntN(grants)
		last := s.facts[g][len(s.facts[g])-1]
		switch n := r.IntN(100); {
		case n < 8: // the same event once more: a redelivery after its acknowledgement
			s.webhooks = append(s.webhooks, s.webhooks[r.IntN(len(s.webhooks))])
		case n < 16: // the same fact to a second endpoint
			s.sends(last)
		case n < 18: // two words with one version: the stronger counts
			f := last
			f.typ, f.word = "revoked", "revoked"
			s.says(f)
		case n < 58:
			s.says(fact{typ: "revoked", grant: g, word: "revoked", at: tick()})
		case n < 80:
			s.says(fact{typ: "updated", grant: g, word: "granted", at: tick()})
		case n < 85:
			s.says(fact{typ: "updated", grant: g, word: "none", at: tick()})
		default:
			s.says(fact{typ: "cycled", grant: g, word: "granted", at: tick()})
			s.cycles++
		}
	}
	s.disorder(r)
	return s
}

func (s *shop) says(f fact) {
	s.facts[f.grant] = append(s.facts[f.grant], f)
	s.sends(f)
}

func (s *shop) sends(f fact) {
	s.webhooks = append(s.webhooks, f.webhook())
	s.events++
}

// disorder lets events overtake each other: most by a little, some by a day.
func (s *shop) disorder(r *rand.Rand) {
	type placed struct {
		at int
		w  webhook
	}
	all := make([]placed, len(s.webhooks))
	for i, w := range s.webhooks {
		all[i] = placed{i + r.IntN(300), w}
		if r.IntN(8) == 0 {
			all[i].at = r.IntN(len(all))
		}
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(a.at, b.at) })
	for i := range all {
		s.webhooks[i] = all[i].w
	}
}

// ids counts the distinct events.
func (s *shop) ids() map[string]bool {
	ids := map[string]bool{}
	for _, w := range s.webhooks {
		ids[w.id] = true
	}
	return ids
}

// ends is the state a grant must end in, by the rule as the documentation tells
// it: the newest word counts, of equally new ones the stronger, and "none" takes
// nothing away.
func (s *shop) ends(g int) string {
	end, newest := "pending", time.Time{}
	for _, f := range s.facts[g] {
		if f.word == "none" || f.at.Before(newest) {
			continue
		}
		if f.at.Equal(newest) && end == "revoked" {
			continue
		}
		end, newest = f.word, f.at
	}
	return end
}

func (s *shop) summary() string {
	ends := map[string]int{}
	for g := range s.facts {
		ends[s.ends(g)]++
	}
	return fmt.Sprintf("%d webhooks, %d events, %d grants ending %v, %d renewals", len(s.webhooks), len(s.ids()), len(s.facts), ends, s.cycles)
}
