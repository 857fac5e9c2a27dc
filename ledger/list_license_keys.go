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

// LicenseKeys lists license keys, the newest first, and counts them. The keys
// themselves are left out.
func (l *Ledger) LicenseKeys(ctx context.Context, f grant.LicenseKeyFilter, p grant.Page) ([]grant.LicenseKeyView, int64, error) {
	s := selection{from: `(SELECT ` + licenseColumns + ` FROM license_keys) k LEFT JOIN customers c ON c.id = k.customer_id`}
	in(&s, "k.organization_id", f.OrganizationIDs)
	in(&s, "k.benefit_id", f.BenefitIDs)
	if len(f.Statuses) > 0 {
		any := []string{"1 = 0"}
		for _, status := range f.Statuses {
			if condition, ok := statuses[status]; ok {
				any = append(any, condition)
			}
		}
		s.and("(" + strings.Join(any, " OR ") + ")")
	}
	return list(ctx, l, s, `k.*, coalesce(c.email, ''), coalesce(c.name, ''), coalesce(c.body, '')`,
		" ORDER BY k.created_at DESC, k.id DESC", p, scanLicenseKeyView)
}

func scanLicenseKeyView(r rowScanner) (v grant.LicenseKeyView, err error) {
	var body string
	v.LicenseKey, err = scanLicenseKey(more{r, []any{&v.Customer.Email, &v.Customer.Name, &body}})
	v.Key = ""
	v.Customer.ID, v.Customer.Body = v.CustomerID, raw(body)
	return v, err
}
