// Package metercredit gives customers units of a meter: so many with the grant,
// and again with each renewal.
//
// It decides how much, and leaves the accounts to a [Store]. It does not know
// who consumes the units, nor the database.
package metercredit

import (
	"context"
	"encoding/json"
	"fmt"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

// Store keeps the accounts. All calls may be repeated, and fail, changing
// nothing, when generation is no longer the fulfilment's.
type Store interface {
	// Credit adds the units once, and again after a TakeBack. It returns what
	// the grant was credited last.
	Credit(ctx context.Context, c grant.Credit, generation int64) (grant.Credited, error)

	// Refill adds them once for a renewal. Without rollover what is left of the
	// grant's earlier units lapses before.
	Refill(ctx context.Context, c grant.Credit, cycle string, generation int64) error

	// TakeBack takes what is left of the grant's units. That it has none is no error.
	TakeBack(ctx context.Context, fulfilmentID string, generation int64) error
}

// Fulfiller credits meters. It is made by [Kind].
type Fulfiller struct {
	store  Store
	meters []grant.Meter
}

// Local implements fulfillers.Local.
func (*Fulfiller) Local() {}

// Meters are the config's.
func (m *Fulfiller) Meters() []grant.Meter { return m.meters }

// Check implements fulfillers.Fulfiller.
func (m *Fulfiller) Check(raw json.RawMessage) error {
	_, err := m.parse(raw)
	return err
}

// Grant implements fulfillers.Fulfiller. An edit of the benefit counts from the
// next renewal on: what was given stays given.
func (m *Fulfiller) Grant(ctx context.Context, f grant.Fulfilment) (grant.Properties, error) {
	c, err := m.credit(f)
	if err != nil {
		return nil, err
	}
	got, err := m.store.Credit(ctx, c, f.Generation)
	if err != nil {
		return nil, fulfillers.Transient("store", fmt.Errorf("meter_credit: credit %s: %w", f.ID, err))
	}
	return got.Properties(), nil
}

// Cycle implements fulfillers.Cycler.
func (m *Fulfiller) Cycle(ctx context.Context, f grant.Fulfilment, key string) error {
	c, err := m.credit(f)
	if err != nil {
		return err
	}
	if err := m.store.Refill(ctx, c, key, f.Generation); err != nil {
		return fulfillers.Transient("store", fmt.Errorf("meter_credit: refill %s: %w", f.ID, err))
	}
	return nil
}

// Revoke implements fulfillers.Fulfiller.
func (m *Fulfiller) Revoke(ctx context.Context, f grant.Fulfilment) error {
	if err := m.store.TakeBack(ctx, f.ID, f.Generation); err != nil {
		return fulfillers.Transient("store", fmt.Errorf("meter_credit: take back what is left of %s: %w", f.ID, err))
	}
	return nil
}

func (m *Fulfiller) credit(f grant.Fulfilment) (grant.Credit, error) {
	t, err := m.parse(f.Target.Params)
	if err != nil {
		return grant.Credit{}, fulfillers.Permanent("bad_params", "meter_credit: "+err.Error())
	}
	return grant.Credit{
		FulfilmentID: f.ID, CustomerID: f.Grant.CustomerID, MemberID: f.Grant.MemberID,
		MeterID: t.meter, Units: t.units, Rollover: t.rollover, Lasts: t.lasts,
	}, nil
}
