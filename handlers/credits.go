package handlers

import (
	"context"
	"net/http"
	"slices"

	"fulfilld/grant"
)

// MeterList is where customers' meters are looked up.
type MeterList interface {
	CustomerMeters(ctx context.Context, f grant.CustomerMeterFilter, p grant.Page) ([]grant.CustomerMeter, int64, error)
	CustomerMeter(ctx context.Context, id string) (grant.CustomerMeter, error)
	CreditEntries(ctx context.Context, customer string, p grant.Page) ([]grant.CreditEntry, int64, error)
}

// CreditLedger keeps the accounts of credits.
type CreditLedger interface {
	MeterList
	Customer(ctx context.Context, id string) (grant.Customer, error)
	// Consume records what events consume: all of them, or none.
	Consume(ctx context.Context, events []grant.Usage) (grant.Consumption, error)
}

// creditRoutes are the platform's, for meters of ours.
func creditRoutes(l CreditLedger, known meters) map[string]route {
	read := []string{"customer_meters:read"}
	return map[string]route{
		"POST /v1/events/ingest":         {[]string{"events:write"}, ingest(l, known)},
		"GET /v1/customer-meters/{$}":    {read, listCustomerMeters(l, known)},
		"GET /v1/customer-meters/{id}":   {read, getCustomerMeter(l, known)},
		"GET /v1/customers/{id}/credits": {nil, listCredits(l, known)},
	}
}

// meters are the operator's.
type meters []grant.Meter

// of is a meter by its id. One that the operator has not set up has its id for a name.
func (all meters) of(id string) grant.Meter {
	if i := slices.IndexFunc(all, func(m grant.Meter) bool { return m.ID == id }); i >= 0 {
		return all[i]
	}
	return grant.Meter{ID: id, Name: id}
}

// creditsItem is how a customer's meters stand, and how they came to.
type creditsItem struct {
	Meters  []namedBalance     `json:"meters"`
	Entries listing[entryItem] `json:"entries"`
}

type namedBalance struct {
	balanceItem
	Name string `json:"name"`
}

// entryItem is an entry of a customer's meter.
type entryItem struct {
	ID           int64           `json:"id"`
	MeterID      string          `json:"meter_id"`
	Meter        string          `json:"meter"`
	Kind         grant.EntryKind `json:"kind"`
	Units        int64           `json:"units"`     // less than 0: taken
	Remaining    int64           `json:"remaining"` // of what was added
	SourceID     *int64          `json:"source_id"` // the entry that it takes from
	FulfilmentID text            `json:"fulfilment_id"`
	MemberID     text            `json:"member_id"`
	EventID      text            `json:"external_event_id"`
	ExpiresAt    stamp           `json:"expires_at"`
	OccurredAt   stamp           `json:"occurred_at"`
	CreatedAt    stamp           `json:"created_at"`
}

func (all meters) entry(e grant.CreditEntry) entryItem {
	item := entryItem{
		ID: e.ID, MeterID: e.MeterID, Meter: all.of(e.MeterID).Name, Kind: e.Kind, Units: e.Units, Remaining: e.Remaining,
		FulfilmentID: text(e.FulfilmentID), MemberID: text(e.MemberID), EventID: text(e.EventID),
		ExpiresAt: stamp(e.ExpiresAt), OccurredAt: stamp(e.OccurredAt), CreatedAt: stamp(e.CreatedAt),
	}
	if e.Source != 0 {
		item.SourceID = &e.Source
	}
	return item
}

// customersMeters is more than any customer has.
var customersMeters = grant.Page{Number: 1, Limit: 1000}

// metersOfCustomer are all of a customer's, in an order that stays.
func metersOfCustomer(ctx context.Context, l MeterList, id string) ([]grant.CustomerMeter, error) {
	all, _, err := l.CustomerMeters(ctx, grant.CustomerMeterFilter{CustomerIDs: []string{id}, Sort: []grant.Sorting{{By: "meter_id"}}}, customersMeters)
	return all, err
}

// listCredits answers how a customer's meters stand, and a page of their entries.
// A deleted one has entries still, and no meters.
func listCredits(l CreditLedger, known meters) endpoint {
	return func(r *http.Request) (any, error) {
		id, err := pathID(r)
		if err != nil {
			return nil, err
		}
		q := queryOf(r)
		p := q.page()
		if err := q.err(); err != nil {
			return nil, err
		}
		if _, err := l.Customer(r.Context(), id); err != nil {
			return nil, err
		}
		out := creditsItem{Meters: []namedBalance{}}
		all, err := metersOfCustomer(r.Context(), l, id)
		if err != nil {
			return nil, err
		}
		for _, m := range all {
			out.Meters = append(out.Meters, namedBalance{balanceOf(m), known.of(m.MeterID).Name})
		}
		entries, total, err := l.CreditEntries(r.Context(), id, p)
		out.Entries = listingOf(entries, total, p, known.entry)
		return out, err
	}
}
