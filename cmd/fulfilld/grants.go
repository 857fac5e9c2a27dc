package main

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
)

// shownGrant is what the CLI reads of a grant.
type shownGrant struct {
	ID             string
	CreatedAt      time.Time  `json:"created_at"`
	GrantedAt      *time.Time `json:"granted_at"`
	IsGranted      bool       `json:"is_granted"`
	RevokedAt      *time.Time `json:"revoked_at"`
	IsRevoked      bool       `json:"is_revoked"`
	SubscriptionID string     `json:"subscription_id"`
	OrderID        string     `json:"order_id"`
	MemberID       string     `json:"member_id"`
	CustomerID     string     `json:"customer_id"`
	BenefitID      string     `json:"benefit_id"`
	Error          *struct{ Message string }
	Customer       *shownCustomer
	Benefit        *struct{ Type, Description string }
	State          string
	LastError      *trouble   `json:"last_error"`
	DueAt          *time.Time `json:"due_at"`
	Source         string
	Override       *struct {
		Desired string
		Until   *time.Time
	}
	Fulfilments []shownFulfilment
}

type trouble struct{ Class, Code, Text string }

func (t *trouble) String() string {
	if t == nil {
		return ""
	}
	return strings.TrimSpace(t.Class+" "+t.Code) + ": " + cmp.Or(t.Text, "no more is known")
}

// shop is the shop's word.
func (g shownGrant) shop() string {
	switch {
	case g.IsGranted:
		return "granted"
	case g.IsRevoked:
		return "revoked"
	}
	return "not granted"
}

func (g shownGrant) benefit() string {
	if g.Benefit == nil {
		return g.BenefitID
	}
	return cmp.Or(g.Benefit.Description, g.Benefit.Type, g.BenefitID)
}

func (g shownGrant) customer() string {
	if g.Customer == nil {
		return g.CustomerID
	}
	return cmp.Or(g.Customer.Email, g.Customer.Name, g.CustomerID)
}

// grantsCommand is what an operator does about grants.
func grantsCommand(connect connector) *cobra.Command {
	cmd := &cobra.Command{Use: "grants", Short: "List grants, explain one, try one again, make links to its downloads"}
	addAdminFlags(cmd)
	cmd.AddCommand(grantsList(connect), grantsShow(connect), grantsRetry(connect), grantsDownloads(connect), grantsApprove(connect))
	return cmd
}

func grantsList(connect connector) *cobra.Command {
	var p paging
	var customer, benefit string
	var states []string
	var granted, revoked bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List grants, the newest first",
		Example: `  fulfilld grants list --state failed
  fulfilld grants list --customer 0b1c6a96-b1f5-4ab2-8f4a-a46764e29b77`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := p.query()
			q["state"] = states
			if err := errors.Join(byCustomer(q, customer), byBenefit(q, benefit)); err != nil {
				return err
			}
			if granted || revoked {
				q.Set("is_granted", map[bool]string{true: "true", false: "false"}[granted])
			}
			return ask(cmd, connect, http.MethodGet, "/v1/benefit-grants/", q, func(w io.Writer, v pageOf[shownGrant]) error {
				if err := listGrants(w, v.Items); err != nil {
					return err
				}
				return p.footer(w, v.Pagination.MaxPage, v.Pagination.TotalCount)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&customer, "customer", "", "only this customer's: the platform's id, or yours (external id)")
	f.StringVar(&benefit, "benefit", "", "only this benefit's (id)")
	f.StringSliceVar(&states, "state", nil, "only in these states: failed, revoking, waiting, pending, granted, revoked, unmanaged")
	f.BoolVar(&granted, "granted", false, "only what the shop says is granted")
	f.BoolVar(&revoked, "revoked", false, "only what the shop does not say is granted")
	cmd.MarkFlagsMutuallyExclusive("granted", "revoked")
	p.add(cmd)
	return cmd
}

func byCustomer(q url.Values, customer string) error {
	if customer == "" {
		return nil
	}
	if id, err := uuid.Parse(customer); err == nil {
		q.Set("customer_id", id.String())
	} else {
		q.Set("external_customer_id", customer)
	}
	return nil
}

func byBenefit(q url.Values, benefit string) error {
	if benefit == "" {
		return nil
	}
	id, err := objectID(benefit)
	q.Set("benefit_id", id)
	return err
}

func listGrants(w io.Writer, all []shownGrant) error {
	t := newTable(w, "GRANT", "STATE", "SHOP", "BENEFIT", "CUSTOMER", "NEXT STEP", "LAST ERROR")
	for _, g := range all {
		code := ""
		if g.LastError != nil {
			code = cmp.Or(g.LastError.Code, g.LastError.Class)
		}
		t.row(g.ID, g.State, g.shop(), short(g.benefit(), 32), short(g.customer(), 36), next(g.DueAt), code)
	}
	return t.Flush()
}

// next is when the next step is due.
func next(due *time.Time) string {
	if due != nil && !due.After(time.Now()) {
		return "now"
	}
	return when(due)
}

func grantsShow(connect connector) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Explain a grant: how it stands, why, and what comes next",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := objectID(args[0])
			if err != nil {
				return err
			}
			return ask(cmd, connect, http.MethodGet, "/v1/benefit-grants/"+id, nil, showGrant)
		},
	}
}

func grantsRetry(connect connector) *cobra.Command {
	return &cobra.Command{
		Use:   "retry ID",
		Short: "Make everything of a grant due now, whatever it waited for",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := objectID(args[0])
			if err != nil {
				return err
			}
			return ask(cmd, connect, http.MethodPost, "/v1/benefit-grants/"+id+"/retry", nil, showGrant)
		},
	}
}
