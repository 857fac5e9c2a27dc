package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"fulfilld/grant"
)

// benefit remembers a benefit. When what is to be done for it changes, its
// grants hear of it in portions, between other commits (see Spread).
func (a *applier) benefit(b grant.Benefit) error {
	newer, known, err := a.newer("benefits", b.ID, b.Version)
	if err != nil {
		return err
	}
	if newer {
		if err := a.storeBenefit(b, known); err != nil {
			return err
		}
	}
	if b.DeletedAt.IsZero() {
		return nil
	}
	n, err := a.exec(`UPDATE benefits SET deleted_at = $2, spread_after = 0 WHERE id = $1 AND deleted_at = 0`, b.ID, micros(b.DeletedAt))
	if err != nil || n == 0 {
		return err
	}
	return a.tellBenefit(grant.TellsBenefitUpdated, b.ID)
}

func (a *applier) storeBenefit(b grant.Benefit, known bool) error {
	route, err := json.Marshal(a.l.opts.Route(b))
	if err != nil {
		return fmt.Errorf("route: %w", err)
	}
	metadata, err := json.Marshal(b.Metadata)
	if err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	if !known {
		// Grants that came before their benefit, by another event, wait for it.
		_, err = a.exec(`INSERT INTO benefits (id, organization_id, type, description, properties, metadata, deleted_at, body, route,
				spec_version, spread_after, ver_at, ver_sent)
			VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, 1, (SELECT 0 FROM grants WHERE benefit_id = $1 LIMIT 1), $9, $10)`,
			b.ID, b.OrganizationID, b.Type, b.Description, string(b.Properties), string(metadata), string(b.Body), string(route),
			micros(b.Version.At), micros(b.Version.Sent))
		if err != nil {
			return err
		}
		return a.tellBenefit(grant.TellsBenefitCreated, b.ID)
	}
	edited, err := a.edited(b, string(metadata), string(route))
	if err != nil {
		return err
	}
	_, err = a.exec(`UPDATE benefits SET organization_id = $2, type = $3, description = $4, properties = $5, metadata = $6, body = $7,
			spec_version = spec_version + CASE WHEN route = $8 THEN 0 ELSE 1 END,
			spread_after = CASE WHEN route = $8 THEN spread_after ELSE 0 END,
			route = $8, ver_at = $9, ver_sent = $10 WHERE id = $1`,
		b.ID, b.OrganizationID, b.Type, b.Description, string(b.Properties), string(metadata), string(b.Body), string(route),
		micros(b.Version.At), micros(b.Version.Sent))
	if err != nil || !edited {
		return err
	}
	return a.tellBenefit(grant.TellsBenefitUpdated, b.ID)
}

// Spread tells up to limit grants of a changed benefit or file, and returns what
// became due; more is true while there are others to tell.
func (l *Ledger) Spread(ctx context.Context, limit int) (due []grant.Due, more bool, err error) {
	type portion struct {
		due  []grant.Due
		more bool
	}
	p, err := ask(ctx, l.writers, work, func(t *tx) (p portion, err error) {
		a := applier{tx: t, l: l}
		if err := a.begin(); err != nil {
			return p, err
		}
		p.more, err = a.spread(limit)
		p.due = a.due
		return p, err
	})
	return p.due, p.more, err
}

func (a *applier) spread(limit int) (more bool, err error) {
	var benefit string
	var after int64
	err = a.row(`SELECT id, spread_after FROM benefits WHERE spread_after IS NOT NULL ORDER BY id LIMIT 1`, nil, &benefit, &after)
	if errors.Is(err, ErrNotFound) {
		return a.spreadFile(limit)
	}
	if err != nil {
		return false, err
	}
	ids, err := a.strings(`SELECT id FROM grants WHERE benefit_id = $1 AND seq > $2 ORDER BY seq LIMIT $3`, benefit, after, limit)
	if err != nil {
		return false, err
	}
	for _, id := range ids {
		if err := a.settle(id); err != nil {
			return false, err
		}
	}
	var next sql.NullInt64
	if len(ids) == limit {
		next.Valid = true
		if err := a.row(`SELECT seq FROM grants WHERE id = $1`, []any{ids[limit-1]}, &next.Int64); err != nil {
			return false, err
		}
	}
	_, err = a.exec(`UPDATE benefits SET spread_after = $2 WHERE id = $1`, benefit, next)
	return true, err
}

// Reroute works out every benefit's route afresh, after the config or the
// kinds that are switched on have changed. It returns how many routes differ.
func (l *Ledger) Reroute(ctx context.Context) (changed int, err error) {
	rows, err := l.read.QueryContext(ctx, `SELECT id, organization_id, type, description, properties, metadata, route FROM benefits`)
	if err != nil {
		return 0, err
	}
	type old struct {
		grant.Benefit
		route string
	}
	all, err := collect(rows, func(r rowScanner) (o old, err error) {
		var props, meta string
		err = r.Scan(&o.ID, &o.OrganizationID, &o.Type, &o.Description, &props, &meta, &o.route)
		o.Properties = json.RawMessage(props)
		return o, errors.Join(err, json.Unmarshal([]byte(meta), &o.Metadata))
	})
	if err != nil {
		return 0, err
	}
	for _, o := range all {
		route, err := json.Marshal(l.opts.Route(o.Benefit))
		if err != nil || string(route) == o.route {
			continue
		}
		changed++
		if err := l.changeRoute(ctx, o.ID, o.route, string(route)); err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// changeRoute takes its turn with the appliers: Spread writes how far it has come,
// and would never come to the grants before that.
func (l *Ledger) changeRoute(ctx context.Context, benefit, from, to string) error {
	got, err := ask(ctx, l.writers, work, func(t *tx) (applied, error) {
		a := applier{tx: t, l: l}
		if err := a.begin(); err != nil {
			return applied{}, err
		}
		n, err := a.exec(`UPDATE benefits SET route = $2, spec_version = spec_version + 1, spread_after = 0 WHERE id = $1 AND route = $3`,
			benefit, to, from)
		if err == nil && n > 0 {
			err = a.tellBenefit(grant.TellsBenefitUpdated, benefit)
		}
		return a.applied, err
	})
	l.applied(got)
	return err
}
