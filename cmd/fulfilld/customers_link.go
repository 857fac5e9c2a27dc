package main

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// shownAccount is what the CLI reads of an account.
type shownAccount struct {
	Provider, Name, How string
	AccountID           string     `json:"account_id"`
	MemberID            string     `json:"member_id"`
	LinkedAt            *time.Time `json:"linked_at"`
	Verified            bool
}

// listAccounts shows nothing where nothing is known.
func listAccounts(w io.Writer, all []shownAccount) error {
	if len(all) == 0 {
		return nil
	}
	t := newTable(w, "ACCOUNT", "NAME", "MEMBER", "HOW", "VERIFIED", "SINCE")
	for _, a := range all {
		verified := map[bool]string{true: "yes", false: "no"}[a.Verified]
		t.row(a.Provider+":"+a.AccountID, a.Name, a.MemberID, a.How, verified, when(a.LinkedAt))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

func customersLink(connect connector) *cobra.Command {
	var member string
	cmd := &cobra.Command{
		Use:   "link CUSTOMER PROVIDER:ACCOUNT",
		Short: "Say which account at a provider is a customer's, or a member's",
		Long: `Say which account at a provider is a customer's, or with --member a member's.
What is granted to them is done for that account at once, instead of the one
that they had.`,
		Example: `  fulfilld customers link 0b1c6a96-b1f5-4ab2-8f4a-a46764e29b77 github:octocat
  fulfilld customers link 0b1c6a96-b1f5-4ab2-8f4a-a46764e29b77 discord:80351110224678912`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, member, err := whose(args[0], member)
			if err != nil {
				return err
			}
			provider, account, ok := strings.Cut(args[1], ":")
			if !ok || !providerName.MatchString(provider) || account == "" {
				return fmt.Errorf("%q is no account; it looks like github:octocat or discord:80351110224678912", args[1])
			}
			body := map[string]string{"provider": provider, "account": account, "member_id": member}
			return exchange(cmd, connect, request{http.MethodPost, "/v1/customers/" + id + "/accounts", nil, body}, func(w io.Writer, a linkedAccount) error {
				_, err := fmt.Fprintf(w, "%s is now the account of %s. %d became due.\n", plain(a.name()), cmp.Or(member, id), a.Due)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&member, "member", "", "this member's, not the customer's own (id)")
	return cmd
}

// linkedAccount is an account with how many fulfilments its linking made due.
type linkedAccount struct {
	shownAccount
	Due int
}

func (a shownAccount) name() string {
	name := a.Provider + ":" + a.AccountID
	if a.Name != "" {
		name += " (" + a.Name + ")"
	}
	return name
}

func customersUnlink(connect connector) *cobra.Command {
	var member string
	cmd := &cobra.Command{
		Use:   "unlink CUSTOMER PROVIDER",
		Short: "Forget a linked account; what it has stays until another account is known, or the grant ends",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, member, err := whose(args[0], member)
			if err != nil {
				return err
			}
			if !providerName.MatchString(args[1]) {
				return fmt.Errorf("%q is no provider; write one such as github or discord", args[1])
			}
			q := url.Values{}
			if member != "" {
				q.Set("member_id", member)
			}
			return ask(cmd, connect, http.MethodDelete, "/v1/customers/"+id+"/accounts/"+args[1], q, func(w io.Writer, v struct{ Due int }) error {
				_, err := fmt.Fprintf(w, "The linked %s account of %s is forgotten. %d became due.\n", args[1], cmp.Or(member, id), v.Due)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&member, "member", "", "this member's, not the customer's own (id)")
	return cmd
}

var providerName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// whose checks the ids of a customer and, unless empty, of a member.
func whose(customer, member string) (string, string, error) {
	customer, err := objectID(customer)
	if err != nil || member == "" {
		return customer, "", err
	}
	member, err = objectID(member)
	return customer, member, err
}
