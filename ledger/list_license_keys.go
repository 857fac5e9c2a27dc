package ledger

import (
	"context"
	"strings"

	"fulfilld/grant"
)

// The words of [grant.LicenseKey.Status].
var statuses = map[string]string{
	"granted":  `(k.active = 1 AND k.merchant_status = '')`,
	"disabled": `(k.active = 1 AND k.merchant_status = 'disabled')`,
	"revoked":  `(k.active = 0 OR k.merchant_status = 'revoked')`,
}

// keyViewColumns are a key k and its customer c, as scanLicenseKeyView reads them.
const (
	keyViewColumns = licenseColumns + `, coalesce(c.email, ''), coalesce(c.name, ''), coalesce(c.deleted_at, 0), coalesce(c.body, '')`
	withCustomer   = ` LEFT JOIN customers c ON c.id = k.customer_id`
)

// LicenseKeys lists license keys and counts them. They can be sorted by created_at
// (the default, oldest first, as on the platform).
func (l *Ledger) LicenseKeys(ctx context.Context, f grant.LicenseKeyFilter, p grant.Page) ([]grant.LicenseKeyView, int64, error) {
	s := selection{from: `license_keys k` + withCustomer}
	in(&s, "k.organization_id", f.OrganizationIDs)
	in(&s, "k.benefit_id", f.BenefitIDs)
	if len(f.CustomerIDs)+len(f.MemberIDs) > 0 {
		ids, err := l.keysOf(ctx, f.CustomerIDs, f.MemberIDs)
		if err != nil || len(ids) == 0 {
			return nil, 0, err
		}
		in(&s, "k.id", ids)
	}
	if len(f.Statuses) > 0 {
		any := []string{"1 = 0"}
		for _, status := range f.Statuses {
			if condition, ok := statuses[status]; ok {
				any = append(any, condition)
			}
		}
		s.and("(" + strings.Join(any, " OR ") + ")")
	}
	order := orderBy(map[string]string{"created_at": "k.created_at"}, f.Sort, "k.created_at", "k.id")
	return list(ctx, l, s, keyViewColumns, order, p, scanLicenseKeyView)
}

// keysOf are the ids of the keys that grants of these may have: they follow from
// the fulfilments', which are found by an index, as keys are not.
func (l *Ledger) keysOf(ctx context.Context, customers, members []string) ([]string, error) {
	s := selection{from: `grants g JOIN fulfilments f ON ` + ofGrant}
	in(&s, "g.customer_id", customers)
	in(&s, "g.member_id", members)
	rows, err := l.read.QueryContext(ctx, l.engine.sql(`SELECT f.id`+s.text()), s.args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(r rowScanner) (id string, err error) {
		err = r.Scan(&id)
		return licenseID(id), err
	})
}

func scanLicenseKeyView(r rowScanner) (v grant.LicenseKeyView, err error) {
	var deleted int64
	var body string
	v.LicenseKey, err = scanLicenseKey(more{r, []any{&v.Customer.Email, &v.Customer.Name, &deleted, &body}})
	v.Customer.ID, v.Customer.DeletedAt, v.Customer.Body = v.CustomerID, timeOf(deleted), raw(body)
	return v, err
}
