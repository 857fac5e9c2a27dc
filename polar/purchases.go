package polar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"fulfilld/grant"
)

type wireSubscription struct {
	common
	CustomerID key             `json:"customer_id"`
	ProductID  key             `json:"product_id"`
	Status     string          `json:"status"`
	PastDueAt  stamp           `json:"past_due_at"`
	CanceledAt stamp           `json:"canceled_at"`
	EndedAt    stamp           `json:"ended_at"`
	PausedAt   stamp           `json:"paused_at"`
	Fields     json.RawMessage `json:"custom_field_data"`
	Customer   json.RawMessage `json:"customer"`
	Product    json.RawMessage `json:"product"`
}

// subscriptionOf reads one of a customer's, which does not name the customer.
func subscriptionOf(text json.RawMessage, path string, sent time.Time) (grant.Subscription, error) {
	var w wireSubscription
	if err := fill(text, path, &w); err != nil {
		return grant.Subscription{}, err
	}
	s := w.noun(sent)
	s.Body = terms(text)
	return s, need(path, id{"id", w.ID})
}

// termKeys are those of a subscription in a customer's state, in its order.
var termKeys = []string{
	"id", "created_at", "modified_at", "custom_field_data", "metadata", "status", "amount", "currency", "recurring_interval",
	"current_period_start", "current_period_end", "trial_start", "trial_end", "cancel_at_period_end", "canceled_at",
	"started_at", "ends_at", "product_id", "discount_id", "meters",
}

// meterKeys are those of its meters there.
var meterKeys = []string{"created_at", "modified_at", "id", "consumed_units", "credited_units", "amount", "meter_id"}

// terms are what a customer's state tells of a subscription. Nobody else is in it,
// and of its meters only the amounts are: subscription.* have each meter whole.
func terms(text json.RawMessage) json.RawMessage {
	var all map[string]json.RawMessage
	if json.Unmarshal(text, &all) != nil {
		return nil
	}
	if meters, ok := all["meters"]; ok {
		all["meters"] = amounts(meters)
	}
	return kept(pick(all, termKeys))
}

// pick is an object with some of another's fields, in their order.
func pick(all map[string]json.RawMessage, keys []string) json.RawMessage {
	out := []byte("{")
	for _, k := range keys {
		if v, ok := all[k]; ok {
			out = fmt.Appendf(out, ",%q:%s", k, v)
		}
	}
	return bytes.Replace(append(out, '}'), []byte("{,"), []byte("{"), 1)
}

// amounts are the meters of a subscription as a customer's state has them, or as
// they came where they are no list of objects.
func amounts(text json.RawMessage) json.RawMessage {
	var all []map[string]json.RawMessage
	if json.Unmarshal(text, &all) != nil || all == nil {
		return text
	}
	out := []byte("[")
	for _, m := range all {
		out = append(append(out, ','), pick(m, meterKeys)...)
	}
	return bytes.Replace(append(out, ']'), []byte("[,"), []byte("["), 1)
}

func (w *wireSubscription) noun(sent time.Time) grant.Subscription {
	return grant.Subscription{
		ID: string(w.ID), CustomerID: string(w.CustomerID), ProductID: string(w.ProductID), Status: plain(w.Status),
		PastDueAt: w.PastDueAt.Time, CanceledAt: w.CanceledAt.Time, EndedAt: w.EndedAt.Time, PausedAt: w.PausedAt.Time,
		Fields: kept(w.Fields), Version: w.version(sent),
	}
}

// subscriptionNews reads subscription.*, with the customer and the product.
func subscriptionNews(text json.RawMessage, sent time.Time) (grant.News, error) {
	var w wireSubscription
	if err := fill(text, "data", &w); err != nil {
		return grant.News{}, err
	}
	s := w.noun(sent)
	s.Body = terms(text)
	return grant.News{
		Subscriptions: []grant.Subscription{s},
		Customers:     embedded(w.Customer, sent, customerOf),
		Products:      embedded(w.Product, sent, productOf),
	}, need("data", id{"id", w.ID}, id{"customer_id", w.CustomerID})
}

type wireOrder struct {
	common
	CustomerID     key             `json:"customer_id"`
	ProductID      key             `json:"product_id"`
	SubscriptionID key             `json:"subscription_id"`
	Status         string          `json:"status"`
	Total          int64           `json:"total_amount"`
	Fields         json.RawMessage `json:"custom_field_data"`
	Customer       json.RawMessage `json:"customer"`
}

// orderNews reads order.*, with the customer. The product in it does not list
// its benefits, so it says nothing of use.
func orderNews(w wireOrder, sent time.Time) (grant.News, error) {
	return grant.News{
		Orders: []grant.Order{{
			ID: string(w.ID), CustomerID: string(w.CustomerID), ProductID: string(w.ProductID), SubscriptionID: string(w.SubscriptionID),
			Status: plain(w.Status), Total: w.Total, Fields: kept(w.Fields), Version: w.version(sent),
		}},
		Customers: embedded(w.Customer, sent, customerOf),
	}, need("data", id{"id", w.ID}, id{"customer_id", w.CustomerID})
}

type wireRefund struct {
	common
	OrderID        key    `json:"order_id"`
	Status         string `json:"status"`
	Amount         int64  `json:"amount"`
	TaxAmount      int64  `json:"tax_amount"`
	RevokeBenefits bool   `json:"revoke_benefits"`
}

func refundNews(w wireRefund, sent time.Time) (grant.News, error) {
	return grant.News{Refunds: []grant.Refund{{
		ID: string(w.ID), OrderID: string(w.OrderID), Status: plain(w.Status), Amount: w.Amount + w.TaxAmount,
		RevokeBenefits: w.RevokeBenefits, Version: w.version(sent),
	}}}, need("data", id{"id", w.ID}, id{"order_id", w.OrderID})
}
