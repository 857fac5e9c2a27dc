package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// shownCredits is what the CLI reads of a customer's credits.
type shownCredits struct {
	Meters []struct {
		Name     string
		MeterID  string  `json:"meter_id"`
		Credited int64   `json:"credited_units"`
		Consumed float64 `json:"consumed_units"`
		Balance  float64
	}
	Entries pageOf[struct {
		ID, Units, Remaining int64
		Meter, Kind          string
		SourceID             int64      `json:"source_id"`
		FulfilmentID         string     `json:"fulfilment_id"`
		EventID              string     `json:"external_event_id"`
		ExpiresAt            *time.Time `json:"expires_at"`
		CreatedAt            *time.Time `json:"created_at"`
	}]
}

// creditsCommand is how an operator sees where a customer's credits went.
func creditsCommand(connect connector) *cobra.Command {
	cmd := &cobra.Command{Use: "credits", Short: "Show what a customer has left of each meter, and why"}
	addAdminFlags(cmd)
	cmd.AddCommand(creditsShow(connect))
	return cmd
}

func creditsShow(connect connector) *cobra.Command {
	var p paging
	cmd := &cobra.Command{
		Use:   "show CUSTOMER",
		Short: "Show a customer's balances and their entries, the newest first",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := objectID(args[0])
			if err != nil {
				return err
			}
			return ask(cmd, connect, http.MethodGet, "/v1/customers/"+id+"/credits", p.query(), func(w io.Writer, c shownCredits) error {
				return errors.Join(showCredits(w, c), p.footer(w, c.Entries.Pagination.MaxPage, c.Entries.Pagination.TotalCount))
			})
		},
	}
	p.add(cmd)
	return cmd
}

func showCredits(w io.Writer, c shownCredits) error {
	t := newTable(w, "METER", "ID", "CREDITED", "CONSUMED", "BALANCE")
	for _, m := range c.Meters {
		t.row(m.Name, m.MeterID, fmt.Sprint(m.Credited), fmt.Sprintf("%.0f", m.Consumed), fmt.Sprintf("%.0f", m.Balance))
	}
	t = t.next(w, "ENTRY", "WHEN", "METER", "KIND", "UNITS", "LEFT", "OF", "FOR", "EXPIRES")
	for _, e := range c.Entries.Items {
		left, of := "", ""
		if e.Units > 0 {
			left = fmt.Sprint(e.Remaining)
		}
		if e.SourceID > 0 {
			of = fmt.Sprint(e.SourceID)
		}
		t.row(fmt.Sprint(e.ID), when(e.CreatedAt), short(e.Meter, 24), e.Kind, fmt.Sprintf("%+d", e.Units), left, of, short(e.FulfilmentID+e.EventID, 52), when(e.ExpiresAt))
	}
	return t.Flush()
}
