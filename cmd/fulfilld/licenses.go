package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// shownKey is what the CLI reads of a license key.
type shownKey struct {
	ID, Key, Status  string
	DisplayKey       string `json:"display_key"`
	BenefitID        string `json:"benefit_id"`
	CustomerID       string `json:"customer_id"`
	OrganizationID   string `json:"organization_id"`
	Customer         *shownCustomer
	LimitActivations *int64     `json:"limit_activations"`
	LimitUsage       *int64     `json:"limit_usage"`
	CreatedAt        *time.Time `json:"created_at"`
	LastValidatedAt  *time.Time `json:"last_validated_at"`
	ExpiresAt        *time.Time `json:"expires_at"`
	Usage            int64
	Validations      int64
	Activations      []struct {
		ID, Label string
		Meta      json.RawMessage
		CreatedAt *time.Time `json:"created_at"`
	}
}

func (k shownKey) customer() string {
	if k.Customer == nil {
		return k.CustomerID
	}
	return cmp.Or(k.Customer.Email, k.Customer.Name, k.CustomerID)
}

// outOf is a number and its limit.
func outOf(n int64, limit *int64) string {
	if limit == nil {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d of %d", n, *limit)
}

// licensesCommand is how support people look at license keys and mend them.
func licensesCommand(connect connector) *cobra.Command {
	cmd := &cobra.Command{Use: "licenses", Short: "Find license keys, see where they are used, hold them back or exchange them"}
	addAdminFlags(cmd)
	cmd.PersistentFlags().Bool("reveal", false, "show whole keys, not only how they end")
	cmd.AddCommand(licensesList(connect), licensesShow(connect), licensesActivations(connect), licensesDeactivate(connect),
		licensesStatus(connect, "disable", "Hold a key back: it is refused everywhere until it is enabled", "disabled"),
		licensesStatus(connect, "enable", "Let a key be used again that was disabled, or revoked by the merchant", "granted"),
		licensesRotate(connect))
	return cmd
}

// askKeys is exchange for answers with license keys, which are masked unless they
// are to be revealed.
func askKeys[T any](cmd *cobra.Command, connect connector, r request, show func(w io.Writer, v T) error) error {
	c, err := connect(cmd)
	if err != nil {
		return err
	}
	body, err := c.do(cmd.Context(), r)
	if err != nil {
		return err
	}
	if whole, _ := cmd.Flags().GetBool("reveal"); !whole {
		body = masked(body)
	}
	return present(cmd, body, show)
}

// masked has what may be shown of each key in its place.
func masked(body []byte) []byte {
	var v struct {
		shownKey
		Items []shownKey
	}
	_ = json.Unmarshal(body, &v) // else there is no key in it
	for _, k := range append(v.Items, v.shownKey) {
		if k.Key != "" {
			body = bytes.ReplaceAll(body, quoted(k.Key), quoted(k.DisplayKey))
		}
	}
	return body
}

// quoted is text as the daemon writes it in JSON.
func quoted(text string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // a string
	return bytes.TrimSpace(b.Bytes())
}

func licensesList(connect connector) *cobra.Command {
	var p paging
	var customer, benefit string
	var statuses []string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List license keys, the newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := p.query()
			q["status"] = statuses
			q.Set("sorting", "-created_at")
			if err := errors.Join(byID(q, "customer_id", customer), byID(q, "benefit_id", benefit)); err != nil {
				return err
			}
			return askKeys(cmd, connect, request{method: http.MethodGet, path: "/v1/license-keys/", query: q}, func(w io.Writer, v pageOf[shownKey]) error {
				t := newTable(w, "LICENSE KEY", "TEXT", "STATUS", "CUSTOMER", "USAGE", "VALIDATIONS", "LAST", "EXPIRES")
				for _, k := range v.Items {
					t.row(k.ID, k.Key, k.Status, short(k.customer(), 36), outOf(k.Usage, k.LimitUsage), fmt.Sprint(k.Validations), when(k.LastValidatedAt), when(k.ExpiresAt))
				}
				return errors.Join(t.Flush(), p.footer(w, v.Pagination.MaxPage, v.Pagination.TotalCount))
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&customer, "customer", "", "only this customer's (id)")
	f.StringVar(&benefit, "benefit", "", "only this benefit's (id)")
	f.StringSliceVar(&statuses, "status", nil, "only with these: granted, disabled, revoked")
	p.add(cmd)
	return cmd
}

func byID(q url.Values, name, text string) error {
	if text == "" {
		return nil
	}
	id, err := objectID(text)
	q.Set(name, id)
	return err
}

// ofKey is a command about one key.
func ofKey(use, short string, run func(cmd *cobra.Command, path string) error) *cobra.Command {
	return &cobra.Command{Use: use + " ID", Short: short, Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		id, err := objectID(args[0])
		if err != nil {
			return err
		}
		return run(cmd, "/v1/license-keys/"+id)
	}}
}

func licensesShow(connect connector) *cobra.Command {
	return ofKey("show", "Show a license key: whose it is, how it stands, what it may", func(cmd *cobra.Command, path string) error {
		return askKeys(cmd, connect, request{method: http.MethodGet, path: path}, showKey)
	})
}

func showKey(w io.Writer, k shownKey) error {
	t := table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	line := func(name, value string) {
		if value != "" {
			t.row(name, value)
		}
	}
	line("License key", k.ID)
	line("Text", k.Key)
	line("Status", k.Status)
	line("Customer", k.customer()+", "+k.CustomerID)
	line("Benefit", k.BenefitID)
	line("Created", exactly(k.CreatedAt))
	line("Expires", exactly(k.ExpiresAt))
	line("Usage", outOf(k.Usage, k.LimitUsage))
	line("Validations", fmt.Sprint(k.Validations))
	line("Last", exactly(k.LastValidatedAt))
	if k.LimitActivations != nil {
		line("Places", fmt.Sprint(*k.LimitActivations))
	}
	return t.Flush()
}

func licensesActivations(connect connector) *cobra.Command {
	return ofKey("activations", "List where a license key is used", func(cmd *cobra.Command, path string) error {
		return askKeys(cmd, connect, request{method: http.MethodGet, path: path}, showActivations)
	})
}

func showActivations(w io.Writer, k shownKey) error {
	t := newTable(w, "ACTIVATION", "LABEL", "SINCE", "META")
	for _, a := range k.Activations {
		t.row(a.ID, short(a.Label, 48), when(a.CreatedAt), short(string(a.Meta), 60))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s places are taken.\n", outOf(int64(len(k.Activations)), k.LimitActivations))
	return err
}
