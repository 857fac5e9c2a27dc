package ledger

import (
	"context"
	"strings"

	"fulfilld/grant"
)

// metersNow are customers' meters without what has expired, which has not
// lapsed before somebody touches it.
const metersNow = `(SELECT x.id, x.seq, x.customer_id, x.meter_id, x.consumed, x.created_at, x.modified_at,
		x.credited - (SELECT coalesce(sum(e.remaining), 0) FROM credit_entries e
			WHERE e.customer_meter = x.seq AND e.remaining > 0 AND e.expires_at > 0 AND e.expires_at <= {{now}}) AS credited
	FROM customer_meters x) m JOIN customers c ON c.id = m.customer_id AND c.deleted_at = 0`

const customerMeterColumns = `m.id, m.meter_id, m.credited, m.consumed, m.created_at, m.modified_at,
	(SELECT min(y.created_at) FROM customer_meters y WHERE y.meter_id = m.meter_id), ` + customerColumns

func scanCustomerMeter(r rowScanner) (m grant.CustomerMeter, err error) {
	var created, modified, since int64
	m.Customer, err = scanCustomer(ahead{r, []any{&m.ID, &m.MeterID, &m.Credited, &m.Consumed, &created, &modified, &since}})
	m.CreatedAt, m.ModifiedAt, m.MeterSince = timeOf(created), timeOf(modified), timeOf(since)
	return m, err
}

// ahead is a row with columns before those that its scanner knows.
type ahead struct {
	rowScanner
	columns []any
}

// Scan implements rowScanner.
func (a ahead) Scan(into ...any) error { return a.rowScanner.Scan(append(a.columns, into...)...) }

// CustomerMeters lists what customers have of meters, and counts them. They can
// be sorted by created_at, modified_at (the default, newest first), customer_id,
// customer_name, meter_id, meter_name, consumed_units, credited_units and balance.
func (l *Ledger) CustomerMeters(ctx context.Context, f grant.CustomerMeterFilter, p grant.Page) ([]grant.CustomerMeter, int64, error) {
	s := selection{from: metersNow}
	name := s.named(f.Names)
	in(&s, "m.customer_id", f.CustomerIDs)
	in(&s, "m.meter_id", f.MeterIDs)
	in(&s, "c.organization_id", f.OrganizationIDs)
	if len(f.ExternalCustomerIDs) > 0 {
		s.and("c.external_id <> ''")
		in(&s, "c.external_id", f.ExternalCustomerIDs)
	}
	order := orderBy(map[string]string{
		"created_at": "m.created_at", "modified_at": "m.modified_at", "customer_id": "m.customer_id", "customer_name": "c.name",
		"meter_id": "m.meter_id", "meter_name": name, "consumed_units": "m.consumed", "credited_units": "m.credited", "balance": "m.credited - m.consumed",
	}, f.Sort, "m.modified_at DESC", "m.id DESC")
	return list(ctx, l, s, customerMeterColumns, order, p, scanCustomerMeter)
}

// named joins the meters' names, and returns the column of a customer's meter's.
func (s *selection) named(meters []grant.Meter) (column string) {
	if len(meters) == 0 {
		return "m.meter_id"
	}
	rows := make([]string, len(meters))
	for i, m := range meters {
		rows[i] = "SELECT CAST(" + s.arg(m.ID) + " AS TEXT) AS id, CAST(" + s.arg(m.Name) + " AS TEXT) AS name"
	}
	s.from += " LEFT JOIN (" + strings.Join(rows, " UNION ALL ") + ") n ON n.id = m.meter_id"
	return "coalesce(n.name, m.meter_id)"
}

// CustomerMeter returns what a customer has of a meter.
func (l *Ledger) CustomerMeter(ctx context.Context, id string) (grant.CustomerMeter, error) {
	s := selection{from: metersNow}
	in(&s, "m.id", []string{id})
	return one(ctx, l, s, customerMeterColumns, "", scanCustomerMeter)
}

// CreditEntries lists the entries of a customer's meters, the newest first, and
// counts them.
func (l *Ledger) CreditEntries(ctx context.Context, customer string, p grant.Page) ([]grant.CreditEntry, int64, error) {
	s := selection{from: `credit_entries e JOIN customer_meters m ON m.seq = e.customer_meter`}
	in(&s, "m.customer_id", []string{customer})
	return list(ctx, l, s, `e.id, m.meter_id, e.kind, e.units, e.remaining, e.source, e.fulfilment_id, e.member_id, e.entry_key, e.expires_at, e.occurred_at, e.created_at`,
		" ORDER BY e.id DESC", p, scanCreditEntry)
}

func scanCreditEntry(r rowScanner) (e grant.CreditEntry, err error) {
	var expires, occurred, created int64
	var key string
	err = r.Scan(&e.ID, &e.MeterID, &e.Kind, &e.Units, &e.Remaining, &e.Source, &e.FulfilmentID, &e.MemberID, &key, &expires, &occurred, &created)
	e.ExpiresAt, e.OccurredAt, e.CreatedAt = timeOf(expires), timeOf(occurred), timeOf(created)
	if id, ok := strings.CutPrefix(key, eventKey); ok {
		e.EventID = id
	}
	return e, err
}
