package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"fulfilld/grant"
)

// shownFulfilment is what the CLI reads of one kind's part of a grant.
type shownFulfilment struct {
	Kind      string
	State     grant.State
	Because   string
	Attempts  int
	Since     *time.Time
	DueAt     *time.Time `json:"due_at"`
	DoneAt    *time.Time `json:"done_at"`
	LastError *trouble   `json:"last_error"`
	Holds     []shownHold
	Journal   []struct {
		Action       string
		Error        *trouble
		Remark       string
		Count        int
		LastAt       *time.Time `json:"last_at"`
		Milliseconds int64      `json:"took_ms"`
	}
}

// shownHold is what the CLI reads of what a fulfilment holds.
type shownHold struct {
	Provider, Resource    string
	AccountID             string `json:"account_id"`
	Level, Others, Before int
	Origin                grant.Origin
}

// String says what is held, and what else would keep it.
func (h shownHold) String() string {
	text := fmt.Sprintf("%s for %s:%s, level %d", h.Resource, h.Provider, h.AccountID, h.Level)
	switch {
	case h.Origin == grant.FromPlatform:
		text += "; the platform gave it"
	case h.Before > 0:
		text += fmt.Sprintf("; level %d was there before", h.Before)
	}
	if h.Others > 0 {
		text += fmt.Sprintf("; others hold level %d", h.Others)
	}
	return text
}

// reasons says in words why something is owed so; a word that is not here is
// shown as it is.
var reasons = map[string]string{
	"granted":            "the shop granted it",
	"revoked":            "the shop revoked it",
	"not_granted":        "the shop has not granted it yet",
	"not_paid":           "it is not paid yet",
	"order_paid":         "the order is paid",
	"order_void":         "the order is void",
	"refunded":           "it was refunded",
	"dropped_by_product": "the product no longer carries the benefit",
	"unrouted":           "the benefit no longer asks for this kind",
	"expired":            "it was granted for a time that is over",
	"grace":              "a payment failed, and its grace period still runs",
	"settling":           "the shop revoked it and the reason is awaited",
	"override":           "the operator said so",
	"customer_deleted":   "the customer was deleted",
	"member_deleted":     "the member was deleted",
	"seat_revoked":       "the seat was taken back",
	"benefit_deleted":    "the benefit was deleted",
}

func reason(word string) string {
	if text, ok := reasons[word]; ok {
		return text
	}
	if status, ok := strings.CutPrefix(word, "subscription_"); ok {
		return "the subscription is " + status
	}
	return word
}

// nextStep says what happens next, or what somebody must do.
func nextStep(id string, f shownFulfilment) string {
	again := "looked at again " + when(f.DueAt)
	if f.DueAt == nil {
		again = "looked at again when a fact changes"
	}
	refused := f.LastError != nil && (f.LastError.Class == "permanent" || f.LastError.Class == "action_required")
	switch {
	case f.State == grant.Unmanaged:
		return "none: no fulfiller of this kind is switched on here"
	case f.State == grant.Failed:
		return "mend what the error says, then `fulfilld grants retry " + id + "`"
	case f.State == grant.Waiting && f.LastError != nil && f.LastError.Code == grant.FileMissingCode:
		return "the merchant must put the file; then it goes on by itself"
	case f.State == grant.Waiting:
		return "the customer must act; " + again
	case f.State == grant.Revoking && refused:
		return "the provider refuses, access may still stand: mend what the error says; tried again " + next(f.DueAt) + ", until it is gone"
	case f.DueAt != nil && !f.DueAt.After(time.Now()):
		return "due now: the next free worker takes it"
	case f.State == grant.Pending && f.DueAt == nil:
		return "none until the shop grants or revokes it"
	case f.DueAt == nil:
		return "none: done"
	case f.LastError != nil:
		return "tried again " + when(f.DueAt)
	}
	return again
}

func showGrant(w io.Writer, g shownGrant) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(t, "%s\t%s\n", name, plain(fmt.Sprintf(format, args...)))
	}
	line("Grant", "%s", g.ID)
	line("State", "%s", g.State)
	line("Customer", "%s", g.who())
	line("Benefit", "%s", g.what())
	line("Through", "%s", g.through())
	line("The shop", "%s", g.said())
	if g.Error != nil {
		line("Shop's error", "%s", g.Error.Message)
	}
	if g.Override != nil {
		line("Operator", "%s until %s", g.Override.Desired, g.until())
	}
	for _, f := range g.Fulfilments {
		fmt.Fprintf(t, "\n%s\n", plain(f.Kind))
		line("  State", "%s, because %s", f.State, reason(f.Because))
		if f.LastError != nil {
			line("  Last error", "%s", f.LastError)
		}
		if f.Attempts > 0 {
			line("  Failed", "%d times in a row, first %s", f.Attempts, when(f.Since))
		}
		if f.DoneAt != nil {
			line("  Done", "%s", when(f.DoneAt))
		}
		for _, h := range f.Holds {
			line("  Holds", "%s", h)
		}
		line("  Next step", "%s", nextStep(g.ID, f))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return showJournal(w, g.Fulfilments)
}

func showJournal(w io.Writer, fs []shownFulfilment) error {
	rows := 0
	for _, f := range fs {
		rows += len(f.Journal)
	}
	if rows == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := newTable(w, "JOURNAL", "KIND", "ACTION", "TIMES", "TOOK", "OUTCOME")
	for _, f := range fs {
		for _, a := range f.Journal {
			outcome := "done"
			switch {
			case a.Error != nil:
				outcome = a.Error.String()
			case a.Remark != "":
				outcome += ": " + a.Remark
			}
			t.row(when(a.LastAt), f.Kind, a.Action, fmt.Sprint(a.Count), (time.Duration(a.Milliseconds) * time.Millisecond).String(), outcome)
		}
	}
	return t.Flush()
}

func (g shownGrant) who() string {
	if g.Customer == nil {
		return g.CustomerID
	}
	who := strings.TrimSpace(g.Customer.Name+" <"+g.Customer.Email+">") + ", " + g.CustomerID
	if g.MemberID != "" {
		who += ", member " + g.MemberID
	}
	return who
}

func (g shownGrant) what() string {
	if g.Benefit == nil {
		return g.BenefitID
	}
	return g.Benefit.Description + " (" + g.Benefit.Type + "), " + g.BenefitID
}

func (g shownGrant) through() string {
	switch {
	case g.SubscriptionID != "":
		return "subscription " + g.SubscriptionID
	case g.OrderID != "":
		return "order " + g.OrderID
	}
	return "not known yet"
}

func (g shownGrant) said() string {
	switch {
	case g.IsGranted:
		return "granted it " + when(g.GrantedAt)
	case g.IsRevoked:
		return "revoked it " + when(g.RevokedAt)
	}
	return "has not granted it"
}

func (g shownGrant) until() string {
	if g.Override.Until == nil {
		return "lifted"
	}
	return g.Override.Until.Format(time.RFC3339)
}
