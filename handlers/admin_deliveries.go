package handlers

import (
	"context"
	"net/http"

	"fulfilld/grant"
)

// Deliveries is what endpoints are told.
type Deliveries interface {
	Deliveries(ctx context.Context, f grant.DeliveryFilter, p grant.Page) ([]grant.Delivery, int64, error)

	// Redeliver makes one due now that was not delivered, or with an empty id all
	// of them, has endpoints called again that were switched off, and returns how
	// many deliveries that are.
	Redeliver(ctx context.Context, id string) (int64, error)
}

// deliveryItem is a delivery without what it says; its id is the webhook-id.
type deliveryItem struct {
	ID          string              `json:"id"`
	Endpoint    string              `json:"endpoint"`
	Type        string              `json:"type"`
	Subject     string              `json:"subject"` // the id of the grant, or of the benefit
	State       grant.DeliveryState `json:"state"`
	Sequence    int64               `json:"sequence"`
	CreatedAt   stamp               `json:"created_at"`
	DueAt       stamp               `json:"due_at"`
	DeliveredAt stamp               `json:"delivered_at"`
	Attempts    int                 `json:"attempts"` // failed ones in a row
	LastError   text                `json:"last_error"`
}

func deliveryOf(d grant.Delivery) deliveryItem {
	return deliveryItem{
		d.ID, d.Endpoint, d.Type, d.Subject, d.State(), d.Seq, stamp(d.CreatedAt), stamp(d.DueAt), stamp(d.DoneAt), d.Attempts, text(d.Error),
	}
}

func listDeliveries(l Deliveries) endpoint {
	return func(r *http.Request) (any, error) {
		q := queryOf(r)
		f := grant.DeliveryFilter{
			States:    words(q, "state", grant.DeliveryWaiting, grant.DeliveryDelivered, grant.DeliveryFailed),
			Types:     words(q, "type", grant.Tells[:]...),
			Endpoints: q.texts("endpoint"),
		}
		p := q.page()
		if err := q.err(); err != nil {
			return nil, err
		}
		all, total, err := l.Deliveries(r.Context(), f, p)
		return listingOf(all, total, p, deliveryOf), err
	}
}

// redelivered says how many deliveries are tried again.
type redelivered struct {
	Due int64 `json:"due"`
}

func redeliver(l Deliveries) endpoint {
	return func(r *http.Request) (any, error) {
		id, err := pathID(r)
		if err != nil {
			return nil, err
		}
		n, err := l.Redeliver(r.Context(), id)
		if err == nil && n == 0 {
			err = notFound()
		}
		return redelivered{n}, err
	}
}

func redeliverAll(l Deliveries) endpoint {
	return func(r *http.Request) (any, error) {
		n, err := l.Redeliver(r.Context(), "")
		return redelivered{n}, err
	}
}
