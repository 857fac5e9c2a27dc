package portal

import (
	"context"
	"net/http"
	"slices"

	"fulfilld/grant"

	"github.com/google/uuid"
)

// end ends an activation of a key of the visitor's, if the benefit lets customers.
func (s *site) end(w http.ResponseWriter, r *http.Request) {
	session, _, err := s.visitor(r)
	if err == nil {
		err = s.endActivation(r, session)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	goTo(w, "../../../../")
}

func (s *site) endActivation(r *http.Request, session Session) error {
	id, err := uuid.Parse(r.PathValue("activation"))
	if err != nil {
		return grant.ErrNotFound
	}
	v, f, err := s.owned(r.Context(), session, r.PathValue("fulfilment"))
	if err != nil {
		return err
	}
	if f.State != grant.Granted || f.Kind != "license_keys" || !s.Admin(f.Applied) {
		return grant.ErrNotFound
	}
	k, err := s.Keys.LicenseKeyOf(r.Context(), grant.FulfilmentID(v.ID, f.Kind))
	if err != nil {
		return err
	}
	return s.Keys.DeactivateKey(r.Context(), grant.KeyUse{Key: k.Key, OrganizationID: k.OrganizationID, ActivationID: id.String()})
}

// owned finds a fulfilment among the visitor's own.
func (s *site) owned(ctx context.Context, session Session, id string) (v grant.View, f grant.FulfilmentView, err error) {
	grantID := grant.GrantOf(id)
	if uuid.Validate(grantID) != nil {
		return v, f, grant.ErrNotFound
	}
	v, err = s.Purchases.Grant(ctx, grantID)
	if err != nil {
		return v, f, err
	}
	i := slices.IndexFunc(v.Fulfilments, func(f grant.FulfilmentView) bool { return f.ID == id })
	if i < 0 || v.CustomerID != session.CustomerID || session.MemberID != "" && v.MemberID != session.MemberID {
		return v, f, grant.ErrNotFound
	}
	return v, v.Fulfilments[i], nil
}
