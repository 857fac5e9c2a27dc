package main

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// customersSession makes a link that shows a customer what they have bought.
func customersSession(connect connector) *cobra.Command {
	var member string
	cmd := &cobra.Command{
		Use:   "session CUSTOMER",
		Short: "Make a link to the page on which a customer, or a member, sees what they have bought",
		Long: `Make a link to the page on which a customer sees what they have bought: keys,
files, invitations, and what they have to do. Whoever has the link sees it, so
send it to nobody else. It expires after customer_page.session_ttl.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, member, err := whose(args[0], member)
			if err != nil {
				return err
			}
			body := map[string]string{"customer_id": id}
			if member != "" {
				body["member_id"] = member
			}
			return exchange(cmd, connect, request{http.MethodPost, "/v1/customer-sessions/", nil, body}, func(w io.Writer, s madeSession) error {
				_, err := fmt.Fprintf(w, "%s\nGood until %s.\n", plain(s.URL), exactly(s.ExpiresAt))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&member, "member", "", "only what is this member's (id)")
	return cmd
}

type madeSession struct {
	URL       string     `json:"customer_portal_url"`
	ExpiresAt *time.Time `json:"expires_at"`
}
