package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"fulfilld/grant"
)

// creditKind is whose fulfilments have rows in common: a customer's meters.
const creditKind = "meter_credit"

// Credit adds a grant's units once in each of its lives: a life ends with
// [Ledger.TakeBack], or when the shop has ended it and begun another before
// anybody looked. It returns what the grant was credited last;
// [grant.ErrOvertaken] when the generation is not the fulfilment's any more.
func (l *Ledger) Credit(ctx context.Context, c grant.Credit, generation int64) (grant.Credited, error) {
	return l.credit(ctx, c.FulfilmentID, generation, func(t *tx) (grant.Credited, error) {
		life, err := t.life(c.FulfilmentID)
		switch {
		case err != nil, life.granted && life.ended >= life.shop.over:
			return life.last, err
		case life.granted:
			return t.liveAgain(c, life)
		}
		return t.beginLife(c, life)
	})
}

// Refill adds a grant's units once for a renewal, and fails like Credit. Without
// rollover what is left of the grant's units lapses before, and a renewal that
// comes after a later one adds nothing: its units would have lapsed. A grant that
// has not been credited, or not again since its units were taken back, gets none;
// nor does it for a renewal of an earlier life.
func (l *Ledger) Refill(ctx context.Context, c grant.Credit, cycle string, generation int64) error {
	_, err := l.credit(ctx, c.FulfilmentID, generation, func(t *tx) (grant.Credited, error) {
		key := cycleEntry(c.FulfilmentID, cycle)
		known, err := t.hasEntry(key)
		if err != nil || known {
			return grant.Credited{}, err
		}
		life, err := t.life(c.FulfilmentID)
		if err != nil || !life.granted || !isAfter(cycle, max(life.ended, life.shop.over)) {
			return grant.Credited{}, err
		}
		if !c.Rollover {
			if lapsed, err := t.renewedAfter(c.FulfilmentID, cycle); err != nil || lapsed {
				return grant.Credited{}, err
			}
		}
		return t.refill(c, key)
	})
	return err
}

// TakeBack takes away what is left of a grant's units, never what was consumed.
// It fails like Credit. That a grant has none is fine.
func (l *Ledger) TakeBack(ctx context.Context, fulfilmentID string, generation int64) error {
	_, err := l.credit(ctx, fulfilmentID, generation, func(t *tx) (grant.Credited, error) {
		life, err := t.life(fulfilmentID)
		if err != nil || !life.granted {
			return grant.Credited{}, err
		}
		ended := micros(time.Now())
		if life.shop.revoked {
			ended = life.shop.end
		}
		return t.takeBack(fulfilmentID, life, ended)
	})
	return err
}

// credit does something about a fulfilment's credits while that is owed.
func (l *Ledger) credit(ctx context.Context, fulfilmentID string, generation int64, do func(*tx) (grant.Credited, error)) (grant.Credited, error) {
	type done struct {
		grant.Credited
		ok bool
	}
	got, err := askShared(ctx, l.writers, func(t *tx) (done, error) {
		if ok, err := t.stillOwed(fulfilmentID, generation); !ok {
			return done{}, err
		}
		c, err := do(t)
		return done{c, true}, err
	})
	if err == nil && !got.ok {
		err = grant.ErrOvertaken
	}
	return got.Credited, err
}

// askShared is ask for a write that locks rows which others want, too.
func askShared[T any](ctx context.Context, w *writers, fn func(*tx) (T, error)) (T, error) {
	if got, ok, err := inside(ctx, fn); ok {
		return got, err
	}
	return askAlone(ctx, w, fn)
}

// hasEntry reports whether what has this key is done.
func (t *tx) hasEntry(key string) (bool, error) {
	var one int64
	err := t.row(`SELECT 1 FROM credit_entries WHERE entry_key = $1 AND entry_key <> ''`, []any{key}, &one)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// potsOf opens, by meter, what has something left of a fulfilment's, which an
// edit of its benefit may have led to several meters, and one meter anyway.
func (t *tx) potsOf(fulfilmentID, customer, meter string) (map[string]*pot, error) {
	meters, err := t.strings(`SELECT DISTINCT m.meter_id FROM credit_entries e JOIN customer_meters m ON m.seq = e.customer_meter
		WHERE e.fulfilment_id = $1 AND e.fulfilment_id <> '' AND (e.remaining > 0 OR m.meter_id = $2)`, fulfilmentID, meter)
	if err != nil {
		return nil, err
	}
	keys := []potKey{{customer, meter}}
	for _, m := range meters {
		keys = append(keys, potKey{customer, m})
	}
	opened, err := t.openPots(keys)
	pots := map[string]*pot{}
	for k, p := range opened {
		pots[k.meter] = p
	}
	return pots, err
}

// tellCredited shows with the grant what was credited or taken back last, as the
// platform does. Of a renewal and a revocation nobody else would.
func (t *tx) tellCredited(fulfilmentID string, c grant.Credited) error {
	text, err := json.Marshal(c.Properties())
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE fulfilments SET properties = $2 WHERE id = $1`, fulfilmentID, string(text))
	return err
}
