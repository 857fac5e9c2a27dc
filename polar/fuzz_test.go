package polar_test

import (
	"errors"
	"regexp"
	"testing"
	"time"

	"fulfilld/grant"
	"fulfilld/polar"
)

// named is a type, a path and what is wrong there.
var named = regexp.MustCompile(`^[a-z0-9_.]+: (body|timestamp|data)[a-z0-9_.\[\]]*: .`)

// FuzzDecode reads any body as any type.
func FuzzDecode(f *testing.F) {
	for _, name := range exampleNames(f) {
		f.Add(uint(0), example(f, name))
	}
	f.Add(uint(1), []byte(`{"type":"x","data":{"id":1e999,"guild_token":"\ud800"}}`))
	f.Fuzz(func(t *testing.T, which uint, body []byte) {
		polar.ChatFormat(body)
		polar.StripSecrets(body)
		ev := event(body)
		if ev.Type == "" || which > 0 {
			ev.Type = polar.EventTypes[which%uint(len(polar.EventTypes))]
		}
		news, err := polar.Decode(ev)
		if err != nil && !named.MatchString(err.Error()) {
			t.Errorf("names no path: %v", err)
		}
		if err := safe(news); err != nil {
			t.Error(err)
		}
	})
}

// safe checks that every id may go into a URL.
func safe(n grant.News) error {
	uuid := regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	for _, g := range n.Grants {
		if !uuid.MatchString(g.ID) || !uuid.MatchString(g.BenefitID) || !uuid.MatchString(g.CustomerID) {
			return errors.New("a grant's id is not a UUID")
		}
	}
	for _, c := range n.Customers {
		if !uuid.MatchString(c.ID) {
			return errors.New("a customer's id is not a UUID")
		}
	}
	for _, b := range n.Benefits {
		if !uuid.MatchString(b.ID) {
			return errors.New("a benefit's id is not a UUID")
		}
	}
	return nil
}

func benchmark(b *testing.B, name string, do func(ev grant.Event)) {
	ev := event(example(b, name))
	b.SetBytes(int64(len(ev.Body)))
	b.ReportAllocs()
	for b.Loop() {
		do(ev)
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"benefit_grant.created.github_repository", "customer.state_changed", "subscription.active"} {
		b.Run(name, func(b *testing.B) {
			benchmark(b, name, func(ev grant.Event) {
				if _, err := polar.Decode(ev); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

func BenchmarkEventType(b *testing.B) {
	benchmark(b, "benefit_grant.created.github_repository", func(ev grant.Event) { polar.EventType(ev.Body) })
}

func BenchmarkVerify(b *testing.B) {
	v := verifier(b, sentAt.Add(time.Second), standard)
	h := signed(b, standard, example(b, "benefit_grant.created.github_repository"))
	benchmark(b, "benefit_grant.created.github_repository", func(ev grant.Event) {
		if _, err := v.Verify(ev.Body, h); err != nil {
			b.Fatal(err)
		}
	})
}
