package main

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

// shownState is what the CLI reads of a customer's state.
type shownState struct {
	shownCustomer
	Subscriptions []struct {
		ID, Status string
		ProductID  string     `json:"product_id"`
		PeriodEnd  *time.Time `json:"current_period_end"`
	} `json:"active_subscriptions"`
	Benefits []struct {
		ID         string
		Type       string     `json:"benefit_type"`
		BenefitID  string     `json:"benefit_id"`
		GrantedAt  *time.Time `json:"granted_at"`
		Properties json.RawMessage
	} `json:"granted_benefits"`
	Meters []struct {
		MeterID  string      `json:"meter_id"`
		Credited json.Number `json:"credited_units"`
		Consumed json.Number `json:"consumed_units"`
		Balance  json.Number
	} `json:"active_meters"`
	Flags map[string]struct {
		BenefitID string `json:"benefit_id"`
		Metadata  json.RawMessage
	}
}

func customersState(connect connector) *cobra.Command {
	return &cobra.Command{
		Use:   "state ID",
		Short: "Show what your program sees of a customer: subscriptions, benefits that are granted, credits and flags",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := objectID(args[0])
			if err != nil {
				return err
			}
			return ask(cmd, connect, http.MethodGet, "/v1/customers/"+id+"/state", nil, showState)
		},
	}
}

func showState(w io.Writer, s shownState) error {
	t := newTable(w, "CUSTOMER", "E-MAIL", "EXTERNAL ID")
	t.row(s.ID, s.Email, short(s.ExternalID, 36))
	t = t.next(w, "FLAG", "BENEFIT", "METADATA")
	for _, key := range slices.Sorted(maps.Keys(s.Flags)) {
		t.row(key, s.Flags[key].BenefitID, short(string(s.Flags[key].Metadata), 60))
	}
	t = t.next(w, "GRANT", "TYPE", "BENEFIT", "GRANTED", "PROPERTIES")
	for _, b := range s.Benefits {
		t.row(b.ID, b.Type, b.BenefitID, when(b.GrantedAt), short(string(b.Properties), 60))
	}
	t = t.next(w, "METER", "CREDITED", "CONSUMED", "BALANCE")
	for _, m := range s.Meters {
		t.row(m.MeterID, m.Credited.String(), m.Consumed.String(), m.Balance.String())
	}
	t = t.next(w, "SUBSCRIPTION", "STATUS", "PRODUCT", "PERIOD ENDS")
	for _, p := range s.Subscriptions {
		t.row(p.ID, p.Status, p.ProductID, when(p.PeriodEnd))
	}
	return t.Flush()
}
