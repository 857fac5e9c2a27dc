package handlers

import (
	"context"
	"net/http"
)

// retryGrant makes a grant's fulfilments due now, and answers how it stands.
func retryGrant(l GrantList, retry func(context.Context, string) error) endpoint {
	return func(r *http.Request) (any, error) {
		id, err := pathID(r)
		if err != nil {
			return nil, err
		}
		if err := retry(r.Context(), id); err != nil {
			return nil, err
		}
		return wholeGrant(r.Context(), l, id)
	}
}
