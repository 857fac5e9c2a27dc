package ledger

import (
	"fulfilld/grant"
	"fulfilld/grant/shape"
)

// tellRenewal tells of a grant's renewal, while it is granted.
func (a *applier) tellRenewal(grantID string) error {
	v, err := a.view(grantID)
	if err != nil || v.Word != grant.SaysGranted {
		return err
	}
	if v.Fulfilments, err = a.parts(grantID); err != nil {
		return err
	}
	v.State = worst(v.Fulfilments)
	a.told = true
	return a.tell(a.l, grant.TellsCycled, v.ID, v.CustomerID, writtenOf(v))
}

// edited reports whether what a benefit is differs from what is stored; nobody
// needs to know where nobody is told. Every grant's event brings its benefit
// along, mostly the same.
func (a *applier) edited(b grant.Benefit, metadata, route string) (bool, error) {
	if !a.l.hears(grant.TellsBenefitUpdated) {
		return false, nil
	}
	var typ, description, properties, oldMetadata, oldRoute string
	err := a.row(`SELECT type, description, properties, metadata, route FROM benefits WHERE id = $1`, []any{b.ID},
		&typ, &description, &properties, &oldMetadata, &oldRoute)
	return typ != b.Type || description != b.Description || properties != string(b.Properties) || oldMetadata != metadata || oldRoute != route, err
}

// tellBenefit tells of a benefit as it is stored now.
func (a *applier) tellBenefit(typ, id string) error {
	if !a.l.hears(typ) {
		return nil
	}
	s, err := a.stmt(`SELECT ` + benefitColumns + ` FROM benefits b WHERE b.id = $1`)
	if err != nil {
		return err
	}
	b, err := scanBenefit(s.QueryRowContext(a.ctx, id))
	if err != nil {
		return err
	}
	a.told = true
	return a.tell(a.l, typ, id, "", shape.OfBenefit(b))
}
