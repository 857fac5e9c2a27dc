package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"fulfilld/config"
	"fulfilld/grant"
	"fulfilld/internal/outbound"
	"fulfilld/ledger"
	"fulfilld/tasks"
)

// listeners are the endpoints that want to be told of something, by its type.
func listeners(all []config.Endpoint) map[string][]string {
	by := map[string][]string{}
	for _, e := range all {
		types := e.Events
		if len(types) == 0 {
			types = grant.Tells[:]
		}
		for _, typ := range types {
			by[typ] = append(by[typ], e.Name)
		}
	}
	return by
}

func endpoints(all []config.Endpoint) (to []tasks.Endpoint) {
	for _, e := range all {
		to = append(to, tasks.Endpoint{Name: e.Name, URL: e.URL, Secrets: e.Secrets,
			Client: outbound.New(outbound.Options{AllowPrivate: e.AllowPrivate})})
	}
	return to
}

func endpointNames(all []config.Endpoint) (names []string) {
	for _, e := range all {
		names = append(names, e.Name)
	}
	return names
}

// deliveries implements handlers.Deliveries.
type deliveries struct {
	*ledger.Ledger
	resume func()
}

// Redeliver implements handlers.Deliveries.
func (d deliveries) Redeliver(ctx context.Context, id string) (int64, error) {
	n, err := d.Ledger.Redeliver(ctx, id)
	if err == nil {
		d.resume()
	}
	return n, err
}

// shownDelivery is what the CLI reads of a delivery.
type shownDelivery struct {
	ID, Endpoint, Type, Subject, State string
	LastError                          string     `json:"last_error"`
	CreatedAt                          *time.Time `json:"created_at"`
	DueAt                              *time.Time `json:"due_at"`
}

func deliveriesCommand(connect connector) *cobra.Command {
	cmd := &cobra.Command{Use: "deliveries", Short: "List what endpoints are told, try again what they did not take"}
	addAdminFlags(cmd)
	cmd.AddCommand(deliveriesList(connect), deliveriesRetry(connect))
	return cmd
}

func deliveriesList(connect connector) *cobra.Command {
	var p paging
	var states, types, to []string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List deliveries, the latest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := p.query()
			q["state"], q["type"], q["endpoint"] = states, types, to
			return ask(cmd, connect, http.MethodGet, "/v1/deliveries/", q, func(w io.Writer, v pageOf[shownDelivery]) error {
				t := newTable(w, "DELIVERY", "ENDPOINT", "TYPE", "ABOUT", "STATE", "CREATED", "NEXT", "WHY")
				for _, d := range v.Items {
					t.row(d.ID, d.Endpoint, d.Type, d.Subject, d.State, when(d.CreatedAt), when(d.DueAt), short(d.LastError, 60))
				}
				return errors.Join(t.Flush(), p.footer(w, v.Pagination.MaxPage, v.Pagination.TotalCount))
			})
		},
	}
	cmd.Flags().StringSliceVar(&states, "state", nil, "only in these states: waiting, delivered, failed")
	cmd.Flags().StringSliceVar(&types, "type", nil, "only of these types, such as benefit_grant.created")
	cmd.Flags().StringSliceVar(&to, "endpoint", nil, "only to these endpoints")
	p.add(cmd)
	return cmd
}

func deliveriesRetry(connect connector) *cobra.Command {
	return &cobra.Command{
		Use:   "retry [ID]",
		Short: "Try a delivery again now, or all that were not made; calls endpoints again that were switched off",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/v1/deliveries/retry"
			if len(args) == 1 {
				id, err := objectID(args[0])
				if err != nil {
					return err
				}
				path = "/v1/deliveries/" + id + "/retry"
			}
			return ask(cmd, connect, http.MethodPost, path, nil, func(w io.Writer, v struct{ Due int64 }) error {
				_, err := fmt.Fprintf(w, "%d will be tried now; see `fulfilld deliveries list`.\n", v.Due)
				return err
			})
		},
	}
}
