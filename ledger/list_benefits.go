package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"fulfilld/grant"
)

const benefitColumns = `b.id, b.organization_id, b.type, b.description, b.properties, b.metadata, b.deleted_at, b.body`

func scanBenefit(r rowScanner) (b grant.Benefit, err error) {
	var deleted int64
	var properties, metadata, body string
	err = r.Scan(&b.ID, &b.OrganizationID, &b.Type, &b.Description, &properties, &metadata, &deleted, &body)
	b.DeletedAt, b.Properties, b.Body = timeOf(deleted), raw(properties), raw(body)
	if metadata != "" {
		err = errors.Join(err, json.Unmarshal([]byte(metadata), &b.Metadata))
	}
	return b, err
}

// Benefits lists the benefits that are not deleted, and counts them. They can
// be sorted by created_at (the default, newest first), description and type.
func (l *Ledger) Benefits(ctx context.Context, f grant.BenefitFilter, p grant.Page) ([]grant.Benefit, int64, error) {
	s := selection{from: "benefits b", where: []string{"b.deleted_at = 0"}}
	in(&s, "b.id", f.IDs)
	notIn(&s, "b.id", f.ExcludeIDs)
	in(&s, "b.type", f.Types)
	in(&s, "b.organization_id", f.OrganizationIDs)
	for _, key := range slices.Sorted(maps.Keys(f.Metadata)) {
		l.engine.inMetadata(&s, key, f.Metadata[key])
	}
	if f.Query != "" {
		s.and(`lower(b.description) LIKE ` + s.arg("%"+pattern(f.Query)+"%") + ` ESCAPE '\'`)
	}
	created := l.engine.createdAt("b.body")
	order := orderBy(map[string]string{"created_at": created, "description": "b.description", "type": "b.type"},
		f.Sort, created+" DESC", "b.id DESC")
	return list(ctx, l, s, benefitColumns, order, p, scanBenefit)
}

// inMetadata keeps benefits whose metadata have one of the values under a key. A
// number or a truth value counts as its JSON text.
func (e engine) inMetadata(s *selection, key string, values []string) {
	if e.name == "postgres" {
		in(s, "b.metadata::json ->> "+s.arg(key)+"::text", values)
		return
	}
	s.and(`EXISTS (SELECT 1 FROM json_each(b.metadata) j WHERE j.key = ` + s.arg(key) + `
		AND CASE WHEN j.type IN ('true', 'false') THEN j.type ELSE CAST(j.value AS TEXT) END IN (` + places(s, values) + `))`)
}

// Benefit returns a benefit, a deleted one too.
func (l *Ledger) Benefit(ctx context.Context, id string) (grant.Benefit, error) {
	s := selection{from: "benefits b"}
	in(&s, "b.id", []string{id})
	return one(ctx, l, s, benefitColumns, "", scanBenefit)
}

// createdAt reads the time out of a stored body. Only the few benefits are
// sorted by it; grants and license keys have a column.
func (e engine) createdAt(body string) string {
	json := body
	if e.name == "postgres" {
		json += "::json"
	}
	return "CASE WHEN " + body + " = '' THEN '' ELSE coalesce(" + json + " ->> 'created_at', '') END"
}
