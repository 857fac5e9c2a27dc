package metercredit

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fulfilld/fulfillers"
	"fulfilld/fulfillers/fulfillertest"
	"fulfilld/grant"
)

var credited = time.Date(2026, 9, 14, 9, 12, 44, 120018000, time.UTC)

// memory is a Store that can break.
type memory struct {
	mu     sync.Mutex
	rows   map[string]grant.Credit // what each fulfilment has now
	cycles []string
	fault  func(context.Context) error
}

func (m *memory) enter(ctx context.Context) error {
	m.mu.Lock()
	fault := m.fault
	m.mu.Unlock()
	if fault != nil {
		if err := fault(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (m *memory) Credit(ctx context.Context, c grant.Credit, _ int64) (grant.Credited, error) {
	if err := m.enter(ctx); err != nil {
		return grant.Credited{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	had, ok := m.rows[c.FulfilmentID]
	if !ok {
		had, m.rows[c.FulfilmentID] = c, c
	}
	return grant.Credited{MeterID: had.MeterID, Units: had.Units, At: credited}, nil
}

func (m *memory) Refill(ctx context.Context, _ grant.Credit, cycle string, _ int64) error {
	m.cycles = append(m.cycles, cycle)
	return m.enter(ctx)
}

func (m *memory) TakeBack(ctx context.Context, id string, _ int64) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.rows, id)
	return nil
}

func (m *memory) breakWith(fault func(context.Context) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = fault
}

// built is the kind as the config builds it, with one meter of ours.
func built(t *testing.T, m *memory) *Fulfiller {
	t.Helper()
	b, err := Kind(m).Build(func(into any) error {
		into.(*Config).Meters = []Meter{{ID: "api-calls", Event: "api_call"}}
		return nil
	})
	if err != nil || !b.Local {
		t.Fatal(b, err)
	}
	return b.Fulfiller.(*Fulfiller)
}

const theirs = "d2982d76-8d8f-4cea-ab62-070a2485598e"

func sample(params string) grant.Fulfilment {
	return grant.Fulfilment{
		ID: "g1.meter_credit", Kind: "meter_credit", Grant: grant.Grant{ID: "g1", CustomerID: "c1", MemberID: "m1"},
		Customer: grant.Customer{ID: "c1", Email: "ada@example.com"}, Target: grant.Target{Params: json.RawMessage(params)},
	}
}

func TestMeterCreditKeepsTheContract(t *testing.T) {
	fulfillertest.Run(t, fulfillertest.Harness{
		Local: true,
		Bad: map[string]string{
			"nothing":           `{}`,
			"no units":          `{"meter_id":"` + theirs + `"}`,
			"too many units":    `{"units":2147483648,"meter_id":"` + theirs + `"}`,
			"no whole units":    `{"units":1.5,"meter_id":"` + theirs + `"}`,
			"two amounts":       `{"units":1,"credits":1,"meter":"api-calls"}`,
			"two meters":        `{"units":1,"meter_id":"` + theirs + `","meter":"api-calls"}`,
			"an unknown slug":   `{"units":1,"meter":"api-call"}`,
			"no meter's id":     `{"units":1,"meter":"API calls"}`,
			"a bad rollover":    `{"units":1,"meter":"api-calls","rollover":"yes"}`,
			"a bad expiry":      `{"units":1,"meter":"api-calls","expires_after":"soon"}`,
			"an endless expiry": `{"units":1,"meter":"api-calls","expires_after":"99999999d"}`,
		},
		New: func(t *testing.T) fulfillertest.World {
			m := &memory{rows: map[string]grant.Credit{}}
			return fulfillertest.World{
				Fulfiller:  built(t, m),
				Fulfilment: sample(`{"units":1000,"rollover":false,"meter_id":"` + theirs + `"}`),
				Count:      func() int { m.mu.Lock(); defer m.mu.Unlock(); return len(m.rows) },
				Faults: fulfillertest.Faults{
					ServerError: func() { m.breakWith(func(context.Context) error { return errors.New("disk full") }) },
					Hang:        func() { m.breakWith(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }) },
					Heal:        func() { m.breakWith(nil) },
				},
			}
		},
	})
}

func TestParametersAreThePlatformsOrTheConfigs(t *testing.T) {
	t.Parallel()
	own := "9c0845f4-7017-5551-adf2-52738ced0469"
	for params, want := range map[string]grant.Credit{
		`{"units":1000,"rollover":false,"meter_id":"` + theirs + `","more":1}`:              {Units: 1000, MeterID: theirs},
		`{"units":2147483647,"rollover":true,"meter_id":"` + strings.ToUpper(theirs) + `"}`: {Units: 2147483647, MeterID: theirs, Rollover: true},
		`{"credits":5,"meter":"api-calls","expires_after":"30d"}`:                           {Units: 5, MeterID: own, Lasts: 30 * 24 * time.Hour},
		`{"units":5,"meter_id":"api-calls","expires_after":"1h30m"}`:                        {Units: 5, MeterID: own, Lasts: 90 * time.Minute},
	} {
		m := &memory{rows: map[string]grant.Credit{}}
		if _, err := built(t, m).Grant(t.Context(), sample(params)); err != nil {
			t.Errorf("%s: %v", params, err)
		}
		want.FulfilmentID, want.CustomerID, want.MemberID = "g1.meter_credit", "c1", "m1"
		if diff := cmp.Diff(want, m.rows["g1.meter_credit"]); diff != "" {
			t.Errorf("%s: %s", params, diff)
		}
	}
}

func TestPropertiesAreThePlatforms(t *testing.T) {
	t.Parallel()
	m := &memory{rows: map[string]grant.Credit{}}
	got, err := built(t, m).Grant(t.Context(), sample(`{"units":1000,"meter_id":"`+theirs+`"}`))
	want := grant.Properties{"last_credited_meter_id": theirs, "last_credited_units": int64(1000), "last_credited_at": "2026-09-14T09:12:44.120018+00:00"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func TestARenewalNamesItsKey(t *testing.T) {
	t.Parallel()
	m := &memory{rows: map[string]grant.Credit{}}
	f := built(t, m)
	if err := fulfillers.Cycler(f).Cycle(t.Context(), sample(`{"units":1,"meter":"api-calls"}`), "k1"); err != nil || len(m.cycles) != 1 || m.cycles[0] != "k1" {
		t.Errorf("%v, %v", m.cycles, err)
	}
	m.breakWith(func(context.Context) error { return errors.New("disk full") })
	err := f.Cycle(t.Context(), sample(`{"units":1,"meter":"api-calls"}`), "k2")
	if e := fulfillers.Classify(err); e == nil || e.Class != fulfillers.ClassTransient {
		t.Errorf("a store that fails: %v", err)
	}
	err = f.Cycle(t.Context(), sample(`{"units":1,"meter":"gone"}`), "k2")
	if e := fulfillers.Classify(err); e == nil || e.Class != fulfillers.ClassPermanent || !strings.Contains(e.Text, "meters; add it there") {
		t.Errorf("parameters that are refused: %v", err)
	}
}

func TestConfigNamesEverythingThatIsWrongWithMeters(t *testing.T) {
	t.Parallel()
	_, err := Config{Meters: []Meter{
		{ID: "API calls", Event: "a"}, {ID: "x"}, {ID: "x", Event: "b", Overdraft: "maybe"}, {ID: theirs, Event: strings.Repeat("e", 256)},
	}}.meters()
	for _, want := range []string{
		"meters[0].id: must be the platform's UUID", "meters[1].event: is missing", "meters[2].id: is that of meters[1]",
		"meters[2].overdraft: must be stop or allow", "meters[3].name: has, with event and units, more than 255",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("not told: %s\n%v", want, err)
		}
	}
	all, err := Config{Meters: []Meter{{ID: strings.ToUpper(theirs), Event: "a", Units: "tokens", Overdraft: "allow"}, {ID: "x", Name: " X ", Event: "a"}}}.meters()
	want := []grant.Meter{{ID: theirs, Name: strings.ToUpper(theirs), Event: "a", Units: "tokens", Overdraft: true}, {ID: meterID("x"), Name: "X", Event: "a"}}
	if diff := cmp.Diff(want, all); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}
