package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"time"

	"fulfilld/grant"
)

// Accounts says which accounts at providers are whose.
type Accounts interface {
	// Identify finds the account that words name, a name or a numeric id.
	Identify(ctx context.Context, provider, words string) (grant.Account, *Refusal)

	// Link makes an account a customer's, or one of its members', and returns how
	// many fulfilments became due.
	Link(ctx context.Context, customer, member string, a grant.Account) (due int, err error)

	// Unlink forgets a linked account.
	Unlink(ctx context.Context, customer, member, provider string) (due int, err error)
}

// accountItem is an account of a customer, or of one of its members.
type accountItem struct {
	Provider  string `json:"provider"`
	AccountID text   `json:"account_id"` // the key; the name may change
	Name      text   `json:"name"`
	MemberID  text   `json:"member_id"` // null: the customer alone
	How       string `json:"how"`       // linked, or found by the customer's words
	Verified  bool   `json:"verified"`
	LinkedAt  stamp  `json:"linked_at"`
}

func accountOf(i grant.Identity) accountItem {
	return accountItem{i.Provider, text(i.ID), text(i.Name), text(i.MemberID), i.How, i.Verified, stamp(i.LinkedAt)}
}

// accountsOf are a customer's accounts; of a deleted one, none.
func accountsOf(ctx context.Context, l CustomerList, c grant.Customer) ([]accountItem, error) {
	items := []accountItem{}
	if !c.DeletedAt.IsZero() {
		return items, nil
	}
	known, err := l.AccountsOf(ctx, c.ID)
	for _, i := range known {
		items = append(items, accountOf(i))
	}
	return items, err
}

// linkedAccount is an account with how many fulfilments its linking made due.
type linkedAccount struct {
	accountItem
	Due int `json:"due"`
}

func linkAccount(l CustomerList, accounts Accounts) endpoint {
	return func(r *http.Request) (any, error) {
		customer, err := pathID(r)
		if err != nil {
			return nil, err
		}
		ask, err := linkingOf(r)
		if err != nil {
			return nil, err
		}
		c, err := l.Customer(r.Context(), customer)
		if err == nil && !c.DeletedAt.IsZero() {
			err = notFound()
		}
		if err != nil {
			return nil, err
		}
		a, refusal := accounts.Identify(r.Context(), ask.Provider, ask.Account)
		if refusal != nil {
			return nil, &apiError{status: refusal.Status, Name: "AccountNotIdentified", Detail: refusal.Text}
		}
		due, err := accounts.Link(r.Context(), customer, ask.MemberID, a)
		return linkedAccount{accountOf(grant.Identity{Account: a, MemberID: ask.MemberID, LinkedAt: time.Now()}), due}, err
	}
}

// unlinkAccount works for a provider whose kind is off, too.
func unlinkAccount(accounts Accounts) endpoint {
	return func(r *http.Request) (any, error) {
		customer, err := pathID(r)
		if err != nil {
			return nil, err
		}
		q, provider := queryOf(r), r.PathValue("provider")
		members := append(q.ids("member_id"), "")
		if !providerPattern.MatchString(provider) {
			q.wrong = append(q.wrong, badField("path", "provider", notAProvider, provider))
		}
		if err := q.err(); err != nil {
			return nil, err
		}
		due, err := accounts.Unlink(r.Context(), customer, members[0], provider)
		return struct {
			Due int `json:"due"`
		}{due}, err
	}
}

// linking asks for an account to be linked.
type linking struct {
	Provider string `json:"provider"`
	Account  string `json:"account"`   // a name or a numeric id
	MemberID string `json:"member_id"` // empty: the customer alone
}

var (
	providerPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)
	accountPattern  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$`)
)

const (
	notAProvider = "Input should be a provider such as github or discord"
	notAnAccount = "Input should be an account's name or numeric id"
)

func badField(where, name, msg, input string) fieldError {
	return fieldError{Type: "string_pattern_mismatch", Loc: []string{where, name}, Msg: msg, Input: strings.ToValidUTF8(input, "\uFFFD")}
}

// linkingOf reads what is asked for. A field that is not known is refused: a
// member's, misspelled, would link the account to the customer.
func linkingOf(r *http.Request) (ask linking, err error) {
	in := json.NewDecoder(r.Body)
	in.DisallowUnknownFields()
	if err := in.Decode(&ask); err != nil {
		return ask, invalid(fieldError{Type: "json_invalid", Loc: []string{"body"}, Msg: "Input should be an object with provider, account and, if it is a member's, member_id", Input: ""})
	}
	ask.Account = strings.TrimPrefix(strings.TrimSpace(ask.Account), "@")
	var wrong []fieldError
	if !providerPattern.MatchString(ask.Provider) {
		wrong = append(wrong, badField("body", "provider", notAProvider, ask.Provider))
	}
	if !accountPattern.MatchString(ask.Account) {
		wrong = append(wrong, badField("body", "account", notAnAccount, ask.Account))
	}
	if ask.MemberID != "" {
		id, problem := parseID(ask.MemberID)
		if problem != "" {
			wrong = append(wrong, badField("body", "member_id", "Input should be a valid UUID, "+problem, ask.MemberID))
		}
		ask.MemberID = id
	}
	if len(wrong) > 0 {
		return ask, invalid(wrong...)
	}
	return ask, nil
}
