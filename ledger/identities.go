package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"fulfilld/grant"
)

const (
	linked = "linked" // by the operator, or on the link page
	found  = "found"  // by the customer's words
)

// person is whose account is asked for: a grant's member, else its customer.
type person struct {
	customer, member, provider string
}

// account finds the account that a grant is for, first match wins: the one that
// the platform named in the grant; one that was linked; what the buyer wrote at
// the checkout; what the merchant wrote into the customer's metadata. The last
// two are words, with an ID once that has been found out. What a team's payer
// wrote is not taken for a member's.
func (t *tx) account(l *Ledger, g grant.Grant, own bool, provider string) (grant.Account, error) {
	if id := account(string(g.Properties)); own && id != "" {
		return grant.Account{Provider: provider, ID: id, How: "grant", Verified: true}, nil
	}
	who := person{g.CustomerID, g.MemberID, provider}
	a, err := t.identity(who, linked, "")
	if g.MemberID != "" && errors.Is(err, ErrNotFound) {
		owner, asked := t.isOwner(g.MemberID)
		if asked != nil || !owner {
			return grant.Account{Provider: provider}, asked
		}
		who.member = ""
		a, err = t.identity(who, linked, "")
	}
	if err == nil || !errors.Is(err, ErrNotFound) {
		return a, err
	}
	words, how, err := t.words(l.opts.Words[provider], g)
	if err != nil || words == "" {
		return grant.Account{Provider: provider}, err
	}
	if a, err = t.identity(who, found, words); errors.Is(err, ErrNotFound) {
		a, err = grant.Account{Provider: provider, Name: words}, nil
	}
	a.How = how
	return a, err
}

// isOwner reports whether a member is the customer in person: an individual's only
// one, or who owns the team's account.
func (t *tx) isOwner(member string) (bool, error) {
	var body string
	err := t.row(`SELECT body FROM members WHERE id = $1`, []any{member}, &body)
	var m struct {
		Role string `json:"role"`
	}
	_ = json.Unmarshal([]byte(body), &m) // the platform's own; whatever else it holds
	return m.Role == "owner", ignore(err)
}

