package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

// shownCustomer is what the CLI reads of a customer.
type shownCustomer struct {
	ID, Email, Name string
	ExternalID      string     `json:"external_id"`
	CreatedAt       *time.Time `json:"created_at"`
	DeletedAt       *time.Time `json:"deleted_at"`
	Accounts        []shownAccount
}

// customersCommand is how an operator finds people, and says whose an account is.
func customersCommand(connect connector) *cobra.Command {
	cmd := &cobra.Command{Use: "customers", Short: "Find customers, show one with what is granted, say which account is theirs"}
	addAdminFlags(cmd)
	cmd.AddCommand(customersList(connect), customersShow(connect), customersState(connect), customersLink(connect), customersUnlink(connect), customersSession(connect))
	return cmd
}

func customersList(connect connector) *cobra.Command {
	var p paging
	cmd := &cobra.Command{
		Use:   "list [QUERY]",
		Short: "List customers: all, or those with an id, an external id, or an e-mail address that begins so",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := p.query()
			if len(args) == 1 {
				q.Set("query", args[0])
			}
			return ask(cmd, connect, http.MethodGet, "/v1/customers/", q, func(w io.Writer, v pageOf[shownCustomer]) error {
				t := newTable(w, "CUSTOMER", "E-MAIL", "NAME", "EXTERNAL ID", "CREATED")
				for _, c := range v.Items {
					t.row(c.ID, c.Email, short(c.Name, 32), short(c.ExternalID, 36), when(c.CreatedAt))
				}
				return errors.Join(t.Flush(), p.footer(w, v.Pagination.MaxPage, v.Pagination.TotalCount))
			})
		},
	}
	p.add(cmd)
	return cmd
}

func customersShow(connect connector) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show a customer, their accounts and their grants",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := objectID(args[0])
			if err != nil {
				return err
			}
			return ask(cmd, connect, http.MethodGet, "/v1/customers/"+id, nil, func(w io.Writer, c shownCustomer) error {
				if err := showCustomer(w, c); err != nil {
					return err
				}
				q := url.Values{"customer_id": {id}, "limit": {"100"}}
				return ask(cmd, connect, http.MethodGet, "/v1/benefit-grants/", q, func(w io.Writer, v pageOf[shownGrant]) error {
					err := listGrants(w, v.Items)
					if more := v.Pagination.TotalCount - int64(len(v.Items)); more > 0 {
						fmt.Fprintf(w, "And %d older: `fulfilld grants list --customer %s`.\n", more, id)
					}
					return err
				})
			})
		},
	}
}

func showCustomer(w io.Writer, c shownCustomer) error {
	for _, field := range [][2]string{
		{"Customer", c.ID}, {"External", c.ExternalID}, {"Name", c.Name}, {"E-mail", c.Email},
		{"Created", exactly(c.CreatedAt)}, {"Deleted", exactly(c.DeletedAt)},
	} {
		if field[1] != "" {
			fmt.Fprintf(w, "%-10s%s\n", field[0], plain(field[1]))
		}
	}
	fmt.Fprintln(w)
	return listAccounts(w, c.Accounts)
}
