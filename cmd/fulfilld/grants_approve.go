package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"fulfilld/grant"
	"fulfilld/ledger"
)

// approvals implements handlers.Approvals; what became due is done at once.
type approvals struct {
	*ledger.Ledger
	offer func([]grant.Due)
}

// Approve implements handlers.Approvals.
func (a approvals) Approve(ctx context.Context, provider, name string) (int, error) {
	due, err := a.Ledger.Approve(ctx, provider, name)
	a.offer(due)
	return len(due), err
}

func grantsApprove(connect connector) *cobra.Command {
	return &cobra.Command{
		Use:   "approve [RESOURCE]",
		Short: "Let the removals from a resource go on that wait for you; without one, list what waits",
		Long: `Let the removals from a resource go on. When an edit of a benefit or of the
config would take it from more accounts than max_removals within ten minutes,
the rest waits for this word, which holds for an hour.`,
		Example: `  fulfilld grants approve
  fulfilld grants approve github:acme/pro`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return ask(cmd, connect, http.MethodGet, "/v1/approvals/", nil, listApprovals)
			}
			q := url.Values{"resource": {args[0]}}
			return ask(cmd, connect, http.MethodPost, "/v1/approvals/", q, func(w io.Writer, v struct{ Due int }) error {
				_, err := fmt.Fprintf(w, "Approved for an hour: removals from %s. %d go on now.\n", plain(args[0]), v.Due)
				return err
			})
		},
	}
}

func listApprovals(w io.Writer, v struct {
	Items []struct{ Resource, Why string }
}) error {
	t := newTable(w, "RESOURCE", "WHY")
	for _, a := range v.Items {
		t.row(a.Resource, a.Why)
	}
	return t.Flush()
}
