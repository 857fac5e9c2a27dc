package ledger

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fulfilld/grant"
)

const viewColumns = `g.id, g.benefit_id, g.customer_id, g.member_id, g.subscription_id, g.order_id, g.source,
	g.created_at, g.modified_at, g.granted_at, g.revoked_at, g.first_granted_at, g.error, g.properties, g.word, g.override, g.override_until,
	coalesce(b.organization_id, ''), coalesce(b.type, ''), coalesce(b.description, ''), coalesce(b.deleted_at, 0), coalesce(b.body, ''),
	coalesce(c.organization_id, ''), coalesce(c.external_id, ''), coalesce(c.email, ''), coalesce(c.name, ''), coalesce(c.deleted_at, 0), coalesce(c.body, ''),
	coalesce(m.deleted_at, 0), coalesce(m.body, '')`

const viewTables = `grants g
	LEFT JOIN benefits b ON b.id = g.benefit_id
	LEFT JOIN customers c ON c.id = g.customer_id
	LEFT JOIN members m ON m.id = g.member_id`

func scanView(r rowScanner) (v grant.View, err error) {
	var created, modified, granted, revoked, first, until, benefitGone, customerGone, memberGone int64
	var failure, properties, benefit, customer, member string
	err = r.Scan(&v.ID, &v.BenefitID, &v.CustomerID, &v.MemberID, &v.SubscriptionID, &v.OrderID, &v.Source,
		&created, &modified, &granted, &revoked, &first, &failure, &properties, &v.Word, &v.Override.Desired, &until,
		&v.Benefit.OrganizationID, &v.Benefit.Type, &v.Benefit.Description, &benefitGone, &benefit,
		&v.Customer.OrganizationID, &v.Customer.ExternalID, &v.Customer.Email, &v.Customer.Name, &customerGone, &customer,
		&memberGone, &member)
	v.CreatedAt, v.ModifiedAt, v.GrantedAt, v.RevokedAt = timeOf(created), timeOf(modified), timeOf(granted), timeOf(revoked)
	v.FirstGrantedAt, v.Override.Until = timeOf(first), timeOf(until)
	v.Error, v.Grant.Properties = raw(failure), raw(properties)
	v.Benefit.ID, v.Benefit.DeletedAt, v.Benefit.Body = v.BenefitID, timeOf(benefitGone), raw(benefit)
	v.Customer.ID, v.Customer.DeletedAt, v.Customer.Body = v.CustomerID, timeOf(customerGone), raw(customer)
	if member != "" {
		v.Member = &grant.Member{ID: v.MemberID, CustomerID: v.CustomerID, DeletedAt: timeOf(memberGone), Body: raw(member)}
	}
	return v, err
}

// Grants lists grants with what has come of them, and counts them. They can be
// sorted by created_at (the default, newest first), granted_at and revoked_at.
func (l *Ledger) Grants(ctx context.Context, f grant.GrantFilter, p grant.Page) ([]grant.View, int64, error) {
	s := selection{from: "grants g"}
	in(&s, "g.benefit_id", f.BenefitIDs)
	in(&s, "g.customer_id", f.CustomerIDs)
	in(&s, "g.member_id", f.MemberIDs)
	if len(f.ExternalCustomerIDs) > 0 {
		s.and(`g.customer_id IN (SELECT x.id FROM customers x WHERE x.external_id <> '' AND x.external_id IN (` + places(&s, f.ExternalCustomerIDs) + `))`)
	}
	if len(f.OrganizationIDs) > 0 {
		s.and(`g.benefit_id IN (SELECT x.id FROM benefits x WHERE x.organization_id IN (` + places(&s, f.OrganizationIDs) + `))`)
	}
	inState(&s, f.States)
	if f.Granted != nil {
		s.and(map[bool]string{true: "g.word = 'granted'", false: "g.word <> 'granted'"}[*f.Granted])
	}
	order := orderBy(map[string]string{"created_at": "g.created_at", "granted_at": "g.granted_at", "revoked_at": "g.revoked_at"},
		f.Sort, "g.created_at DESC", "g.id DESC")
	ids, total, err := list(ctx, l, s, "g.id", order, p, func(r rowScanner) (id string, err error) { return id, r.Scan(&id) })
	if err != nil {
		return nil, 0, err
	}
	views, err := l.views(ctx, ids)
	return views, total, err
}

// Grant returns a grant with what has come of it and the journal.
func (l *Ledger) Grant(ctx context.Context, id string) (grant.View, error) {
	views, err := l.views(ctx, []string{id})
	if err != nil {
		return grant.View{}, err
	}
	if len(views) == 0 {
		return grant.View{}, ErrNotFound
	}
	return views[0], l.addJournal(ctx, views[0].Fulfilments)
}

// views reads grants in the order of their ids. The bodies are not read before
// it is known whose: sorting them would be most of the work.
func (l *Ledger) views(ctx context.Context, ids []string) ([]grant.View, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	s := selection{from: viewTables}
	in(&s, "g.id", ids)
	rows, err := l.read.QueryContext(ctx, "SELECT "+viewColumns+s.text(), s.args...)
	if err != nil {
		return nil, err
	}
	views, err := collect(rows, scanView)
	if err != nil {
		return nil, err
	}
	at := map[string]int{}
	for i, id := range ids {
		at[id] = i
	}
	slices.SortFunc(views, func(a, b grant.View) int { return at[a.ID] - at[b.ID] })
	return views, l.addFulfilments(ctx, views)
}

// ofGrant joins a grant g's fulfilments f: a range of the index on their ids.
const ofGrant = `f.id > (g.id || '.') {{bytewise}} AND f.id < (g.id || '/') {{bytewise}}`

// inState keeps grants that show one of the states: the worst of any of their
// fulfilments'. A grant without fulfilments shows unmanaged.
func inState(s *selection, states []grant.State) {
	var ranks []string
	rank := "CASE f.state"
	for i, state := range grant.States {
		rank += fmt.Sprintf(" WHEN '%s' THEN %d", state, i)
		if slices.Contains(states, state) {
			ranks = append(ranks, strconv.Itoa(i))
		}
	}
	condition := `g.id IN (SELECT f.grant_id FROM fulfilments f GROUP BY f.grant_id HAVING min(` + rank + ` END) IN (` + strings.Join(ranks, ", ") + `))`
	switch {
	case len(ranks) == 0:
		return
	case len(states) == 1 && states[0] == grant.States[0]: // nothing is worse, and an index knows them
		condition = `g.id IN (SELECT f.grant_id FROM fulfilments f WHERE f.state = '` + string(grant.States[0]) + `')`
	case slices.Contains(states, grant.Unmanaged):
		condition = `(` + condition + ` OR NOT EXISTS (SELECT 1 FROM fulfilments f WHERE ` + ofGrant + `))`
	}
	s.and(condition)
}
