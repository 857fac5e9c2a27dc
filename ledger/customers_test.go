package ledger

import (
	"encoding/json"
	"testing"

	"fulfilld/grant"
)

// Who the customer is, is told to the merchant's own server, and to nobody else.
func TestANewAddressIsWorkForWhoeverTellsIt(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *shop) {
		ada := func(n int, email, body string) grant.News {
			return news(grant.Customer{ID: "c", Email: email, Name: "Ada", ExternalID: "usr_1", Body: json.RawMessage(body), Version: version(n)})
		}
		s.hear(ada(1, "ada@example.com", `{}`), news(benefit(1, "kinds", "custom,license_keys"), granted("g", 1)))
		s.work("g.custom")
		s.work(keys)
		for n, c := range []struct {
			email, body string
			due         int
		}{
			{"countess@example.com", `{"email":"countess@example.com"}`, 1},
			{"countess@example.com", `{"email":"countess@example.com","modified_at":"later"}`, 0},
			{"ada@example.com", `{}`, 1},
		} {
			due := s.hear(ada(n+2, c.email, c.body))
			if len(due) != c.due || c.due > 0 && due[0].ID != "g.custom" {
				t.Errorf("%s: due is %+v", c.email, due)
			}
			if c.due > 0 {
				s.work("g.custom")
			}
		}
		s.hear(news(revoked("g", 9)))
		s.work("g.custom")
		if due := s.hear(ada(10, "countess@example.com", `{}`)); len(due) != 0 {
			t.Errorf("after the end: %+v", due)
		}
	})
}
