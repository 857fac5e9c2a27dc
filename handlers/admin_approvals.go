package handlers

import (
	"context"
	"net/http"
	"regexp"
	"strings"

	"fulfilld/grant"
)

// Approvals is what waits for the operator's word: removals from a resource that
// an edit has caused, more than are let through unasked.
type Approvals interface {
	// Unapproved lists the resources, as "provider:name".
	Unapproved(ctx context.Context) ([]grant.Lane, error)

	// Approve lets the removals from one go on, and returns how many fulfilments
	// became due.
	Approve(ctx context.Context, provider, name string) (due int, err error)
}

type approvalItem struct {
	Resource string `json:"resource"`
	Why      string `json:"why"`
}

func listApprovals(a Approvals) endpoint {
	return func(r *http.Request) (any, error) {
		waiting, err := a.Unapproved(r.Context())
		items := []approvalItem{}
		for _, w := range waiting {
			items = append(items, approvalItem{w.Name, w.Why})
		}
		return struct {
			Items []approvalItem `json:"items"`
		}{items}, err
	}
}

var resourcePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}:[a-z0-9._/-]{1,200}$`)

func approve(a Approvals) endpoint {
	return func(r *http.Request) (any, error) {
		resource := strings.ToLower(r.URL.Query().Get("resource"))
		if !resourcePattern.MatchString(resource) {
			return nil, invalid(badField("query", "resource", "Input should be a resource such as github:acme/pro", resource))
		}
		provider, name, _ := strings.Cut(resource, ":")
		due, err := a.Approve(r.Context(), provider, name)
		return struct {
			Due int `json:"due"`
		}{due}, err
	}
}
