package handlers

import (
	"net/http"
	"strconv"

	"fulfilld/grant"
)

func listCustomerMeters(l MeterList, known meters) endpoint {
	return func(r *http.Request) (any, error) {
		q := queryOf(r)
		f := grant.CustomerMeterFilter{
			OrganizationIDs: q.ids("organization_id"), CustomerIDs: q.ids("customer_id"), MeterIDs: q.ids("meter_id"),
			ExternalCustomerIDs: q.texts("external_customer_id"), Names: known,
			Sort: q.sorting("created_at", "modified_at", "customer_id", "customer_name", "meter_id", "meter_name", "consumed_units", "credited_units", "balance"),
		}
		p := q.page()
		if err := q.err(); err != nil {
			return nil, err
		}
		all, total, err := l.CustomerMeters(r.Context(), f, p)
		return listingOf(all, total, p, known.customerMeter), err
	}
}

func getCustomerMeter(l MeterList, known meters) endpoint {
	return func(r *http.Request) (any, error) {
		id, err := pathID(r)
		if err != nil {
			return nil, err
		}
		m, err := l.CustomerMeter(r.Context(), id)
		return known.customerMeter(m), err
	}
}

// balanceItem is how a customer's meter stands, as the platform's state of a
// customer has it.
type balanceItem struct {
	ID         string `json:"id"`
	CreatedAt  stamp  `json:"created_at"`
	ModifiedAt stamp  `json:"modified_at"`
	MeterID    string `json:"meter_id"`
	Consumed   amount `json:"consumed_units"`
	Credited   int64  `json:"credited_units"`
	Balance    amount `json:"balance"`
}

func balanceOf(m grant.CustomerMeter) balanceItem {
	return balanceItem{m.ID, stamp(m.CreatedAt), stamp(m.ModifiedAt), m.MeterID, amount(m.Consumed), m.Credited, amount(m.Balance())}
}

// amount is a number that the platform writes with a fraction. Ours are whole.
type amount int64

// MarshalJSON implements json.Marshaler.
func (a amount) MarshalJSON() ([]byte, error) {
	return append(strconv.AppendInt(nil, int64(a), 10), ".0"...), nil
}

// customerMeterItem is the platform's CustomerMeter.
type customerMeterItem struct {
	ID         string    `json:"id"`
	CreatedAt  stamp     `json:"created_at"`
	ModifiedAt stamp     `json:"modified_at"`
	CustomerID string    `json:"customer_id"`
	MeterID    string    `json:"meter_id"`
	Consumed   amount    `json:"consumed_units"`
	Credited   int64     `json:"credited_units"`
	Balance    amount    `json:"balance"`
	Customer   any       `json:"customer"`
	Meter      meterItem `json:"meter"`
}

func (all meters) customerMeter(m grant.CustomerMeter) customerMeterItem {
	return customerMeterItem{
		m.ID, stamp(m.CreatedAt), stamp(m.ModifiedAt), m.Customer.ID, m.MeterID, amount(m.Consumed), m.Credited, amount(m.Balance()),
		customerItem(m.Customer), meterOf(all.of(m.MeterID), m),
	}
}

// meterItem is the platform's Meter. What it says of events is ours; created_at
// is when anybody's was first used here.
type meterItem struct {
	Metadata         struct{}    `json:"metadata"`
	CreatedAt        stamp       `json:"created_at"`
	ModifiedAt       stamp       `json:"modified_at"`
	ID               string      `json:"id"`
	Name             string      `json:"name"`
	Unit             string      `json:"unit"`
	CustomLabel      text        `json:"custom_label"`
	CustomMultiplier *int64      `json:"custom_multiplier"`
	Filter           eventFilter `json:"filter"`
	Aggregation      aggregation `json:"aggregation"`
	OrganizationID   string      `json:"organization_id"`
	ArchivedAt       stamp       `json:"archived_at"`
}

type eventFilter struct {
	Conjunction string        `json:"conjunction"`
	Clauses     []eventClause `json:"clauses"`
}

type eventClause struct {
	Property string `json:"property"`
	Operator string `json:"operator"`
	Value    string `json:"value"`
}

type aggregation struct {
	Func     string `json:"func"`
	Property string `json:"property,omitempty"`
}

func meterOf(m grant.Meter, of grant.CustomerMeter) meterItem {
	item := meterItem{
		CreatedAt: stamp(of.MeterSince), ID: m.ID, Name: m.Name, Unit: "scalar", OrganizationID: of.Customer.OrganizationID,
		Filter: eventFilter{"and", []eventClause{}}, Aggregation: aggregation{Func: "count"},
	}
	if m.Event != "" {
		item.Filter.Clauses = append(item.Filter.Clauses, eventClause{"name", "eq", m.Event})
	}
	if m.Units != "" {
		item.Aggregation = aggregation{"sum", m.Units}
	}
	return item
}
