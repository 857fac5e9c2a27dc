package handlers

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fulfilld/grant"
	"fulfilld/ledger"
)

// crowd implements Approvals.
type crowd struct{ *ledger.Ledger }

func (c crowd) Approve(ctx context.Context, provider, name string) (int, error) {
	due, err := c.Ledger.Approve(ctx, provider, name)
	return len(due), err
}

func TestRemovalsWaitForTheOperatorsWord(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	repo := grant.Resource{Provider: "github", Name: "acme/pro"}
	for i := range 3 {
		if _, err := d.ledger.Removal(t.Context(), repo, fmt.Sprint(i), grant.Limit{Calls: 2, Per: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		method, path string
		status       int
		says         string
	}{
		{"POST", "/v1/approvals/?resource=github:acme/other", 404, "Not found"},
		{"POST", "/v1/approvals/?resource=../x", 422, "github:acme/pro"},
		{"POST", "/v1/approvals/?resource=GitHub:Acme/Pro", 200, `"due":0`},
		{"GET", "/v1/approvals/", 200, `"items":[]`},
	} {
		r := httptest.NewRequest(c.method, "http://admin.example.com"+c.path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if text := w.Body.String(); w.Code != c.status || !strings.Contains(text, c.says) {
			t.Errorf("%s %s: %d %s, want %d and %s", c.method, c.path, w.Code, text, c.status, c.says)
		}
	}
}
