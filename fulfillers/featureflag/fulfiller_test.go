package featureflag

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fulfilld/fulfillers"
	"fulfilld/fulfillers/fulfillertest"
	"fulfilld/grant"
)

// books stand in for the ledger: that a flag is recorded as granted is all there
// is to it. Like the ledger's, a record is made in one go with what it is of.
type books struct {
	fulfillers.Fulfiller
	mu      sync.Mutex
	granted map[string]bool
	fault   func(context.Context) error
}

func (b *books) Grant(ctx context.Context, f grant.Fulfilment) (grant.Properties, error) {
	p, err := b.Fulfiller.Grant(ctx, f)
	if err != nil {
		return nil, err
	}
	return p, b.record(ctx, f.ID, true)
}

func (b *books) Revoke(ctx context.Context, f grant.Fulfilment) error {
	if err := b.Fulfiller.Revoke(ctx, f); err != nil {
		return err
	}
	return b.record(ctx, f.ID, false)
}

func (b *books) record(ctx context.Context, id string, granted bool) error {
	b.mu.Lock()
	fault := b.fault
	b.mu.Unlock()
	if fault != nil {
		return fault(ctx)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.granted[id] = granted
	maps.DeleteFunc(b.granted, func(_ string, on bool) bool { return !on })
	return nil
}

func (b *books) breakWith(fault func(context.Context) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault = fault
}

func sample(params string) grant.Fulfilment {
	return grant.Fulfilment{
		ID: "g1.feature_flag", Kind: "feature_flag", Grant: grant.Grant{ID: "g1", CustomerID: "c1"},
		Customer: grant.Customer{ID: "c1", Email: "ada@example.com"}, Target: grant.Target{Params: json.RawMessage(params)},
	}
}

func TestFeatureFlagKeepsTheContract(t *testing.T) {
	fulfillertest.Run(t, fulfillertest.Harness{
		Local: true,
		Bad: map[string]string{
			"no text":        `{"key":7}`,
			"no key":         `{"key":""}`,
			"a long key":     `{"key":"` + strings.Repeat("k", 101) + `"}`,
			"a line of text": `{"key":"a\nb"}`,
			"no object":      `"beta"`,
		},
		New: func(*testing.T) fulfillertest.World {
			b := &books{Fulfiller: Fulfiller{}, granted: map[string]bool{}}
			return fulfillertest.World{
				Fulfiller:  b,
				Fulfilment: sample(`{"key":"beta-editor"}`),
				Count:      func() int { b.mu.Lock(); defer b.mu.Unlock(); return len(b.granted) },
				Faults: fulfillertest.Faults{
					ServerError: func() { b.breakWith(func(context.Context) error { return errors.New("disk full") }) },
					Hang:        func() { b.breakWith(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }) },
					Heal:        func() { b.breakWith(nil) },
				},
			}
		},
	})
}

func TestPropertiesCarryTheKeyThatTheConfigGives(t *testing.T) {
	t.Parallel()
	b, err := Kind().Build(func(any) error { return nil })
	if err != nil || !b.Local || b.Concurrency != 16 || Kind().Default {
		t.Fatal(b, err)
	}
	for params, want := range map[string]grant.Properties{
		``: {}, `{}`: {}, `{"key":null}`: {}, `{"key":"beta editor","more":1}`: {"key": "beta editor"},
	} {
		got, err := b.Grant(t.Context(), sample(params))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", params, err, diff)
		}
	}
	_, err = b.Grant(t.Context(), sample(`{"key":""}`))
	if e := fulfillers.Classify(err); e == nil || e.Class != fulfillers.ClassPermanent {
		t.Errorf("parameters that are refused: %v", err)
	}
}