// ignore takes ErrNotFound for no error.
func ignore(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// identity is the account that was linked, or found by words.
func (t *tx) identity(who person, how, words string) (a grant.Account, err error) {
	a = grant.Account{Provider: who.provider, How: how}
	var verified int64
	err = t.row(`SELECT account_id, name, verified FROM identities
		WHERE customer_id = $1 AND member_id = $2 AND provider = $3 AND how = $4 AND words = $5`,
		[]any{who.customer, who.member, who.provider, how, strings.ToLower(words)}, &a.ID, &a.Name, &verified)
	a.Verified = verified > 0
	return a, err
}

// words reads what the customer wrote, and where.
func (t *tx) words(keys grant.Words, g grant.Grant) (words, how string, err error) {
	if keys.CustomField != "" {
		fields, err := t.strings(`SELECT fields FROM subscriptions WHERE id = $1 AND $1 <> ''
			UNION ALL SELECT fields FROM orders WHERE id = $2 AND $2 <> ''
			UNION ALL SELECT fields FROM orders WHERE subscription_id = $1 AND $1 <> ''`, g.SubscriptionID, g.OrderID)
		if err != nil {
			return "", "", err
		}
		for _, text := range fields {
			if words := field(text, keys.CustomField); words != "" {
				return words, "custom_field", nil
			}
		}
	}
	if keys.CustomerMetadata == "" {
		return "", "", nil
	}
	var body string
	err = t.row(`SELECT body FROM customers WHERE id = $1`, []any{g.CustomerID}, &body)
	var customer struct {
		Metadata json.RawMessage `json:"metadata"`
	}
	_ = json.Unmarshal([]byte(body), &customer) // the platform's own; whatever else it holds
	return field(string(customer.Metadata), keys.CustomerMetadata), "customer_metadata", ignore(err)
}

// field reads one value of a flat object: text, or a whole number.
func field(object, key string) string {
	var all map[string]json.RawMessage
	_ = json.Unmarshal([]byte(object), &all) // nothing written is no error
	text := string(all[key])
	if json.Unmarshal(all[key], &text) != nil { // not a string
		text = string(all[key])
	}
	if text = strings.TrimSpace(text); text == "null" || len(text) > 100 {
		return ""
	}
	return strings.TrimPrefix(text, "@")
}

// told is what makes another account of it: to be compared only.
func told(a grant.Account) string {
	if a.How == "custom_field" || a.How == "customer_metadata" {
		return "~" + strings.ToLower(a.Name)
	}
	return a.ID
}

// Found remembers which account a customer's words name: for good, because a name
// may be another's later. Of a deleted customer nothing is remembered.
func (l *Ledger) Found(ctx context.Context, g grant.Grant, words string, a grant.Account) error {
	return l.writers.do(ctx, work, func(t *tx) error {
		var gone int64
		err := t.row(`SELECT deleted_at FROM customers WHERE id = $1`, []any{g.CustomerID}, &gone)
		if gone > 0 || ignore(err) != nil {
			return ignore(err)
		}
		return t.identify(person{g.CustomerID, "", a.Provider}, found, words, a)
	})
}

func (t *tx) identify(who person, how, words string, a grant.Account) error {
	_, err := t.exec(`INSERT INTO identities (customer_id, member_id, provider, how, words, account_id, name, verified, linked_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, {{now}})
		ON CONFLICT (customer_id, member_id, provider, how, words) DO UPDATE SET account_id = excluded.account_id,
			name = excluded.name, verified = excluded.verified, linked_at = excluded.linked_at`,
		who.customer, who.member, who.provider, how, strings.ToLower(words), a.ID, a.Name, flag(a.Verified))
	return err
}

// Link says which account is a customer's, or a member's, and returns what
// became due. ErrNotFound: there is no such customer or member.
func (l *Ledger) Link(ctx context.Context, customer, member string, a grant.Account) ([]grant.Due, error) {
	return l.relink(ctx, customer, member, func(t *tx) error {
		return t.identify(person{customer, member, a.Provider}, linked, "", a)
	})
}

// Unlink forgets a linked account. Access given to it is taken away once another
// account has it, or when the grant ends. ErrNotFound: none was linked.
func (l *Ledger) Unlink(ctx context.Context, customer, member, provider string) ([]grant.Due, error) {
	return l.relink(ctx, customer, member, func(t *tx) error {
		n, err := t.exec(`DELETE FROM identities WHERE customer_id = $1 AND member_id = $2 AND provider = $3 AND how = 'linked'`, customer, member, provider)
		if err == nil && n == 0 {
			err = errNothing
		}
		return err
	})
}

// errNothing ends a write that found nothing to change.
var errNothing = errors.New("ledger: nothing to change")

// relink changes an account and lets the person's grants hear of it.
func (l *Ledger) relink(ctx context.Context, customer, member string, change func(*tx) error) ([]grant.Due, error) {
	type result struct {
		due   []grant.Due
		known bool
	}
	got, err := ask(ctx, l.writers, work, func(t *tx) (r result, err error) {
		a := applier{tx: t, l: l, dirty: map[string]struct{}{}, fresh: map[string]struct{}{}}
		if err := a.begin(); err != nil {
			return r, err
		}
		var one int64
		err = t.row(`SELECT 1 FROM customers WHERE id = $1 AND deleted_at = 0
			AND ($2 = '' OR EXISTS (SELECT 1 FROM members m WHERE m.id = $2 AND m.customer_id = $1 AND m.deleted_at = 0))`,
			[]any{customer, member}, &one)
		if err != nil {
			return r, ignore(err)
		}
		if err := change(t); err != nil {
			if errors.Is(err, errNothing) {
				err = nil
			}
			return r, err
		}
		if err := a.touchWhere(ofCustomer, customer); err != nil {
			return r, err
		}
		err = each(a.order, a.settle)
		return result{a.due, true}, err
	})
	if err == nil && !got.known {
		err = ErrNotFound
	}
	return got.due, err
}

// AccountsOf returns the accounts known of a customer and its members.
func (l *Ledger) AccountsOf(ctx context.Context, customer string) ([]grant.Identity, error) {
	rows, err := l.read.rows(ctx, `SELECT member_id, provider, account_id, name, how, verified, linked_at FROM identities
		WHERE customer_id = $1 ORDER BY provider, member_id, how`, customer)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(r rowScanner) (x grant.Identity, err error) {
		var verified, at int64
		err = r.Scan(&x.MemberID, &x.Provider, &x.ID, &x.Name, &x.How, &verified, &at)
		x.Verified, x.LinkedAt = verified > 0, timeOf(at)
		return x, err
	})
}
