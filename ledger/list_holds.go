package ledger

import (
	"context"

	"fulfilld/grant"
)

// HoldsOf returns what a fulfilment holds, each as it stands among the others
// that hold it.
func (l *Ledger) HoldsOf(ctx context.Context, fulfilmentID string) ([]grant.Hold, error) {
	rows, err := l.read.rows(ctx, `SELECT h.provider, h.name, h.account, h.level, r.origin, r.before,
			(SELECT coalesce(max(x.level), 0) FROM holds x
				WHERE x.provider = h.provider AND x.name = h.name AND x.account = h.account AND x.fulfilment_id <> $1)
		FROM holds h JOIN resources r ON r.provider = h.provider AND r.name = h.name AND r.account = h.account
		WHERE h.fulfilment_id = $1 ORDER BY h.provider, h.name, h.account`, fulfilmentID)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(r rowScanner) (h grant.Hold, err error) {
		err = r.Scan(&h.Provider, &h.Name, &h.Account, &h.Level, &h.Origin, &h.Before, &h.Others)
		return h, err
	})
}
